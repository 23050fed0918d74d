#!/bin/sh
# pick-python.sh [--without-headers] VERSION…: prints the first interpreter that works of these versions (3.13, say), in
# this order. Looks on the PATH, then where pyenv and uv keep theirs, which are often not on the PATH.
# Exits 1, silently, if no interpreter works.
set -eu

# pyfarmhash is compiled, and needs Python's headers. Debian keeps them in python3-dev.
headers=headers
if [ "$1" = --without-headers ]; then
    headers=
    shift
fi

# Runs the candidate $1, which prints its path. A shim of pyenv's fails for a version that is not switched on, a Python
# built by hand may lack modules, and the Python of a virtual environment prints the path of its base.
try() {
    "$1" -c '
import bz2, ctypes, lzma, os, sqlite3, ssl, sys, sysconfig, zlib
assert "%d.%d" % sys.version_info[:2] == sys.argv[1] and sys.implementation.name == "cpython" and sys.maxsize > 2**32
assert not sys.argv[2] or os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
print(getattr(sys, "_base_executable", sys.executable))
' "$2" "$headers" 2>/dev/null
}

on_path() {
    saved=$IFS
    IFS=:
    for folder in $PATH; do
        printf '%s\n' "$folder/python$1" "$folder/python3"
    done
    IFS=$saved
}

pyenvs=${PYENV_ROOT:-${HOME:-}/.pyenv}/versions
uvs=${XDG_DATA_HOME:-${HOME:-}/.local/share}/uv/python
for version in "$@"; do
    {
        on_path "$version"
        printf '%s\n' "$pyenvs/$version".*/bin/"python$version" "$uvs/cpython-$version".*/bin/"python$version"
    } | while read -r candidate; do
        if [ -x "$candidate" ] && try "$candidate" "$version"; then
            break
        fi
    done
done | grep -m 1 . # the first, or exit code 1
