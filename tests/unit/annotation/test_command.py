"""The `tfx-ner annotate` command without loading a model."""

import json
import sys

import pytest

from components.export import card
from components.export.entity import Entity, with_minimum_score
from pipeline.annotation import annotate as annotation
from pipeline.annotation import output as outputs
from pipeline.annotation import shards
from tests.unit.annotation.conftest import find_names
from tests.unit.pipeline.conftest import tfx_ner  # noqa: F401 - a fixture


@pytest.fixture
def model(tmp_path):
    """A folder that looks like a published model and cannot be loaded."""
    version = tmp_path / "ner" / "17"
    version.mkdir(parents=True)
    (version / "saved_model.pb").touch()
    card.save_card(card.Card(("O", "B-NAME", "I-NAME"), "0.1.0"), version)
    return version


@pytest.fixture
def without_model(monkeypatch):
    """Replaces Beam and the model: words with a capital are entities. Lists the shards of each start."""
    asked = []

    def run(left, job, output, beam, console):
        asked.append([shard.number for shard in left])
        for shard in left:
            texts = shards.read_shard(shard, job.reading)
            outputs.store_shard(output, texts, find_names(texts.texts))

    monkeypatch.setattr(annotation, "_run_beam", run)
    monkeypatch.setattr("pipeline.exits.leave", lambda code: sys.exit(code))
    return asked


@pytest.fixture
def annotate(tfx_ner, tmp_path, model):  # noqa: F811
    """Runs the command, into the folder `out` there."""
    return lambda path, *more: tfx_ner(
        "annotate", "--input", path, "--output", tmp_path / "out", "--model", model.parent, *more
    )


@pytest.mark.parametrize(
    "more, message",
    [
        (("b.txt",), "found b.txt after the options; put a pattern in quotes"),
        (
            ("--set", "training.epochs=3"),
            "--set training.epochs=3: expected a setting of beam here",
        ),
        (
            ("--set", "beam.wrokers=3"),
            "unknown key beam.wrokers; expected one of runner, workers, options",
        ),
        (("--input-format", "parquet"), "not a Parquet file"),
        (("--json", "/nowhere/a.json"), "/nowhere/a.json: cannot write there"),
    ],
)
def test_a_usage_error_is_reported_before_the_output_is_created(
    annotate, write, tmp_path, more, message
):
    answer = annotate(write("a.txt", "Ada\n"), *more)
    assert answer.code == 2 and message in answer.err and "Traceback" not in answer.err
    assert not (tmp_path / "out").exists()


def test_a_missing_model_is_reported_before_the_output_is_created(tfx_ner, write, tmp_path):  # noqa: F811
    answer = tfx_ner(
        "annotate",
        "--input",
        write("a.txt", "Ada\n"),
        "--output",
        tmp_path / "out",
        "--model",
        tmp_path / "none",
    )
    assert answer.code == 2 and "no published model here" in answer.err
    assert not (tmp_path / "out").exists()


def test_the_summary_counts_texts_entities_and_bad_lines(annotate, write, without_model, tmp_path):
    path = write("a.txt", "so Ada\n" * 70 + "x" * 300 + "\n")
    answer = annotate(path, "--shard-mb", "0.0002", "--longest", "200")
    assert answer.code == 0 and answer.err == ""
    assert answer.out.splitlines() == [
        f"{path}: 791 bytes in 4 shards",
        "70 texts, 70 entities (NAME 70)",
        f"Left out: 1 bad lines; they are in {tmp_path / 'out' / '_bad-lines.jsonl'}",
        f"Shards: {tmp_path / 'out' / 'part-*'}",
    ]


def test_a_second_start_annotates_the_missing_shards_only(annotate, write, without_model, tmp_path):
    path, size = write("a.txt", "so Ada\n" * 100), ("--shard-mb", "0.0002")
    assert annotate(path, *size).code == 0
    (tmp_path / "out" / "part-00002-of-00004.jsonl").unlink()
    assert "3 of them are finished from an earlier start; 1 to go" in annotate(path, *size).out
    again = annotate(path, *size)
    assert (
        "4 of them are finished from an earlier start; nothing is left to do" in again.out
        and again.code == 0
    )
    assert without_model == [[0, 1, 2, 3], [2]]


