"""The configuration: read from YAML and assignments, validated, and dumped without the password."""

import pytest

from components import errors, settings
from components.errors import UserError
from pipeline.config import Config, keys, load, with_settings


def refusal(file=None, *assignments):
    with pytest.raises(UserError) as caught:
        load(file, assignments, {})
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_configuration_without_input_has_the_defaults():
    assert load(None, (), {}) == Config()


def test_yaml_is_read_at_every_depth(write):
    read = load(
        write("a.yaml", "workdir: here\ntraining: {epochs: 7}\ngate:\n  minimum_f1: 0.5\n"), (), {}
    )
    assert (read.workdir, read.training.epochs, read.gate.minimum_f1) == ("here", 7, 0.5)
    assert read.training.seed == Config().training.seed


def test_assignments_override_yaml_and_options_override_both(write):
    file = write("a.yaml", "workdir: a\ntraining: {epochs: 7, seed: 3}\n")
    read = load(file, ("training.epochs=2", "workdir=b"), {"workdir": "c", "data": None})
    assert (read.training.epochs, read.training.seed, read.workdir, read.data) == (2, 3, "c", None)


def test_tuned_settings_are_overridden_by_yaml_and_assignments(write, tmp_path):
    write("tuned.yaml", "training: {learning_rate: 0.01, batch_size: 8}\nmodel: {dropout: 0.3}\n")
    file = write("a.yaml", f"workdir: {tmp_path}\ntraining: {{batch_size: 64}}\n")
    read = load(file, ("training.seed=5",), {})
    assert (read.training.learning_rate, read.training.batch_size, read.training.seed) == (
        0.01,
        64,
        5,
    )
    assert (
        read.model.dropout == 0.3
        and load(None, (), {"workdir": "elsewhere"}).model == Config().model
    )


def test_an_invalid_file_of_tuned_settings_is_refused_by_name(write, tmp_path):
    tuned = write("tuned.yaml", "training: {learning_rate: fast}\n")
    assert str(tuned) in refusal(None, f"workdir={tmp_path}")


def test_with_settings_changes_the_given_keys_only():
    changed = with_settings(Config(), {"model.dropout": 0.25, "training.batch_size": 8})
    assert (changed.model.dropout, changed.training.batch_size) == (0.25, 8)
    assert changed.model.lstm_units == Config().model.lstm_units


def test_the_last_of_two_assignments_counts():
    assert load(None, ("training.epochs=2", "training.epochs=3"), {}).training.epochs == 3


def test_a_value_may_hold_an_equals_sign():
    assert load(None, ("metadata.password=a=b",), {}).metadata.password == "a=b"


def test_lists_are_written_as_yaml_has_them():
    assert load(None, ("beam.options=[--x=1, --y=2]",), {}).beam.options == ("--x=1", "--y=2")


@pytest.mark.parametrize("text", ["0123", "1e3", "on", "2024", "null", "a: b", "[", "~", ""])
def test_a_string_setting_is_taken_literally(text):
    assert load(None, (f"metadata.password={text}",), {}).metadata.password == text


@pytest.mark.parametrize(
    ("assignment", "name"), [("name=2024", "name"), ("data=7", "data"), ("workdir=1.5", "workdir")]
)
def test_names_and_paths_may_look_like_numbers(assignment, name):
    assert getattr(load(None, (assignment,), {}), name) == assignment.partition("=")[2]


def test_an_optional_setting_can_be_unset(write):
    assert load(write("a.yaml", "scheme: IOB1\n"), ("scheme=null",), {}).scheme is None


def test_an_empty_file_and_an_empty_group_are_no_settings(write):
    assert load(write("a.yaml", "# nothing\n"), (), {}) == Config()
    assert (
        load(
            write("b.yaml", "training:\n  # epochs: 3\n"), ("training.epochs=4",), {}
        ).training.epochs
        == 4
    )


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("epochs: 3", "unknown key epochs", "training"),
        ("training: {epoch: 3}", "unknown key training.epoch", "epochs"),
        ("metadata: {hosts: a}", "unknown key metadata.hosts", "host"),
        ("1: 2", "1", ""),
    ],
)
def test_an_unknown_key_is_named_with_its_file_and_the_valid_keys(write, text, key, expected):
    file = write("a.yaml", text)
    message = refusal(file)
    assert file in message and key in message and expected in message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: ner\ntraining:\n  seed: 2\n  epochs: 0\n", 4),
        ("training:\n  epochs: 3\n  epoch: 3\n", 3),
        ("name: ner\ntraining:\n  epochs: 3\n  replicas: 2\n", 2),  # refused by the group
        ("training: 3\n", 1),
    ],
)
def test_an_error_names_the_line_of_the_key(write, text, line):
    file = write("a.yaml", text)
    assert refusal(file).startswith(f"{file}:{line}: ")


