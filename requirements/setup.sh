#!/bin/sh
# Makes .venv: finds a Python for this machine's stack, and installs the stack's lock file and the project itself, as
# editable. A second call sees by the stamp that nothing has changed, and does nothing.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME

stack=$("$here/stack.sh")
lock=requirements/tfx-$stack.txt
case $stack in
1.16) versions="3.10" why="TFX 1.16, the newest for a glibc older than 2.39, runs on Python 3.10 only" ;;
*) versions="3.13 3.12 3.11" why="TFX $stack runs on Python 3.13, 3.12 or 3.11" ;;
esac

# What decides the environment's content. The folder is part of it because the scripts of an environment name it; of
# pyproject.toml the package's metadata, which end where the settings of the tools begin.
made_from() {
    echo "$stack in $PWD"
    {
        cat "$lock" requirements/uv.txt requirements/setup.sh setup.py
        cat requirements/runtime.in requirements/serve.in requirements/schedule.in
        sed '/^\[tool\.pytest/q' pyproject.toml
    } | sha256sum
}

# Debian's headers for the interpreter $1, unpacked from their package into .venv/headers and installed nowhere.
fetch_headers() {
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    headers=$PWD/.venv/headers
    rm -rf "$headers"
    mkdir -p "$headers"
    (cd "$headers" && apt-get download "libpython$version-dev" && dpkg-deb -x ./*.deb .) >/dev/null 2>&1 || return 1
    export CFLAGS="-I$headers/usr/include/python$version -I$headers/usr/include"
    export CXXFLAGS="$CFLAGS"
}

mkdir -p .venv
exec 9>.venv/setup.lock
flock 9 # two calls at once would install over each other
if [ "$(cat .venv/setup.stamp 2>/dev/null)" = "$(made_from)" ] && .venv/bin/python -c '' 2>/dev/null; then
    exit
fi
rm -f .venv/setup.stamp

# shellcheck disable=SC2086  # several versions
python=$("$here/pick-python.sh" $versions) || python=
if [ -z "$python" ]; then
    # shellcheck disable=SC2086
    python=$("$here/pick-python.sh" --without-headers $versions) && fetch_headers "$python" || python=
fi
uv=$("$here/get-uv.sh" .venv/uv ${python:+"$python"} python3 /usr/bin/python3 ~/.pyenv/versions/3.*/bin/python3)
if [ -z "$python" ]; then
    echo "tfx-ner: no Python here fits; uv tries to download one" >&2
    if ! "$uv" python install "${versions%% *}" >.venv/setup.log 2>&1; then
        lacks="no such Python with its headers (python3-dev) is on the PATH or in ~/.pyenv/versions"
        echo "tfx-ner: $why; $lacks, and uv could not download it (.venv/setup.log)" >&2
        exit 1
    fi
    python=$("$uv" python find --managed-python "${versions%% *}")
fi

echo "tfx-ner: installing TFX $stack for $("$python" --version) into .venv (3 GB)" >&2
# An environment of another Python, or of another folder, is made again from nothing.
base='import sys; print(sys.version, sys.base_prefix)'
if [ "$(.venv/bin/python -c "$base" 2>&1)" != "$("$python" -c "$base")" ] ||
    ! grep -qF "$PWD/.venv" .venv/bin/activate; then
    find .venv -mindepth 1 -maxdepth 1 ! -name uv ! -name headers ! -name 'setup.*' -exec rm -rf {} +
    "$uv" venv --quiet --allow-existing --python "$python" .venv
fi
export VIRTUAL_ENV="$PWD/.venv"

if ! command -v c++ >/dev/null; then
    echo "tfx-ner: no C++ compiler here, and pyfarmhash comes as source only: taking zig's, two minutes more" >&2
    "$uv" pip install --quiet --require-hashes --no-deps --target .venv/zig -r requirements/zig.txt
    zig=$PWD/.venv/zig/ziglang/zig
    export CC="$zig cc" CXX="$zig c++" ZIG_GLOBAL_CACHE_DIR="$PWD/.venv/zig/cache"
    export LDSHARED="$CXX -shared" LDCXXSHARED="$CXX -shared" # Debian's Python names flags of GNU's linker here
fi
# Compiled here, once: TFX takes twice as long to import from sources, and where Python may not write what it compiles
# (as PYTHONDONTWRITEBYTECODE or a folder of root's have it) it would compile them at every start.
"$uv" pip sync --quiet --compile-bytecode --require-hashes "$lock"
"$uv" pip install --quiet --offline --no-deps --no-build-isolation --editable .
rm -rf .venv/zig .venv/headers
made_from >.venv/setup.stamp
