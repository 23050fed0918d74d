"""Bad input and usage: each kind ends with exit code 2 and one line that names the error, without TFX."""

import sys

import pytest

GOOD = "Ada\tB-PER\nspoke\tO\n\n"
CORPUS = "".join(f"Ada{n}\tB-PER\nspoke\tO\n\n" for n in range(60))


def entry(*spans):
    return '{"text": "Ada spoke", "entities": [' + ", ".join(map(str, spans)) + "]}\n"


# The file given as --data: name, content, and text of the message.
BAD_DATA = {
    "an empty file": ("a.conll", "", "found an empty file; expected labelled text"),
    "only blank lines": ("a.conll", "\n\n \n", "found only blank lines; expected labelled text"),
    "no entity": ("a.conll", CORPUS.replace("B-PER", "O"), "no entity in"),
    "too few sentences": ("a.conll", GOOD, "found no sentence for"),
    "an unknown tag": ("a.conll", GOOD * 3 + "Bob\tX-PER\n", ":10: found the tag 'X-PER'"),
    "a tag without prefix": ("a.conll", GOOD * 3 + "Bob\tPER\n", ":10: found the tag 'PER'"),
    "too few columns": ("a.conll", GOOD * 3 + "Bob\n", ":10: found the token 'Bob' without a tag"),
    "too many columns": ("a.conll", GOOD * 3 + "Bob\tis\tO\n", ":10: found 3 columns"),
    "no UTF-8": ("a.conll", b"Zo\xeb\tB-PER\n", ":1: found byte 0xEB at position 3"),
    "UTF-16": ("a.conll", CORPUS.encode("utf-16"), "found text in UTF-16"),
    "a binary file": ("a.conll", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "NUL byte"),
    "a compressed file": ("a.conll", b"\x1f\x8b\x08\0abc", "compressed"),
    "invalid JSON": ("a.jsonl", entry() + '{"text": \n', ":2: found no valid JSON"),
    "JSON without entities": ("a.json", '[{"text": "Ada", "entities": []}]', "found no entity"),
    "overlapping spans": (
        "a.jsonl",
        entry([0, 9, '"X"'], [4, 9, '"X"']).replace("'", ""),
        ":1: found the span 4 to 9",
    ),
    "a reversed span": ("a.jsonl", entry([3, 0, '"X"']).replace("'", ""), "which is reversed"),
    "an empty span": ("a.jsonl", entry([3, 3, '"X"']).replace("'", ""), "which is empty"),
    "a misaligned span": ("a.jsonl", entry([1, 3, '"X"']).replace("'", ""), "cuts the token 'Ada'"),
    "a span out of its text": (
        "a.jsonl",
        entry([4, 10, '"X"']).replace("'", ""),
        "in a text of 9 characters",
    ),
}


@pytest.fixture
def refused(tfx_ner):
    """A function that runs a command that must be refused, and returns its error line."""

    def refusal(*arguments):
        loaded = {*sys.modules}
        answer = tfx_ner(*arguments)
        assert answer.code == 2, answer
        assert "Traceback" not in answer.err and answer.err.endswith("\n")
        assert not {"tensorflow", "tfx"} & ({*sys.modules} - loaded)
        return answer.err

    return refusal


def one_line(message):
    assert message.startswith("tfx-ner: ") and message.count("\n") == 1
    return message


@pytest.mark.parametrize("kind", BAD_DATA)
def test_a_run_on_bad_data_is_refused_in_one_line(refused, write, tmp_path, kind):
    name, content, expected = BAD_DATA[kind]
    path = write(f"corpus/{name}", content)
    message = one_line(refused("run", "--data", path, "--workdir", tmp_path / "work"))
    assert expected in message and path in message


@pytest.mark.parametrize("kind", BAD_DATA)
def test_a_check_of_bad_data_fails_with_2_as_well(tfx_ner, write, kind):
    name, content, _ = BAD_DATA[kind]
    answer = tfx_ner("check", write(name, content))
    assert answer.code == 2 and "Traceback" not in answer.err


