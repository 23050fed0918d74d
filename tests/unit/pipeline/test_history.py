"""The `tfx-ner runs` and `tfx-ner models` commands."""

import json

import pytest

from tests.unit.history.run_history import RunHistory


@pytest.fixture
def work(tmp_path):
    """A workdir with three runs that published a version each."""
    history = RunHistory(tmp_path)
    for reason in ("by hand", "span 2 is whole", "span 3 is whole"):
        history.add_run(reason=reason)
    return history.workdir


@pytest.fixture
def run_command(tfx_ner, work):
    return lambda *arguments: tfx_ner(*arguments, "--workdir", work.root)


def test_runs_are_listed_and_one_is_shown(run_command):
    listed = run_command("runs")
    assert (
        listed.code == 0 and listed.out.count("published") == 3 and "span 3 is whole" in listed.out
    )
    assert run_command("runs", "--last", 1).out.count("published") == 1
    one = run_command("runs", "20260101-000002")
    assert one.code == 0 and "span 2 is whole" in one.out and "training.epochs" in one.out


def test_runs_as_json(run_command, tmp_path):
    first = json.loads(run_command("runs", "--json", "-").out)["runs"][0]
    assert first["reason"] == first["because"] == "by hand"  # because: the old name
    assert run_command("runs", "20260101-000003", "--json", tmp_path / "a.json").code == 0
    one = json.loads((tmp_path / "a.json").read_text())
    assert one["before_it"] == "20260101-000002-000000"
    assert one["changed_settings"] == {"training.epochs": {"before": 2, "now": 3}}


def test_verify_ends_with_exit_code_1_if_there_is_a_fault(run_command, work):
    assert run_command("runs", "verify").code == 0
    (work.serving / ".partial-1").mkdir()
    answer = run_command("runs", "verify")
    assert answer.code == 1 and "an unfinished copy. The next run removes it" in answer.out
    assert json.loads(run_command("runs", "verify", "--json", "-").out)["faults"]


def test_rollback_promote_release_and_prune_change_the_versions(run_command, work):
    first, second, third = work.versions.all
    assert run_command("models", "rollback", "--reason", "bad").out.startswith(
        f"version {second} serves; {third} is in "
    )
    listed = run_command("models")
    assert (
        "withdrawn" in listed.out
        and "Held since the rollback" in listed.out
        and "(bad)" in listed.out
    )
    states = {
        one["version"]: one["state"]
        for one in json.loads(run_command("models", "list", "--json", "-").out)["models"]
    }
    assert states == {first: "fallback", second: "serving", third: "withdrawn"}
    assert (
        run_command("models", "promote", third).out
        == f"version {third} serves, and what runs publish goes live again\n"
    )
    run_command("models", "rollback", first)
    assert run_command("models", "release").out.startswith(
        "released; it was held since the rollback"
    )
    assert run_command("models", "prune", "--keep", 0).out == f"removed {second}, {third}\n"


def test_the_details_of_a_version_have_its_run_and_data(run_command, work):
    answer = run_command("models", "list", work.versions.all[1])
    assert all(
        part in answer.out
        for part in ("20260101-000002", "span 2 is whole", "toy, /data/toy", "PER")
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("runs", "nix"), "nix: no such run"),
        (("runs", "2026"), "3 runs begin with it"),
        (
            ("runs", "prune", "--keep", 1, "--older-than", "soon"),
            "--older-than soon: expected a length of time",
        ),
        (("models", "rollback", 5), "there is no version 5"),
        (("models", "promote", 5), "5 is neither withdrawn nor a canary"),
        (("models", "release"), "nothing is held"),
        (("models", "list", 5), "there is no version 5"),
    ],
)
def test_an_impossible_request_is_reported_in_one_line(run_command, arguments, message):
    answer = run_command(*arguments)
    assert answer.code == 2 and message in answer.err and answer.err.count("\n") == 1


def test_a_folder_without_runs_is_refused(tfx_ner, tmp_path):
    for command in ("runs", "models"):
        answer = tfx_ner(command, "--workdir", tmp_path)
        assert answer.code == 2 and "no run has been here" in answer.err


def test_the_commands_import_neither_tfx_nor_tensorflow(in_a_process, work):
    output = in_a_process(
        f"""
import sys
from pipeline import cli
for arguments in (["runs"], ["runs", "verify"], ["models"], ["models", "rollback"], ["runs", "prune", "--keep", "1"]):
    sys.argv = ["tfx-ner", *arguments, "--workdir", {str(work.root)!r}]
    try:
        cli.main()
    except SystemExit as ended:
        assert not ended.code, arguments
print("heavy:", [name for name in ("tensorflow", "tfx", "apache_beam", "pandas") if name in sys.modules])
"""
    )
    assert output.endswith("heavy: []\n")
