"""Workdirs and corpora that are moved, copied, restored from an archive or mounted keep their cache and history."""

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


def move_and_copy(context):
    """Moves one workdir from path to path; returns each result by kind of move, and by command."""
    program, folder = context.program, context.folder
    data = context.make_corpus("data", train=60, dev=20, test=20)
    work = folder / "work"
    results = {"first": program.run(data, work, *SETTINGS)}
    results["second"] = program.run(data, work, *SETTINGS, "--set=training.seed=2")
    results["version"] = json.loads(results["second"].run_file("outcome.json"))["version"]
    again = (*SETTINGS, "--set=training.seed=2")

    def run_read_commands(name, workdir):
        for command in COMMANDS:
            results[name, command[0] + command[1]] = program.command(*command, "--workdir", workdir)

    # Move and rename the workdir and its data.
    (folder / "new-location").mkdir()
    shutil.move(work, folder / "new-location" / "moved")
    shutil.move(data, folder / "new-location" / "renamed")
    work, data = folder / "new-location" / "moved", folder / "new-location" / "renamed"
    results["moved"] = program.run(data, work, *again)
    run_read_commands("moved", work)

    # Copy the workdir and keep the original.
    before = hash_of(work)
    shutil.copytree(work, folder / "copy")
    run_read_commands("copied", folder / "copy")
    results["copied"] = program.run(data, folder / "copy", *again)
    results["rolled back"] = program.command("models", "rollback", "--workdir", folder / "copy")
    results["promoted"] = program.command(
        "models", "promote", "--workdir", folder / "copy", results["version"]
    )
    results["original is untouched"] = hash_of(work) == before
    results["original"] = program.run(data, work, *again)

    # Restore an archive at another path.
    with tarfile.open(folder / "backup.tar", "w") as archive:
        archive.add(work, "restored")
    with tarfile.open(folder / "backup.tar") as archive:
        archive.extractall(folder / "from-backup")
    restored = folder / "from-backup" / "restored"
    run_read_commands("restored", restored)
    results["restored"] = program.run(data, restored, *again)
    results["restored rolled back"] = program.command("models", "rollback", "--workdir", restored)

    # Mount the workdir at another path in a mount namespace.
    results["mounted"] = run_mounted(program, work, folder / "mounted", data, again)

    # Move everything back.
    shutil.move(work, folder / "work")
    shutil.move(data, folder / "data")
    work, data = folder / "work", folder / "data"
    results["moved back"] = program.run(data, work, *again)
    run_read_commands("moved back", work)
    results["new data"] = program.run(
        context.make_corpus("other", train=60, dev=20, test=20, seed=5),
        work,
        *again,
        "--until",
        "StatisticsGen",
    )
    return results


SCENARIOS = {"moved": move_and_copy}


def hash_of(folder):
    """A hash of every file below a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def run_mounted(program, work, target, data, settings):
    """Runs in a workdir mounted at another path; returns None where mounting is not permitted."""
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


@pytest.mark.parametrize("move", ["moved", "copied", "original", "restored", "moved back"])
def test_every_node_of_a_moved_workdir_is_cached(results, move):
    run = results[move]
    assert run.code == 0 and run.ran == [], run.out + run.err
    assert run.nodes["CorpusExampleGen"][0] == run.nodes["Trainer"][0] == "cached"


@pytest.mark.parametrize("move", ["moved", "moved back"])
def test_a_moved_workdir_is_reported_in_one_line(results, move):
    assert (
        results[move].err.count("\n") == 1 and "before; ML Metadata is updated" in results[move].err
    )


def test_an_unmoved_workdir_is_not_reported(results):
    assert results["original"].err == "" and results["second"].err == ""


@pytest.mark.parametrize("move", ["moved", "copied", "restored", "moved back"])
def test_verify_finds_no_faults(results, move):
    verified = results[move, "runsverify"]
    assert verified.code == 0, verified.out + verified.err
    result = json.loads(verified.out)
    assert result["faults"] == result["set_aside"] == [] and result["artifacts"] > 20


@pytest.mark.parametrize("move", ["moved", "copied", "restored", "moved back"])
def test_history_report_and_pruning_work(results, move):
    runs = json.loads(results[move, "runs--json"].out)["runs"]
    assert [run["state"] for run in runs[:2]] == ["published", "published"]
    report = results[move, "report--json"]
    assert report.code == 0 and json.loads(report.out)["evaluation"]
    pruned = results[move, "runsprune"]
    assert pruned.code == 0 and json.loads(pruned.out)["artifacts"] == []


def test_rollback_and_promote_work_in_copies(results):
    first = results["first"].versions[0]
    for name in ("rolled back", "restored rolled back"):
        assert results[name].code == 0 and f"version {first} serves" in results[name].out
    assert (
        results["promoted"].code == 0
        and f"version {results['version']} serves" in results["promoted"].out
    )


def test_commands_in_a_copy_do_not_change_the_original(results):
    assert results["original is untouched"]


def test_a_workdir_mounted_at_another_path_is_cached(results):
    run = results["mounted"]
    if run is None:
        pytest.skip("mounting is not permitted: needs root and unshare")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "cached: same inputs" in run.stdout and "ran: " not in run.stdout.replace(
        "ran: looks", ""
    )
    assert run.stderr.count("ML Metadata is updated") == 1


def test_another_corpus_is_not_cached(results):
    assert results["new data"].nodes["CorpusExampleGen"][0] == "ran"


def test_no_folder_was_set_aside(results):
    assert not list(results["moved back"].runs[0].parents[1].glob("set-aside/*"))
