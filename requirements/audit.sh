#!/bin/sh
# Looks up the known vulnerabilities of everything in the lock files with pip-audit. SECURITY.md, beside this, says what is known and why it stays.
# Exits 1 if there are any that SECURITY.md does not name.
set -eu

cd "$(dirname "$0")/.."
uv=$(requirements/get-uv.sh .venv/uv .venv/bin/python python3)
report=$(mktemp)
trap 'rm -f "$report"' EXIT
unknown=0
for lock in requirements/tfx-*.txt; do
    echo "$lock"
    "$uv" tool run --quiet pip-audit@2.10.1 --disable-pip --require-hashes -r "$lock" --format json >"$report" || [ -s "$report" ] || exit 1
    .venv/bin/python - "$report" <<'END' || unknown=1
import json, pathlib, sys
END
done
exit $unknown
