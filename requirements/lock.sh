#!/bin/sh
# lock.sh [--upgrade]: writes the lock files from the .in files. Pinned versions stay where the .in files still allow them;
# --upgrade takes the newest versions that work together. A lock holds every version and hash, and no address.
set -eu

cd "$(dirname "$0")/.."
uv=$(requirements/get-uv.sh .venv/uv .venv/bin/python python3)
upgrade=${1:-}

lock() {
    name=$1 version=$2
    shift 2
    echo "tfx-ner: locking $name" >&2
    # shellcheck disable=SC2086  # one option or no argument at all
    UV_CUSTOM_COMPILE_COMMAND="make lock" "$uv" pip compile --quiet $upgrade --generate-hashes \
        --output-file "requirements/$name.txt" "requirements/$name.in" --no-emit-index-url --no-emit-find-links \
        --python-version "$version" "$@"
}

lock uv 3.10 --python-platform linux
lock zig 3.10 --python-platform linux
lock nervaluate 3.11 --python-platform linux
lock tfx-1.16 3.10 --python-platform linux
lock tfx-1.21 3.11 --universal # one file for three versions of Python, with markers where these differ
lock benchmark 3.10 --universal
lock airflow 3.10 --universal
lock storage 3.10 --universal
lock kubeflow 3.10 --universal
