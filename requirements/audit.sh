#!/bin/sh
# Looks up known vulnerabilities of every locked package with pip-audit, and fails on one that SECURITY.md, beside this,
# does not name and explain, and on a package that could not be looked up: silence is no all-clear.
set -eu

cd "$(dirname "$0")/.."
uv=$(requirements/get-uv.sh .venv/uv .venv/bin/python python3)

explained=$(grep -oE '\b(CVE|GHSA|PYSEC)-[0-9A-Za-z-]+' requirements/SECURITY.md | sort -u | sed 's/^/--ignore-vuln /')
verdict=0
for lock in requirements/tfx-*.txt requirements/nervaluate.txt requirements/benchmark.txt requirements/airflow.txt requirements/storage.txt requirements/kubeflow.txt; do
    echo "$lock"
    # shellcheck disable=SC2086  # many options
    "$uv" tool run --quiet pip-audit@2.10.1 --strict --disable-pip --require-hashes --requirement "$lock" $explained ||
        verdict=1
done
exit $verdict
