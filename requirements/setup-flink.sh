#!/bin/sh
# Makes .flink: the jars of flink.txt, from Maven Central, and Beam's boot program for Python workers, where there is Go to build
# it. Runs after setup.sh; a second call sees by the stamp that nothing has changed, and does nothing.
set -eu

cd "$(dirname "$0")/.."
central=https://repo1.maven.org/maven2
list=requirements/flink.txt

give_up() {
    echo "tfx-ner: no Flink for its tests: $1" >&2
    exit 1
}

[ -x .venv/bin/python ] || give_up ".venv is not here; make setup makes it"
beam=$(.venv/bin/python -c 'from importlib.metadata import version; print(version("apache-beam"))')
made_from() {
    echo "$beam"
    cat "$list" requirements/setup-flink.sh | sha256sum
}

mkdir -p .flink
exec 9>.flink/setup.lock
flock 9 # two calls at once would fetch over each other
[ "$(cat .flink/setup.stamp 2>/dev/null)" != "$(made_from)" ] || exit 0
command -v java >/dev/null || give_up "java is not on the PATH"
command -v curl >/dev/null || give_up "curl is not on the PATH"

echo "tfx-ner: fetching Flink and Beam's runner for it (150 MB) into .flink" >&2
find .flink -mindepth 1 -maxdepth 1 ! -name setup.lock -exec rm -rf {} +
mkdir .flink/flink .flink/job-server
jars() {
    sed '/^#/d' "$list"
}
jars | while read -r _ folder path; do
    printf 'url = "%s/%s"\noutput = ".flink/%s/%s"\n' "$central" "$path" "$folder" "${path##*/}"
done | curl --silent --show-error --no-progress-meter --fail --retry 3 --parallel --parallel-max 8 --config - ||
    give_up "Maven Central did not give all jars of $list"
jars | while read -r sum folder path; do
    echo "$sum  .flink/$folder/${path##*/}"
done | sha256sum --quiet --check || give_up "a jar is not what $list says"

# What stands in Beam's containers as /opt/apache/beam/boot: it installs what a job brings, and starts a worker.
if command -v go >/dev/null; then
    GOBIN=$PWD/.flink go install "github.com/apache/beam/sdks/v2/python/container@v$beam" >.flink/go.log 2>&1 &&
        mv .flink/container .flink/boot ||
        echo "tfx-ner: Go could not build Beam's boot program (.flink/go.log); what needs it is not tested" >&2
fi
made_from >.flink/setup.stamp
