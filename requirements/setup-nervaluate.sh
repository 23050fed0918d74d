#!/bin/sh
# Puts nervaluate into .venv/nervaluate, where its test looks for it: it asks for a newer Python than TFX 1.16 runs on, and does
# not need it. Runs after setup.sh. A second call does nothing; where it cannot be fetched that is said, and its test skips.
set -eu

cd "$(dirname "$0")/.."
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME
folder=.venv/nervaluate
lock=requirements/nervaluate.txt
cmp -s "$lock" "$folder/setup.stamp" && exit

rm -rf "$folder"
uv=$(requirements/get-uv.sh .venv/uv .venv/bin/python python3)
if VIRTUAL_ENV="$PWD/.venv" "$uv" pip install --quiet --require-hashes --no-deps --python-version 3.11 --target "$folder" -r "$lock"; then
    cp "$lock" "$folder/setup.stamp"
else
    echo "tfx-ner: cannot fetch nervaluate; the test that compares with it will skip" >&2
fi
