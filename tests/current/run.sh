#!/bin/bash
# run.sh [TARGET]: runs `make test`, or another target, on the newer stack: in a Debian 13 root, which debootstrap makes
# in a cache folder. The root and the .venv inside are used again next time. What is mounted is mounted in a namespace
# of this script's own, and goes with it.
set -eu

skip() {
    echo "tfx-ner: test-current skipped: $1"
    exit 0
}

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
target=${1:-test}
cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/tfx-ner
root=$cache/debian-13
home=/home/tester # inside the root

[ "$(requirements/stack.sh)" = 1.16 ] || skip "this machine is on the newer stack itself: make $target is the same"
[ "$(id -u)" = 0 ] || skip "debootstrap and chroot need root"
for tool in debootstrap unshare apt-get git; do
    command -v "$tool" >/dev/null || skip "there is no $tool here"
done
[ -e .git ] || skip "the files to test are those that git knows, and this is no checkout"
if [ -z "${OWN_NAMESPACE:-}" ]; then
    unshare --mount true 2>/dev/null || skip "this machine allows no mount namespaces, containers often do not"
    OWN_NAMESPACE=yes exec unshare --mount "$here/run.sh" "$target"
fi

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9 # one run at a time: they share the root
if [ ! -d "$root" ]; then
    # shellcheck disable=SC2016  # apt's own fields
    mirror=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        sed -n 's/^Debian \(http\)/\1/p' | head -n 1)
    [ -n "$mirror" ] || skip "apt here knows no archive of Debian's (apt-get update, where it should)"
    echo "tfx-ner: making a Debian 13 root in $root" >&2
    rm -rf --one-file-system "$root.partial"
    debootstrap --variant=minbase --include=ca-certificates,g++,make,python3-dev,python3-pip-whl \
        trixie "$root.partial" "$mirror" >"$cache/debootstrap.log" 2>&1 ||
        skip "Debian 13 could not be had from this machine's archive ($cache/debootstrap.log)"
    rm -rf "$root.partial/var/cache/apt/archives"
    mv "$root.partial" "$root"
fi

# How this machine reaches the package index, and whom it trusts, holds inside as well.
hand_over() {
    if [ -f "$1" ]; then
        mkdir -p "$root$(dirname "$2")"
        cp -L "$1" "$root$2"
    fi
}
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/uv/uv.toml /etc/ssl/certs/ca-certificates.crt \
    "${SSL_CERT_FILE:-}" "${PIP_CERT:-}" "${REQUESTS_CA_BUNDLE:-}" "${PIP_CONFIG_FILE:-}" "${UV_CONFIG_FILE:-}"; do
    hand_over "$file" "$file"
done
for file in pip/pip.conf uv/uv.toml; do
    hand_over "${XDG_CONFIG_HOME:-$HOME/.config}/$file" "$home/.config/$file"
done

mkdir -p "$root/project" "$root/shared"
find "$root/project" -mindepth 1 -maxdepth 1 ! -name .venv -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    [ -e "$file" ] && printf '%s\0' "$file"
done | tar --create --null --files-from=- | tar --extract --directory "$root/project"

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
if [ -d ../shared ]; then
    mount --bind ../shared "$root/shared"
    mount -o remount,bind,ro "$root/shared"
fi
exec env -u XDG_CACHE_HOME -u XDG_CONFIG_HOME -u XDG_DATA_HOME -u PYENV_ROOT -u UV_CACHE_DIR -u OWN_NAMESPACE \
    HOME=$home PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    chroot "$root" make --directory /project "$target"
