#!/bin/sh
# setup-beside.sh NAME WHAT [PACKAGE…]: makes .venv-NAME, where WHAT, as the user is told, is installed from
# requirements/NAME.txt, for .venv's Python. PACKAGEs come as source only, and are Python and nothing else. Runs after
# setup.sh; a second call sees by the stamp that nothing has changed, and does nothing.
set -eu

cd "$(dirname "$0")/.."
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME
folder=.venv-$1
lock=requirements/$1.txt
what=$2
shift 2
sources=
for package; do
    sources="$sources --no-binary $package"
done

made_from() {
    .venv/bin/python -c 'import sys; print(sys.version, sys.base_prefix)'
    cat "$lock" requirements/setup-beside.sh | sha256sum
}

if [ ! -x .venv/bin/python ]; then
    echo "tfx-ner: .venv is not here; make setup makes it" >&2
    exit 1
fi
mkdir -p "$folder"
exec 9>"$folder/setup.lock"
flock 9 # two calls at once would install over each other
if [ "$(cat "$folder/setup.stamp" 2>/dev/null)" = "$(made_from)" ] && "$folder/bin/python" -c '' 2>/dev/null; then
    exit
fi

echo "tfx-ner: installing $what for $(.venv/bin/python --version) into $folder" >&2
uv=$(requirements/get-uv.sh .venv/uv .venv/bin/python python3)
find "$folder" -mindepth 1 -maxdepth 1 ! -name 'setup.lock' -exec rm -rf {} +
"$uv" venv --quiet --allow-existing --python "$(readlink -f .venv/bin/python)" "$folder"
# Wheels otherwise: a machine without a compiler can do it too.
# shellcheck disable=SC2086  # several options
VIRTUAL_ENV="$PWD/$folder" "$uv" pip sync --quiet --only-binary :all: $sources --require-hashes "$lock"
made_from >"$folder/setup.stamp"