def test_an_error_of_a_group_that_set_changes_names_set(write):
    file = write("a.yaml", "training:\n  epochs: 3\n")
    assert refusal(file, "training.replicas=2").startswith("--set: training: ")


@pytest.mark.parametrize(
    "assignment", ["epoch=3", "training.epoch=3", "training.epochs.more=1", "a.b.c=1"]
)
def test_an_unknown_assigned_key_is_refused(assignment):
    message = refusal(None, assignment)
    assert message.startswith("--set") and assignment.partition(".")[0].partition("=")[0] in message


def test_an_error_in_an_assignment_names_set():
    assert refusal(None, "training.epochs=0").startswith("--set: training.epochs: found 0;")


@pytest.mark.parametrize(
    ("assignment", "takes"),
    [
        ("training.epochs=0", "greater than or equal to 1"),
        ("training.epochs=many", "integer"),
        ("training.epochs=", "integer"),
        ("training.epochs=2.5", "integer"),
        ("gate.minimum_f1=1.5", "less than or equal to 1"),
        ("gate.tolerance=-0.1", "greater than or equal to 0"),
        ("model.dropout=1", "less than 1"),
        ("model.output=svm", "'crf' or 'softmax'"),
        ("orchestrator=airflow", "'beam' or 'local'"),
        ("bad_lines=ignore", "'refuse' or 'skip'"),
        ("metadata.kind=oracle", "'sqlite', 'mysql' or 'postgresql'"),
        ("metadata.port=70000", "65535"),
        ("name=../up", "pattern"),
        ("name=", "pattern"),
        ("workdir=", "at least 1 character"),
        ("data=", "at least 1 character"),
        ("beam.options=[nothing]", "expected --name=value"),
        ("training=3", "training"),
    ],
)
def test_a_bad_value_is_refused_with_its_key_and_the_expected_values(assignment, takes):
    message = refusal(None, assignment)
    assert assignment.partition("=")[0] in message and takes in message


@pytest.mark.parametrize("assignment", ["training.epochs", "=3", ""])
def test_an_assignment_without_key_or_equals_sign_is_refused(assignment):
    assert "expected KEY=VALUE" in refusal(None, assignment)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"training: {epochs: 3", "not YAML"),
        (b"a: b: c", ":1: not YAML"),
        (b"- 1\n- 2\n", "found list; expected keys and values"),
        (b"just words", "found str"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b"a: \x07", "not YAML"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(write, content, problem):
    file = write("a.yaml", content)
    message = refusal(file)
    assert message.startswith(file) and problem in message


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, name):
    assert "cannot read the configuration" in refusal(str(tmp_path / name))


def test_the_dump_can_be_loaded_again(write):
    settings = load(
        None, ("training.epochs=2", "schema=a.pbtxt", "beam.options=[--x=1]", "data=corpus"), {}
    )
    assert load(write("a.yaml", settings.dump()), (), {}) == settings


def test_the_password_is_in_no_dump_repr_or_error(write):
    settings = load(None, ("metadata.password=hush", "metadata.user=me"), {})
    assert "hush" not in settings.dump() and "hush" not in repr(settings)
    assert "1234" not in refusal(write("a.yaml", "metadata: {password: 1234}"))


def test_every_setting_has_a_description():
    def descriptions(model):
        for name, field in model.model_fields.items():
            yield name, field.description
            if hasattr(field.annotation, "model_fields"):
                yield from descriptions(field.annotation)

    assert [name for name, text in descriptions(Config) if not text] == []


# The second option prevents TFX from packaging itself, 50 MB per step, for workers that have it.
LOCAL = ("--runner=FnApiRunner", "--sdk_container_image=none")


