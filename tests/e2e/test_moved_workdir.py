"""Workdirs and corpora that are moved, copied, restored from an archive or mounted: nothing is lost, nothing runs again."""

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile

import pytest

from tests.e2e.program import SMALL_MODEL, environment

pytestmark = pytest.mark.slow

SETTINGS = (
    "--set=training.epochs=1",
    "--set=gate.tolerance=1",
    "--set=gate.type_tolerance=1",
)
COMMANDS = (
    ("runs", "verify", "--json", "-"),
    ("runs", "--json", "-"),
    ("report", "--json", "-"),
    ("runs", "prune", "--keep", "9", "--json", "-"),
)


def moved(context):
    """One workdir at one place after the other; what each command said, by the way it came there and the command."""
    program, folder = context.program, context.folder
    data = context.make_corpus("data", train=60, dev=20, test=20)
    work = folder / "work"
    results = {"first": program.run(data, work, *SETTINGS)}
    results["second"] = program.run(data, work, *SETTINGS, "--set=training.seed=2")
    results["version"] = json.loads(results["second"].run_file("outcome.json"))["version"]
    again = (*SETTINGS, "--set=training.seed=2")

    def look_around(name, workdir):
        for command in COMMANDS:
            results[name, command[0] + command[1]] = program.command(*command, "--workdir", workdir)

    # The workdir and its data, which get other names.
    (folder / "there").mkdir()
    shutil.move(work, folder / "there" / "moved")
    shutil.move(data, folder / "there" / "renamed")
    work, data = folder / "there" / "moved", folder / "there" / "renamed"
    results["moved"] = program.run(data, work, *again)
    look_around("moved", work)

    # A copy, and the original beside it.
    before = hash_of(work)
    shutil.copytree(work, folder / "copy")
    look_around("copied", folder / "copy")
    results["copied"] = program.run(data, folder / "copy", *again)
    results["rolled back"] = program.command("models", "rollback", "--workdir", folder / "copy")
    results["promoted"] = program.command(
        "models", "promote", "--workdir", folder / "copy", results["version"]
    )
    results["original is untouched"] = hash_of(work) == before
    results["original"] = program.run(data, work, *again)

    # An archive that is unpacked at another place.
    with tarfile.open(folder / "backup.tar", "w") as archive:
        archive.add(work, "restored")
    with tarfile.open(folder / "backup.tar") as archive:
        archive.extractall(folder / "from-backup")
    restored = folder / "from-backup" / "restored"
    look_around("restored", restored)
    results["restored"] = program.run(data, restored, *again)
    results["restored rolled back"] = program.command("models", "rollback", "--workdir", restored)

    # Mounted at another path, where the processes of one namespace see it.
    results["mounted"] = mounted(program, work, folder / "mounted", data, again)

    # Back where it was.
    shutil.move(work, folder / "work")
    shutil.move(data, folder / "data")
    work, data = folder / "work", folder / "data"
    results["moved back"] = program.run(data, work, *again)
    look_around("moved back", work)
    results["new data"] = program.run(
        context.make_corpus("other", train=60, dev=20, test=20, seed=5),
        work,
        *again,
        "--until",
        "StatisticsGen",
    )
    return results


SCENARIOS = {"moved": moved}


def hash_of(folder):
    """A hash of every file below a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def mounted(program, work, target, data, settings):
    """A run in a workdir that is mounted at another path; None where nothing may be mounted."""
    target.mkdir()
    probe = ["unshare", "--mount", "mount", "--bind", str(work), str(target)]
    if not shutil.which("unshare") or subprocess.run(probe, capture_output=True).returncode:
        return None
    arguments = ["run", "--data", data, "--workdir", target, *SMALL_MODEL, *settings]
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", work, target]
        + [sys.executable, "-m", "pipeline.cli", *map(str, arguments)],
        cwd=program.source,
        env={**environment(), **program.variables},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def results(scenario_result):
    return scenario_result("moved")


@pytest.mark.parametrize("way", ["moved", "copied", "original", "restored", "moved back"])
def test_everything_comes_from_the_cache(results, way):
    run = results[way]
    assert run.code == 0 and run.ran == [], run.out + run.err
    assert run.nodes["CorpusExampleGen"][0] == run.nodes["Trainer"][0] == "cached"


@pytest.mark.parametrize("way", ["moved", "moved back"])
def test_it_says_so_in_one_line(results, way):
    assert (
        results[way].err.count("\n") == 1 and "before; ML Metadata is updated" in results[way].err
    )


def test_where_nothing_was_moved_it_says_nothing(results):
    assert results["original"].err == "" and results["second"].err == ""


@pytest.mark.parametrize("way", ["moved", "copied", "restored", "moved back"])
def test_metadata_and_files_agree(results, way):
    verified = results[way, "runsverify"]
    assert verified.code == 0, verified.out + verified.err
    result = json.loads(verified.out)
    assert result["faults"] == result["set_aside"] == [] and result["artifacts"] > 20


@pytest.mark.parametrize("way", ["moved", "copied", "restored", "moved back"])
def test_history_report_and_pruning_work(results, way):
    runs = json.loads(results[way, "runs--json"].out)["runs"]
    assert [run["state"] for run in runs[:2]] == ["published", "published"]
    report = results[way, "report--json"]
    assert report.code == 0 and json.loads(report.out)["evaluation"]
    pruned = results[way, "runsprune"]
    assert pruned.code == 0 and json.loads(pruned.out)["artifacts"] == []


def test_versions_are_rolled_back_and_promoted(results):
    first = results["first"].versions[0]
    for name in ("rolled back", "restored rolled back"):
        assert results[name].code == 0 and f"version {first} serves" in results[name].out
    assert (
        results["promoted"].code == 0
        and f"version {results['version']} serves" in results["promoted"].out
    )


def test_a_copy_never_touches_the_original(results):
    assert results["original is untouched"]


def test_a_workdir_that_is_mounted_elsewhere_has_its_cache(results):
    run = results["mounted"]
    if run is None:
        pytest.skip("nothing may be mounted here: needs root and unshare")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "cached: same inputs" in run.stdout and "ran: " not in run.stdout.replace(
        "ran: looks", ""
    )
    assert run.stderr.count("ML Metadata is updated") == 1


def test_other_data_is_new_data(results):
    assert results["new data"].nodes["CorpusExampleGen"][0] == "ran"


def test_no_folder_was_set_aside(results):
    assert not list(results["moved back"].runs[0].parents[1].glob("set-aside/*"))
