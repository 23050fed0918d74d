#!/bin/sh
# get-uv.sh FOLDER PYTHON…: fetches the pinned uv into FOLDER, by the pip of the first of these interpreters that can,
# and prints the uv to use. Debian's and Ubuntu's Python comes without pip: pip is then run from the wheel that Debian
# packs it in, and is installed nowhere.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=$1
shift
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
export PIP_ROOT_USER_ACTION=ignore # pip warns a root user off the system's packages; nothing goes there
pinned=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' "$here/uv.txt")

# Prints the path of a pip that the interpreter $1 can run: its own, or a wheel's.
pip_for() {
    "$1" -c '' 2>/dev/null || return 1
    "$1" -c 'import pip; print(list(pip.__path__)[0])' 2>/dev/null && return
    bundled=$("$1" -c 'import ensurepip; print(list(ensurepip.__path__)[0])' 2>/dev/null || echo /nowhere)
    for wheel in "$bundled"/_bundled/pip-*.whl /usr/share/python-wheels/pip-*.whl; do
        [ -f "$wheel" ] && echo "$wheel/pip" && return
    done
    (cd "$(mktemp -d "$folder/pip.XXXXXX")" && apt-get download python3-pip-whl && dpkg-deb -x ./*.deb .) \
        >/dev/null 2>&1 || return 1
    echo "$(ls "$folder"/pip.*/usr/share/python-wheels/pip-*.whl)/pip"
}

if "$folder/bin/uv" --version 2>/dev/null | grep -qF "uv $pinned"; then
    echo "$folder/bin/uv"
    exit
fi
rm -rf "${folder:?}"/*
for python in "$@"; do
    pip=$(pip_for "$python") || continue
    if "$python" "$pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
        --target "$folder" -r "$here/uv.txt" >&2; then
        rm -rf "$folder"/pip.*
        echo "$folder/bin/uv"
        exit
    fi
done
if uv --version >/dev/null 2>&1; then
    echo uv
    exit
fi
echo "tfx-ner: no pip here could fetch uv, which does the installing; try: apt-get install python3-pip" >&2
exit 1