@pytest.mark.parametrize(
    ("beam", "expected"),
    [
        ((), list(LOCAL)),
        (
            ("beam.workers=4",),
            [*LOCAL, "--direct_num_workers=4", "--direct_running_mode=multi_processing"],
        ),
        (
            ("beam.workers=0",),
            [*LOCAL, "--direct_num_workers=0", "--direct_running_mode=multi_processing"],
        ),
        (
            ("beam.runner=FlinkRunner", "beam.options=[--flink_master=local]"),
            ["--runner=pipeline.engines.FlinkRunner", "--flink_master=local"],
        ),
        (("beam.options=[--temp_location=/t]",), [*LOCAL, "--temp_location=/t"]),
        (("beam.runner=Direct",), list(LOCAL)),
        (("beam.runner=FLINK",), ["--runner=pipeline.engines.FlinkRunner"]),
        (("beam.runner=sparkrunner",), ["--runner=SparkRunner"]),
        (("beam.runner=some.module.Runner",), ["--runner=some.module.Runner"]),
    ],
)
def test_beam_settings_become_arguments(beam, expected):
    assert load(None, beam, {}).beam.arguments() == expected


def test_an_unknown_runner_is_refused_with_the_known_ones():
    with pytest.raises(
        UserError,
        match=r"beam.runner: found 'flonk'; expected direct, flink, spark, portable, dataflow, or",
    ):
        load(None, ("beam.runner=flonk",), {})


def test_keys_are_listed_for_groups_only():
    assert "schema" in keys() and "epochs" in keys(["training"])
    assert keys(["training", "epochs"]) == keys(["nothing"]) == ()


@pytest.fixture
def renamed_keys(monkeypatch):
    """A release that has renamed training.epochs and scheme and removed model.gates."""
    monkeypatch.setattr(
        settings, "RENAMED_KEYS", {"training.passes": "training.epochs", "notation": "scheme"}
    )
    monkeypatch.setattr("pipeline.config.RENAMED_KEYS", settings.RENAMED_KEYS)
    monkeypatch.setattr(settings, "REMOVED_KEYS", {"model.gates": "there are always four"})
    monkeypatch.setattr(errors, "_shown", set())


def test_old_keys_in_yaml_are_read_with_one_warning_that_names_file_and_new_key(
    renamed_keys, write, capsys
):
    file = write("a.yaml", "notation: IOB1\ntraining: {passes: 7, seed: 3}\nmodel: {gates: 4}\n")
    for _ in range(2):
        config = load(file, (), {})
    assert (config.scheme, config.training.epochs, config.training.seed) == ("IOB1", 7, 3)
    warning = capsys.readouterr().err
    assert warning.count("\n") == 1 and warning.startswith(f"tfx-ner: warning: {file}: ")
    assert "training.passes is now training.epochs; notation is now scheme" in warning
    assert "model.gates has no effect any more (there are always four)" in warning


def test_an_old_key_of_an_assignment_overrides_the_new_one_in_yaml(renamed_keys, write, capsys):
    file = write("a.yaml", "training: {epochs: 7}\n")
    assert load(file, ("training.passes=2",), {}).training.epochs == 2
    assert load(file, ("training={passes: 3}",), {}).training.epochs == 3
    assert capsys.readouterr().err == (
        "tfx-ner: warning: --set: training.passes is now training.epochs; old keys are read in this release only\n"
    )


def test_old_keys_are_read_from_tuned_settings_and_stored_configurations(
    renamed_keys, write, tmp_path, capsys
):
    assert Config.model_validate({"training": {"passes": 4}}).training.epochs == 4
    assert capsys.readouterr().err == ""
    tuned = write("tuned.yaml", "training: {passes: 5}\n")
    assert load(None, (), {"workdir": str(tmp_path)}).training.epochs == 5
    assert f"{tuned}: training.passes is now training.epochs" in capsys.readouterr().err


def test_an_old_key_together_with_its_new_name_is_refused(renamed_keys, write):
    file = write("a.yaml", "training: {passes: 7, epochs: 3}\n")
    assert refusal(file) == (
        f"{file}: found training.passes and training.epochs; expected training.epochs alone:"
        " training.passes is its old name"
    )


def test_a_bad_value_of_an_old_key_is_reported_under_its_new_name(renamed_keys, write):
    file = write("a.yaml", "training: {passes: 0}\n")
    assert refusal(file).startswith(f"{file}:1: training.epochs: found 0;")


def test_every_renamed_key_has_a_setting_and_no_removed_key_has():
    known = settings.flatten(Config().model_dump(by_alias=True))
    assert set(settings.RENAMED_KEYS.values()) <= set(known)
    assert not {*settings.RENAMED_KEYS, *settings.REMOVED_KEYS} & set(known)
