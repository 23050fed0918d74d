"""`tfx-ner predict --server`, against a fake server."""

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from components.export.entity import Entity, with_minimum_score
from tests.unit.fake_servers import SERVERS, Model, Refusal

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def model():
    return Model()


@pytest.fixture(params=SERVERS)
def url(request, model):
    with SERVERS[request.param](model) as address:
        yield address


def objects(out):
    return [json.loads(line) for line in out.splitlines()]


def test_texts_from_the_command_line(tfx_ner, url):
    answer = tfx_ner("predict", "so Ada spoke", "nothing", "--server", url)
    assert answer.code == 0 and answer.err == ""
    assert answer.out == "so Ada spoke\n  0.13  NAME  3-6  Ada\nnothing\n  no entities\n"


def test_a_file_streams_through_in_order(tfx_ner, url, write, model):
    path = write("a.txt", "".join(f"Ada{n} spoke\r\n" for n in range(1000)))
    answer = tfx_ner("predict", "--input", path, "--server", url, "--format", "jsonl")
    assert [one["entities"][0]["text"] for one in objects(answer.out)] == [
        f"Ada{n}" for n in range(1000)
    ]
    assert answer.err == "" and len(model.batches) > 1


def test_standard_input_is_the_default(tfx_ner, url, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Zo\xc3\xab\n\xff Ada")))
    answer = tfx_ner("predict", "--server", url, "--format", "jsonl")
    assert [one["text"] for one in objects(answer.out)] == ["Zoë", "\ufffd Ada"]


@pytest.mark.parametrize("form", ["table", "jsonl", "conll", "html"])
def test_entities_below_the_minimum_score_are_left_out_of_every_format(tfx_ner, url, form):
    """The fake server gives Ada a score of 0.13, and Maximilianus one of 0.22."""
    texts = ("so Ada spoke", "so Maximilianus spoke")
    options = ("--server", url, "--format", form)
    everything = tfx_ner("predict", *texts, *options).out
    filtered = tfx_ner("predict", *texts, *options, "--minimum-score", "0.2")
    marks = {"table": "NAME", "jsonl": '"NAME"', "conll": "B-NAME", "html": 'data-type="NAME"'}
    assert everything.count(marks[form]) == 2
    assert filtered.code == 0 and filtered.out.count(marks[form]) == 1
    assert "Ada" in filtered.out  # the text itself stays


def test_an_entity_with_exactly_the_minimum_score_stays():
    entities = tuple(Entity("Ada", "NAME", 0, 3, score) for score in (0.49, 0.5, 0.51))
    assert with_minimum_score(entities, 0.5) == entities[1:]


@pytest.mark.parametrize("value", ["-0.1", "1.01", "nan", "high"])
def test_a_minimum_score_outside_0_to_1_is_refused(tfx_ner, value):
    answer = tfx_ner("predict", "Ada", "--server", "http://localhost:1", "--minimum-score", value)
    assert answer.code == 2 and "--minimum-score" in answer.err


@pytest.mark.parametrize("form", ["table", "conll", "html"])
def test_every_format_leaves_out_failed_texts(tfx_ner, url, form):
    answer = tfx_ner("predict", "Ada", "POISON", "Bob", "--server", url, "--format", form)
    assert "Ada" in answer.out and "Bob" in answer.out and "POISON" not in answer.out
    assert answer.code == 1


def test_a_line_that_fails_is_reported_and_does_not_stop_the_others(tfx_ner, url, write):
    lines = [f"Ada{n}" for n in range(300)]
    lines[41] = lines[299] = "POISON"
    path = write("a.txt", "\n".join(lines))
    answer = tfx_ner("predict", "--input", path, "--server", url, "--format", "jsonl")
    assert answer.code == 1
    assert answer.err.splitlines() == [
        f"tfx-ner: {path}:42: {url}: poison in the batch",
        f"tfx-ner: {path}:300: {url}: poison in the batch",
        "tfx-ner: 2 of 300 texts failed",
    ]
    found = objects(answer.out)
    assert [one["text"] for one in found] == lines
    assert found[41] == {"text": "POISON", "error": "poison in the batch"}
    assert [n for n, one in enumerate(found) if "entities" not in one] == [41, 299]


def test_an_unreachable_server_is_reported_in_one_line(tfx_ner):
    answer = tfx_ner("predict", "Ada", "--server", "http://localhost:1", "--timeout", "0.3")
    assert answer.code == 1 and answer.out == ""
    assert (
        answer.err.startswith("tfx-ner: http://localhost:1: cannot be reached (")
        and answer.err.count("\n") == 1
    )


def test_a_model_lost_midway_is_reported_in_one_line_after_the_results(tfx_ner, url, write, model):
    def lost(texts):
        if "Ada600" in texts:
            raise Refusal("NOT_FOUND", "Servable not found")

    model.before = lost
    path = write("a.txt", "".join(f"Ada{n}\n" for n in range(10_000)))
    answer = tfx_ner("predict", "--input", path, "--server", url, "--format", "jsonl")
    assert answer.code == 1
    assert answer.err == f"tfx-ner: {url}: Servable not found; 576 texts were answered before\n"
    assert [one["text"] for one in objects(answer.out)] == [f"Ada{n}" for n in range(576)]


def test_a_change_of_the_model_is_reported_once(tfx_ner, url, model, write):
    model.outputs = ("score",)
    answer = tfx_ner("predict", "--input", write("a.txt", "Ada\n" * 1000), "--server", url)
    assert (
        answer.code == 1
        and answer.err.count("\n") == 1
        and "was not published by tfx-ner" in answer.err
    )
    assert model.batches == []


def test_the_model_and_the_version_can_be_named(tfx_ner, model):
    with SERVERS["rest"](model) as url:
        answer = tfx_ner(
            "predict", "Ada", "--server", url, "--model-name", "other", "--version-label", "canary"
        )
    assert answer.code == 0
    assert model.asked[0]["path"] == "/v1/models/other/labels/canary:predict"


def on_a_terminal(url, path, **streams):
    """Returns the output of the program with `streams` connected to a pseudo-terminal."""
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "pipeline.cli",
        "predict",
        "--input",
        path,
        "--server",
        url,
        "--format",
        "jsonl",
    ]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        **{
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
            **dict.fromkeys(streams, theirs),
        },
    )
    os.close(theirs)
    output = b""
    try:
        while piece := os.read(ours, 4096):
            output += piece
    except OSError:  # how a terminal ends
        pass
    os.close(ours)
    assert process.wait() == 0
    return output.decode()


def test_a_terminal_shows_progress_if_the_output_goes_to_a_file(model, write):
    path = write("a.txt", "Ada spoke\n" * 1234)
    with SERVERS["rest"](model) as url:
        output = on_a_terminal(url, path, stderr=True)
    assert "100%" in output and "1,234 texts" in output and "entities" not in output


def test_a_terminal_that_shows_the_output_has_no_bar_in_it(model, write):
    path = write("a.txt", "Ada spoke\n" * 3)
    with SERVERS["rest"](model) as url:
        output = on_a_terminal(url, path, stdout=True, stderr=True)
    assert len(objects(output)) == 3


def test_a_closed_output_pipe_ends_the_command(model, write):
    path = write("a.txt", "Ada spoke\n" * 20_000)
    with SERVERS["rest"](model) as url:
        command = f"{sys.executable} -m pipeline.cli predict --input {path} --server {url} --format jsonl | head -n 1"
        done = subprocess.run(
            command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60
        )
    assert len(objects(done.stdout)) == 1 and done.stderr == ""
    assert len(model.batches) < 100
