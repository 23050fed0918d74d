"""Errors of nodes as a run reports them, and the lock of the workdir."""

import os

import pytest
import yaml
from rich.console import Console

from components.errors import BusyError, UserError, find_user_error, last_line
from pipeline.config import Config
from pipeline.console import RunConsole
from pipeline.run import Failure, RunRequest, run
from pipeline.workdir import Workdir


def raised_from(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        UserError("a.conll:3: found x"),
        RuntimeError(
            "components.errors.UserError: a.conll:3: found x [while running 'Read-ptransform-7']"
        ),
        RuntimeError(
            "Traceback …\n  File …\ncomponents.errors.UserError: a.conll:3: found x\n\nDuring handling …"
        ),
        raised_from(RuntimeError("the node failed"), UserError("a.conll:3: found x")),
        raised_from(
            RuntimeError("outer"), raised_from(ValueError("inner"), UserError("a.conll:3: found x"))
        ),
    ],
)
def test_a_user_error_is_found_inside_errors_of_beam_and_tfx(error):
    assert find_user_error(error) == "a.conll:3: found x"


@pytest.mark.parametrize(
    "error", [None, RuntimeError("the disk is full"), raised_from(KeyError("a"), OSError("b"))]
)
def test_other_errors_are_not_user_errors(error):
    assert find_user_error(error) is None


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("Traceback …\n  File …\nOSError: no space\n", "OSError: no space"),
        (
            "a.B: no\n\tat a.B.c(B.java:1)\nCaused by: x.Y: why\n\tat …\nCaused by: x.Z: root\n\t... 5 more\n]",
            "x.Z: root",
        ),
        ("", "ValueError"),
    ],
)
def test_the_last_line_of_an_error_is_its_cause(text, last):
    assert last_line(ValueError(text)) == last


def test_a_failure_names_the_node_the_reason_and_the_log(tmp_path):
    assert str(Failure("Trainer", "out of memory", tmp_path / "log.txt")) == (
        f"Trainer failed: out of memory. Details are in the log: {tmp_path / 'log.txt'}"
    )


def test_a_refused_run_records_its_configuration(tmp_path):
    corpus, work = tmp_path / "a.conll", tmp_path / "work"
    corpus.write_text("Anna B-PER\nleft\n\n")
    with pytest.raises(UserError, match=r"a\.conll:"):
        run(
            RunRequest(Config(workdir=str(work)), str(corpus), "a"),
            RunConsole(Console(quiet=True)),
        )
    [folder] = (work / "runs").iterdir()
    assert Config.model_validate(
        yaml.safe_load((folder / "config.yaml").read_text())
    ).workdir == str(work)


def test_a_locked_workdir_names_the_process_that_holds_it(tmp_path):
    workdir = Workdir(tmp_path, "ner")
    with (
        workdir.locked(),
        pytest.raises(BusyError, match=f"process {os.getpid()} is using the workdir"),
        workdir.locked(),
    ):
        pass


def test_a_workdir_is_free_after_a_run(tmp_path):
    workdir = Workdir(tmp_path, "ner")
    for _ in range(2):
        with workdir.locked():
            assert (tmp_path / ".lock.holder").exists()
    assert not (tmp_path / ".lock.holder").exists()


def test_a_workdir_is_free_after_a_run_that_failed(tmp_path):
    workdir = Workdir(tmp_path, "ner")
    with pytest.raises(ValueError), workdir.locked():
        raise ValueError
    with workdir.locked():
        pass


def test_models_of_other_names_have_other_serving_folders(tmp_path):
    assert Workdir(tmp_path, "a").serving != Workdir(tmp_path, "b").serving