BAD_USE = {
    "a missing path": (
        ["run", "--data", "{tmp}/nowhere"],
        "nowhere: there is no such file or folder",
    ),
    "an empty folder": (
        ["run", "--data", "{tmp}/empty"],
        "found no corpus in this folder (it is empty)",
    ),
    "no path": (["run", "--data", ""], "data: found ''"),
    "only a test split": (["run", "--data", "{tmp}/only-test"], "found test and no train"),
    "an unknown scheme": (
        ["run", "--data", "{tmp}/good.conll", "--set", "scheme=IOB9"],
        "'IOB9' is not a tag scheme",
    ),
    "an unknown encoding": (
        ["run", "--data", "{tmp}/good.conll", "--set", "encoding=latin-99"],
        "encoding=latin-99",
    ),
    "an unknown key": (
        ["run", "--set", "training.epoch=3"],
        "--set: unknown key training.epoch; expected one of epochs",
    ),
    "a bad value": (["run", "--set", "training.epochs=0"], "training.epochs: found 0"),
    "a setting without a value": (["run", "--set", "training.epochs"], "expected KEY=VALUE"),
    "no YAML": (["run", "--config", "{tmp}/bad.yaml"], "bad.yaml:1: not YAML"),
    "YAML that is a list": (
        ["run", "--config", "{tmp}/list.yaml"],
        "list.yaml:1: found list; expected keys and values",
    ),
    "a missing configuration": (
        ["run", "--config", "{tmp}/none.yaml"],
        "none.yaml: cannot read the configuration",
    ),
    "a missing schema": (
        ["run", "--data", "{tmp}/good.conll", "--set", "schema={tmp}/none.pbtxt"],
        "none.pbtxt: cannot read",
    ),
    "no schema": (
        ["run", "--data", "{tmp}/good.conll", "--set", "schema={tmp}/good.conll"],
        "not a schema in text format",
    ),
    "a schema that is a folder": (
        ["run", "--data", "{tmp}/good.conll", "--set", "schema={tmp}/empty"],
        "cannot read the schema",
    ),
    "a schema without a domain": (
        ["run", "--data", "{tmp}/good.conll", "--set", "schema={tmp}/open.pbtxt"],
        "open.pbtxt: no domain of tags",
    ),
    "a schema with tags of no scheme": (
        ["run", "--data", "{tmp}/good.conll", "--set", "schema={tmp}/odd.pbtxt"],
        "odd.pbtxt: the domain of tags holds 'PER'",
    ),
    "a workdir that is a file": (
        ["run", "--data", "{tmp}/good.conll", "--workdir", "{tmp}/good.conll"],
        "cannot make the workdir",
    ),
    "a workdir in a file": (
        ["run", "--data", "{tmp}/good.conll", "--workdir", "{tmp}/good.conll/work"],
        "cannot make the workdir",
    ),
    "an unwritable file for figures": (
        ["check", "{tmp}/good.conll", "--json", "{tmp}/none/a.json"],
        "a.json: cannot write",
    ),
    "replicas of nothing": (
        ["run", "--set", "training.replicas=2"],
        "--set: training: replicas=2 with distribute=none; expected distribute=mirrored",
    ),
    "an unknown way to distribute": (
        ["run", "--set", "training.distribute=all"],
        "training.distribute: found 'all'",
    ),
    "machines that nobody names": (
        [
            "run",
            "--data",
            "{tmp}/good.conll",
            "--workdir",
            "{tmp}/w",
            "--set",
            "training.distribute=multi-worker",
        ],
        "TF_CONFIG is not set",
    ),
    "a worker of no cluster": (["worker"], "TF_CONFIG is not set"),
    "a worker that waits for an odd time": (
        ["worker", "--wait", "soon"],
        "--wait soon: expected a length of time",
    ),
    "a check of nothing": (["check", "{tmp}/nowhere"], "nowhere: there is no such file or folder"),
    "a check with a setting of runs": (
        ["check", "{tmp}/good.conll", "--set", "training.epochs=3"],
        "expected format, columns, scheme",
    ),
    "a model folder without a model": (
        ["predict", "Ada", "--model", "{tmp}/empty"],
        "empty: no published model here",
    ),
    "a model folder that is missing": (
        ["predict", "Ada", "--model", "{tmp}/nowhere"],
        "nowhere: no published model here",
    ),
    "a model of another project": (
        ["predict", "Ada", "--model", "{tmp}/foreign"],
        "no ner.json of interface",
    ),
    "an evaluation without a model": (
        ["evaluate", "--model", "{tmp}/empty", "--data", "{tmp}/good.conll"],
        "no published model here",
    ),
    "an evaluation of nothing": (
        ["evaluate", "--model", "{tmp}/foreign", "--data", "{tmp}/nowhere"],
        "nowhere",
    ),
    "an evaluation of bad data": (
        ["evaluate", "--model", "{tmp}/foreign", "--data", "{tmp}/bad.conll"],
        "bad.conll:1: found the tag 'PER'",
    ),
    "predictions nowhere": (
        [
            "evaluate",
            "--model",
            "{tmp}/foreign",
            "--data",
            "{tmp}/good.conll",
            "--predictions",
            "{tmp}/none/p.conll",
        ],
        "p.conll: cannot write",
    ),
    "figures nowhere": (
        [
            "evaluate",
            "--model",
            "{tmp}/foreign",
            "--data",
            "{tmp}/good.conll",
            "--json",
            "{tmp}/none/f.json",
        ],
        "f.json: cannot write",
    ),
    "a missing file of texts": (
        ["predict", "--model", "{tmp}/foreign", "--input", "{tmp}/nowhere"],
        "nowhere: cannot read",
    ),
    "texts twice": (
        ["predict", "Ada", "--model", "{tmp}/foreign", "--input", "{tmp}/good.conll"],
        "both texts and --input",
    ),
    "an address without a scheme": (
        ["predict", "Ada", "--server", "localhost:8501"],
        "not an address of a server",
    ),
    "an address with a path of the interface": (
        ["predict", "Ada", "--server", "http://localhost:8501/v1/models/ner"],
        "up to /v1",
    ),
    "certificates that are missing": (
        ["predict", "Ada", "--server", "grpcs://localhost:8500", "--ca-file", "{tmp}/none.pem"],
        "none.pem: cannot read certificates",
    ),
    "a missing file of texts for a server": (
        ["predict", "--server", "http://localhost:8501", "--input", "{tmp}/nowhere"],
        "nowhere: cannot read",
    ),
}