def test_there_is_no_summary_while_shards_are_missing(
    annotate, write, without_model, tmp_path, monkeypatch
):
    path, size = write("a.txt", "so Ada\n" * 100), ("--shard-mb", "0.0002")
    assert annotate(path, *size).code == 0
    (tmp_path / "out" / "part-00002-of-00004.jsonl").unlink()
    monkeypatch.setattr(annotation, "_run_beam", lambda *arguments: None)
    answer = annotate(path, *size)
    assert answer.code == 1 and "1 shards are missing in" in answer.err
    assert not (tmp_path / "out" / "_summary.json").exists()


def test_the_same_input_and_another_model_are_refused(annotate, write, without_model, model):
    path = write("a.txt", "so Ada\n")
    assert annotate(path).code == 0
    (model / "saved_model.pb").write_bytes(b"other")
    answer = annotate(path)
    assert answer.code == 2 and "the model that was in" in answer.err


def test_another_minimum_score_into_the_same_output_is_refused(annotate, write, without_model):
    path = write("a.txt", "so Ada\n")
    assert annotate(path, "--minimum-score", "0.5").code == 0
    assert annotate(path, "--minimum-score", "0.5").code == 0
    answer = annotate(path)
    assert answer.code == 2
    assert "with --minimum-score 0.5, not --minimum-score 0.0" in answer.err


def test_an_output_of_an_earlier_version_has_minimum_score_0(
    annotate, write, without_model, tmp_path
):
    path = write("a.txt", "so Ada\n")
    assert annotate(path).code == 0
    stored = tmp_path / "out" / "_annotation" / "job.json"
    facts = json.loads(stored.read_text())
    del facts["minimum_score"]
    stored.write_text(json.dumps(facts))
    assert annotate(path).code == 0
    assert "belongs to another annotation" in annotate(path, "--minimum-score", "0.5").err


def test_the_summary_has_the_minimum_score(annotate, write, without_model, tmp_path):
    assert annotate(write("a.txt", "so Ada\n"), "--minimum-score", "0.5").code == 0
    assert json.loads((tmp_path / "out" / "_summary.json").read_text())["minimum_score"] == 0.5


def test_entities_below_the_minimum_score_are_left_out(read_all, write):
    from pipeline.annotation.beam_pipeline import ShardModelHandler

    class Model:
        def predict(self, texts, minimum_score):
            entities = [Entity("Ada", "NAME", 0, 3, score) for score in (0.2, 0.5, 0.9)]
            return [with_minimum_score(entities, minimum_score) for _ in texts]

    [texts] = read_all(write("a.txt", "Ada\nBea\n"))
    handler = ShardModelHandler("model", 1, minimum_score=0.5)
    [result] = handler.run_inference([texts], Model())
    assert [[entity.score for entity in entities] for entities in result.inference] == [
        [0.5, 0.9],
        [0.5, 0.9],
    ]


def test_the_exit_code_is_2_if_every_line_is_bad(annotate, write, without_model):
    answer = annotate(write("a.jsonl", "{\n[]\n"))
    assert answer.code == 2 and "Left out: 2 bad lines" in answer.out


def test_json_has_the_figures_of_the_summary(annotate, write, without_model):
    answer = annotate(write("a.txt", "so Ada\n"), "--json", "-")
    figures = json.loads(answer.out)
    assert (figures["texts"], figures["entities"]) == (1, {"NAME": 1}) and "1 texts" in answer.err


def test_input_that_changes_during_the_annotation_is_refused(
    annotate, write, without_model, monkeypatch
):
    path = write("a.txt", "so Ada\n")
    done = annotation._run_beam
    monkeypatch.setattr(
        annotation,
        "_run_beam",
        lambda *arguments: (done(*arguments), write("a.txt", "so Ada and Bea\n")),
    )
    answer = annotate(path)
    assert answer.code == 2 and f"{path}: changed while it was read" in answer.err


def test_the_default_shard_size_is_bounded(write):
    def size(of):
        return shards.default_size([shards.SourceFile("a", of, 0)])

    assert size(10) == size(2**24) == 2**18
    assert size(10**9) == 2**23
