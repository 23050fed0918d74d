#!/bin/sh
# setup-extra.sh [--or-skip] PART…: installs optional parts of the project. Runs after setup.sh. A second call does nothing.
#
#   airflow, kubeflow, storage, benchmark, nervaluate: requirements/PART.txt, in the environment .venv-PART
#   flink: the jars that flink.txt lists, and Beam's boot program for workers, in .flink
#
# With --or-skip a part that cannot be installed is no failure: the reason goes to standard error, and to the file that
# TFX_NER_SKIPS names, and the tests that need the part skip.
set -eu

cd "$(dirname "$0")/.."
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME
maven=https://repo1.maven.org/maven2
on_failure=stop
if [ "${1:-}" = --or-skip ]; then
    on_failure=skip
    shift
fi

fail() {
    echo "tfx-ner: $1"
    exit 1
}

need() {
    command -v "$1" >/dev/null || fail "$1 is not on the PATH"
}

# Says what takes a while, on the caller's standard error.
announce() {
    echo "tfx-ner: installing $1" >&3
}

# Installs the lock of the part $1 into an environment of its own, for .venv's Python. The further arguments go to uv.
install_environment() {
    part=$1 size=$2
    shift 2
    folder=.venv-$part lock=requirements/$part.txt
    recipe=$(
        .venv/bin/python -c 'import sys; print(sys.version, sys.base_prefix)'
        cat "$lock" | sha256sum
    )
    mkdir -p "$folder"
    exec 9>"$folder/setup.lock"
    flock 9 # two calls at once would install over each other
    if [ "$(cat "$folder/setup.stamp" 2>/dev/null)" = "$recipe" ] && "$folder/bin/python" -c '' 2>/dev/null; then
        return
    fi
    announce "$part ($size) into $folder"
    uv=$(requirements/get-uv.sh .venv/uv .venv/bin/python python3)
    find "$folder" -mindepth 1 -maxdepth 1 ! -name setup.lock -exec rm -rf {} +
    "$uv" venv --quiet --allow-existing --python "$(readlink -f .venv/bin/python)" "$folder"
    # Wheels, so that no compiler is needed.
    VIRTUAL_ENV="$PWD/$folder" "$uv" pip sync --quiet --only-binary :all: --require-hashes "$@" "$lock"
    echo "$recipe" >"$folder/setup.stamp"
}

install_flink() {
    beam=$(.venv/bin/python -c 'from importlib.metadata import version; print(version("apache-beam"))')
    list=requirements/flink.txt
    recipe="$beam
$(sha256sum <"$list")"
    mkdir -p .flink
    exec 9>.flink/setup.lock
    flock 9
    [ "$(cat .flink/setup.stamp 2>/dev/null)" != "$recipe" ] || return 0
    need java
    need curl
    announce "Flink and Beam's runner for it (150 MB) into .flink"
    find .flink -mindepth 1 -maxdepth 1 ! -name setup.lock -exec rm -rf {} +
    mkdir .flink/flink .flink/job-server
    sed '/^#/d' "$list" >.flink/jars
    while read -r _ folder path; do
        printf 'url = "%s/%s"\noutput = ".flink/%s/%s"\n' "$maven" "$path" "$folder" "${path##*/}"
    done <.flink/jars >.flink/curl.config
    curl --silent --show-error --no-progress-meter --fail --retry 3 --parallel --parallel-max 8 --config .flink/curl.config ||
        fail "Maven Central did not deliver all jars of $list"
    while read -r sum folder path; do
        echo "$sum  .flink/$folder/${path##*/}"
    done <.flink/jars | sha256sum --quiet --check || fail "a jar differs from its checksum in $list"
    # In Beam's containers this program is /opt/apache/beam/boot: it installs what a job brings, and starts a worker.
    if command -v go >/dev/null && GOBIN=$PWD/.flink go install "github.com/apache/beam/sdks/v2/python/container@v$beam"; then
        mv .flink/container .flink/boot
    else
        skipped "Beam's boot program" "it is built by Go, which is missing or failed (.venv/extra-flink.log)" 2>&3
    fi
    echo "$recipe" >.flink/setup.stamp
}

install() {
    [ -x .venv/bin/python ] || fail ".venv does not exist; make setup creates it"
    case $1 in
    airflow) install_environment airflow "200 MB" ;;
    benchmark) install_environment benchmark "CRFsuite and spaCy, 300 MB" ;;
    flink) install_flink ;;
    kubeflow) # kfp and its parts come as source only; they are plain Python
        install_environment kubeflow "kfp, 55 MB" --no-binary kfp --no-binary kfp-kubernetes --no-binary kfp-server-api
        ;;
    nervaluate) # it asks for a newer Python than TFX 1.16 runs on, and does not need it
        install_environment nervaluate "0.1 MB" --python-version 3.11
        ;;
    storage) install_environment storage "an S3 server, 180 MB" ;;
    *) fail "found the part $1; expected airflow, benchmark, flink, kubeflow, nervaluate or storage" ;;
    esac
}

skipped() {
    echo "tfx-ner: skipped $1: $2" >&2
    [ -z "${TFX_NER_SKIPS:-}" ] || printf '%s: %s\n' "$1" "$2" >>"$TFX_NER_SKIPS"
}

mkdir -p .venv
for part; do
    log=.venv/extra-${part##*/}.log
    set +e # in a condition, `set -e` would not hold inside install
    (
        set -e
        install "$part"
    ) 3>&2 >"$log" 2>&1
    code=$?
    set -e
    [ "$code" -ne 0 ] || continue
    reason=$(sed -n 's/^tfx-ner: //; /./h; $ { g; p }' "$log")
    if [ "$on_failure" = stop ]; then
        echo "tfx-ner: cannot install $part: $reason ($log has more)" >&2
        exit 1
    fi
    skipped "$part" "$reason"
done