USAGE = {
    "an unknown command": ["rum"],
    "an unknown option": ["run", "--datum", "a"],
    "an option without a value": ["run", "--data"],
    "an unknown orchestrator": ["run", "--orchestrator", "airflow"],
    "an unknown format": ["predict", "Ada", "--model", "a", "--format", "xml"],
    "no model": ["predict", "Ada"],
    "a model and a server": ["predict", "Ada", "--model", "a", "--server", "http://localhost:8501"],
    "a model with what is for servers": ["predict", "Ada", "--model", "a", "--timeout", "3"],
    "no time at all": ["predict", "Ada", "--server", "http://localhost:8501", "--timeout", "0"],
    "no path to check": ["check"],
    "one path too many": ["check", "a", "b"],
}


@pytest.fixture
def folder(write, tmp_path):
    """A folder with the files that the cases need."""
    write("good.conll", CORPUS)
    write("bad.conll", "Ada\tPER\n")
    write("only-test/test.conll", CORPUS)
    write("bad.yaml", "training: {epochs: 3")
    write("list.yaml", "- training\n")
    write("open.pbtxt", 'feature { name: "tags" type: BYTES }\n')
    write(
        "odd.pbtxt",
        'feature { name: "tags" type: BYTES domain: "t" }\nstring_domain { name: "t" value: "O" value: "PER" }\n',
    )
    write("foreign/saved_model.pb", b"")
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize("kind", BAD_USE)
def test_incompatible_options_are_refused_in_one_line(refused, folder, monkeypatch, kind):
    arguments, expected = BAD_USE[kind]
    monkeypatch.chdir(folder)
    message = one_line(refused(*(argument.replace("{tmp}", str(folder)) for argument in arguments)))
    assert expected in message


