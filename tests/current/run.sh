#!/bin/bash
# run.sh [TARGET…]: runs make's targets (`test` if none is given) on the newer stack, in a bare Debian 13 root: python3, make and
# nothing else. After the target `demo`, each stack's demo model is tried on the other stack.
#
# debootstrap makes the root in a cache folder; apt installs debootstrap where this runs as root. The root and the .venv inside
# are used again next time. Mounts are made in a mount namespace of this script and disappear with it.
#
# What cannot be done here is a skip: exit code 0, with the reason on standard error and in the file that TFX_NER_SKIPS names.
set -eu

skip() {
    echo "tfx-ner: skipped the newer stack in a Debian 13 root: $1" >&2
    [ -z "${TFX_NER_SKIPS:-}" ] || echo "the newer stack in a Debian 13 root: $1" >>"$TFX_NER_SKIPS"
    exit 0
}

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
[ $# -gt 0 ] || set -- test
cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/tfx-ner
root=$cache/debian-13
home=/home/tester # inside the root

[ "$(requirements/stack.sh)" = 1.16 ] || skip "this machine runs the newer stack itself"
[ "$(id -u)" = 0 ] || skip "debootstrap and chroot need root"
[ -e .git ] || skip "this is no git checkout, and git lists the files to test"
for tool in unshare git; do
    command -v "$tool" >/dev/null || skip "$tool is not on the PATH"
done
if [ -z "${OWN_NAMESPACE:-}" ]; then
    unshare --mount true 2>/dev/null || skip "this machine allows no mount namespaces, as many containers do"
    OWN_NAMESPACE=yes exec unshare --mount "$here/run.sh" "$@"
fi

# Debian's archive, as this machine's apt reaches it. Without one debootstrap takes its own default.
find_mirror() {
    # shellcheck disable=SC2016  # apt's own fields
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^Debian \(http\)/\1/p' | head -n 1
}

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9 # one run at a time: they share the root
if [ ! -d "$root" ]; then
    if ! command -v debootstrap >/dev/null; then
        command -v apt-get >/dev/null || skip "debootstrap is not on the PATH, and no apt-get to install it"
        echo "tfx-ner: installing debootstrap" >&2
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends debootstrap; } \
            >"$cache/apt.log" 2>&1 || skip "apt-get could not install debootstrap ($cache/apt.log)"
    fi
    echo "tfx-ner: making a Debian 13 root in $root" >&2
    rm -rf --one-file-system "$root.partial"
    mirror=$(find_mirror)
    debootstrap --variant=minbase --include=make,python3 trixie "$root.partial" ${mirror:+"$mirror"} \
        >"$cache/debootstrap.log" 2>&1 || skip "debootstrap could not make it ($cache/debootstrap.log)"
    rm -rf "$root.partial/var/cache/apt/archives"
    mkdir -p "$root.partial/var/cache/apt/archives/partial"
    mv "$root.partial" "$root"
fi

# How this machine reaches the package index, and which certificates it trusts, holds inside as well.
copy_into_root() {
    if [ -f "$1" ]; then
        mkdir -p "$root$(dirname "$2")"
        cp -L "$1" "$root$2"
    fi
}
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/uv/uv.toml /etc/ssl/certs/ca-certificates.crt \
    "${SSL_CERT_FILE:-}" "${PIP_CERT:-}" "${REQUESTS_CA_BUNDLE:-}" "${PIP_CONFIG_FILE:-}" "${UV_CONFIG_FILE:-}"; do
    copy_into_root "$file" "$file"
done
for file in pip/pip.conf uv/uv.toml; do
    copy_into_root "${XDG_CONFIG_HOME:-$HOME/.config}/$file" "$home/.config/$file"
done
variables=("HOME=$home" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TFX_NER_SKIPS=/skips)
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY SSL_CERT_FILE PIP_CERT REQUESTS_CA_BUNDLE \
    PIP_CONFIG_FILE PIP_INDEX_URL UV_CONFIG_FILE UV_DEFAULT_INDEX TFX_NER_LONG; do
    [ -z "${!name:-}" ] || variables+=("$name=${!name}")
done

mkdir -p "$root/project" "$root/shared" "$root$home"
find "$root/project" -mindepth 1 -maxdepth 1 ! -name '.venv*' -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    if [ -e "$file" ]; then printf '%s\0' "$file"; fi
done | tar --create --null --files-from=- | tar --extract --directory "$root/project"

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
if [ -d ../shared ]; then
    mount --bind "$(readlink -f ../shared)" "$root/shared"
    mount -o remount,bind,ro "$root/shared"
fi
: >"$root/skips"

in_root() {
    env -i "${variables[@]}" chroot "$root" env --chdir /project "$@"
}

# Each stack's demo model is loaded by the other stack, which must find the same entities with the same scores.
exchange_models() {
    local test=tests.serving.test_other_stack own other
    make demo || return
    own=$(newest_version) || return
    other=$(in_root bash -c "$(declare -f newest_version); newest_version") || return
    rm -rf "$root/other-stack" "$cache/other-stack"
    cp -r "$own" "$root/other-stack" && cp -r "$root/project/$other" "$cache/other-stack" || return
    .venv/bin/python -m $test "$own" >"$root/other-stack/expected.json" || return
    in_root .venv/bin/python -m $test "$other" >"$cache/other-stack/expected.json" || return
    echo "tfx-ner: each stack's model on the other stack" >&2
    TFX_NER_OTHER_STACK_MODEL=$cache/other-stack .venv/bin/python -m pytest ${test//.//}.py || return
    in_root env TFX_NER_OTHER_STACK_MODEL=/other-stack .venv/bin/python -m pytest ${test//.//}.py
}

newest_version() {
    find work/demo/serving/ner -mindepth 1 -maxdepth 1 -name '[0-9]*' | sort --version-sort | tail -n 1
}

code=0
in_root make "$@" || code=$?
case " $* " in
*" demo "*) [ $code != 0 ] || exchange_models || code=$? ;;
esac
[ -z "${TFX_NER_SKIPS:-}" ] || sed 's/^/in the Debian 13 root: /' "$root/skips" >>"$TFX_NER_SKIPS"
exit $code
