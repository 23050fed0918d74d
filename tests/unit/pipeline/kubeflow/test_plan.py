"""The plan of a Kubeflow pipeline from the configuration."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import UserError
from pipeline import config
from pipeline.commands.run import run
from pipeline.config import Config
from pipeline.kubeflow import assignments, make_plan
from pipeline.nodes import STEPS

PATHS = {"data": "/srv/ner/data", "workdir": "/srv/ner/work"}


def planned(*settings, **paths):
    return make_plan(config.load(None, ["kubeflow.image=ner:1", *settings], {**PATHS, **paths}))


def test_each_step_is_a_run_that_stops_after_its_node():
    options = {option for parameter in run.params for option in parameter.opts}
    tasks = planned("training.epochs=3").tasks
    assert [task.name for task in tasks] == list(STEPS)
    for task in tasks:
        name, *arguments = task.arguments
        assert name == "run" and "--set=training.epochs=3" in arguments
        assert {one.partition("=")[0] for one in arguments if one.startswith("--")} <= options
        for key, path in PATHS.items():
            assert arguments[arguments.index(f"--{key}") + 1] == path
        assert ("--until" in arguments) == bool(STEPS[task.name])


def test_a_step_has_the_configured_resources():
    tasks = {
        task.name: task
        for task in planned("kubeflow.train.gpu=1", "kubeflow.data.memory=null").tasks
    }
    assert (tasks["train"].cpu, tasks["train"].memory, tasks["train"].gpu) == ("2", "4Gi", 1)
    assert (tasks["data"].memory, tasks["data"].gpu) == (None, 0)


def test_claims_are_mounted_at_the_paths_of_data_and_workdir():
    assert planned("kubeflow.work_claim=mine").claims == {
        "/srv/ner/data": "ner-data",
        "/srv/ner/work": "mine",
    }
    assert planned(data="s3://bucket/data").claims == {"/srv/ner/work": "ner-work"}
    assert planned(data=None).claims == {"/srv/ner/work": "ner-work"}


def test_no_password_and_no_schedule_is_written():
    made = planned(
        "metadata.kind=postgresql",
        "metadata.host=db",
        "metadata.password=hush",
        "schedule.on_failure=https://hooks.example.org/secret",
        "kubeflow.secret=ner-metadata",
    )
    assert "hush" not in str(made) and "secret" not in str([task.arguments for task in made.tasks])
    assert made.secret == "ner-metadata"
    assert made.notes == (
        "metadata.password is not written; kubeflow.secret names the secret that has it",
    )


@pytest.mark.parametrize(
    ("settings", "paths", "message"),
    [
        (
            [],
            {"data": "data"},
            r"data: found data; expected an absolute path in the steps, as /srv/tfx-ner/data",
        ),
        (
            [],
            {"workdir": "work"},
            r"workdir: found work; expected an absolute path in the steps, as /srv/tfx-ner/work",
        ),
        ([], {"data": f"{PATHS['workdir']}/data"}, r"data: \S+/data is in the workdir"),
        (
            ["vectors=/home/me/glove.txt"],
            {},
            r"vectors: found /home/me/glove.txt; expected it below /srv/ner/work or /srv",
        ),
        (["metadata.kind=mysql"], {}, r"metadata.host: 127.0.0.1 is each step's own machine"),
        (
            ["training.distribute=multi-worker"],
            {},
            r"training.distribute: found multi-worker, and a step is one pod",
        ),
        (["kubeflow.train.memory=much"], {}, r"kubeflow.train.memory: found 'much'"),
        (["kubeflow.image=null"], {}, r"found no image; expected --image"),
    ],
)
def test_settings_that_cannot_work_on_kubeflow_are_refused(settings, paths, message):
    with pytest.raises(UserError, match=message):
        planned(*settings, **paths)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1).filter(
    lambda text: text != "null"
)


@given(
    st.builds(
        lambda encoding, options, window, epochs, warm, bad_lines: Config.model_validate(
            {
                "encoding": encoding,
                "bad_lines": bad_lines,
                "window": window,
                "beam": {"options": [f"--{one}" for one in options]},
                "training": {"epochs": epochs, "warm_start": warm},
            }
        ),
        TEXT,
        st.lists(TEXT, max_size=3),
        st.none() | st.integers(1, 50),
        st.integers(1, 99),
        st.booleans(),
        st.sampled_from(["refuse", "skip"]),
    )
)
def test_the_settings_on_the_command_line_give_the_same_configuration(made):
    assert config.load(None, list(assignments(made)), {}) == made