CLUSTER = '{"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}, "task": {"type": "worker", "index": %d}}'


@pytest.mark.parametrize(
    ("number", "arguments", "expected"),
    [
        (0, ["worker"], "TF_CONFIG says that this is the chief"),
        (1, ["run", "--set", "training.distribute=multi-worker"], "the run on 127.0.0.1:1"),
        (
            0,
            ["run", "--set", "training.distribute=multi-worker", "--tune", "2"],
            "--tune: found training.distribute=multi-worker; expected none or mirrored",
        ),
        (1, ["worker", "--wait", "1s"], "127.0.0.1:1: the chief did not start training in time"),
    ],
)
def test_a_command_on_the_wrong_machine_of_a_cluster_names_the_right_command(
    refused, tmp_path, monkeypatch, number, arguments, expected
):
    monkeypatch.setenv("TF_CONFIG", CLUSTER % number)
    monkeypatch.chdir(tmp_path)
    assert expected in refused(*arguments).splitlines()[-1]
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("kind", USAGE)
def test_wrong_usage_ends_with_exit_code_2_and_the_usage(refused, kind):
    message = refused(*USAGE[kind])
    assert "Error: " in message.splitlines()[-1]


@pytest.mark.parametrize("absolute", [True, False])
def test_a_path_is_taken_relative_and_absolute(refused, folder, monkeypatch, absolute):
    monkeypatch.chdir(folder)
    message = one_line(refused("run", "--data", folder / "only-test" if absolute else "only-test"))
    assert str(folder / "only-test") in message


def test_a_refused_run_leaves_no_version_and_no_lock(refused, folder):
    refused("run", "--data", folder / "bad.conll", "--workdir", folder / "work")
    assert (
        not (folder / "work" / "serving").exists()
        and not (folder / "work" / ".lock.holder").exists()
    )


def test_a_refused_schema_leaves_no_workdir(refused, folder):
    refused(
        "run",
        "--data",
        folder / "good.conll",
        "--workdir",
        folder / "work",
        "--set",
        f"schema={folder / 'odd.pbtxt'}",
    )
    assert not (folder / "work").exists()


def test_an_invalid_schema_in_the_workdir_is_reported_before_the_run(refused, folder, write):
    schema = write("work/schema/schema.pbtxt", "feature {")
    assert f"{schema}: not a schema" in refused(
        "run", "--data", folder / "good.conll", "--workdir", folder / "work"
    )


def test_an_unexpected_error_ends_with_exit_code_1_and_one_line(tfx_ner, folder, monkeypatch):
    def broken(*_):
        raise RuntimeError("the disk\nis full")

    monkeypatch.setattr("pipeline.preflight.survey_corpus", broken)
    answer = tfx_ner("run", "--data", folder / "good.conll", "--workdir", folder / "work")
    assert (answer.code, answer.err) == (1, "tfx-ner: the disk is full\n")


def test_an_interrupt_by_the_user_shows_no_traceback(tfx_ner, folder, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.preflight.survey_corpus", stopped)
    answer = tfx_ner("run", "--data", folder / "good.conll", "--workdir", folder / "work")
    assert (answer.code, answer.err.strip()) == (130, "tfx-ner: stopped")
