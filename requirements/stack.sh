#!/bin/sh
# Prints the TFX version that this machine takes: 1.21 or 1.16.
# TFX's own wheels decide it: from 1.17 on some of them are built for glibc 2.39 only.
set -eu

refuse() {
    echo "tfx-ner: $1" >&2
    exit 1
}

system="$(uname -s) on $(uname -m)"
[ "$system" = "Linux on x86_64" ] || refuse "this is $system, and TFX's libraries are built for Linux on x86_64 only"

glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc \([0-9]*\.[0-9]*\).*/\1/p')
[ -n "$glibc" ] || refuse "this Linux has no glibc (Alpine?), and TFX's libraries need it; Debian and Ubuntu have it"

release=$((${glibc%%.*} * 1000 + ${glibc#*.}))
if [ "$release" -ge 2039 ]; then
    echo 1.21
elif [ "$release" -ge 2017 ]; then
    echo 1.16
else
    refuse "glibc $glibc is too old: TFX 1.16 needs 2.17 or newer, TFX 1.21 needs 2.39 or newer"
fi
