"""Annotation with input and output on remote storage, which a local folder replaces."""

import json

import pytest

from components.errors import UserError
from pipeline.annotation import output as outputs
from pipeline.annotation import shards
from pipeline.annotation.output import AnnotationSpec, OutputFolder
from pipeline.annotation.shards import InputFormat
from tests.unit.annotation.conftest import find_names
from tests.unit.storage.conftest import bucket, put  # noqa: F401 - fixtures

LINES = "".join(f"{'Ada' * (n % 2)} number {n}\n" for n in range(200))


@pytest.fixture
def annotate(bucket):  # noqa: F811
    """A function that annotates the files of a pattern into s3://bucket/out; returns output, shards and summary."""

    def run(pattern, form="text", to="jsonl", size=300, without=(), model="s3://bucket/ner/1"):
        cut = shards.cut_shards(sources := shards.find_sources(str(pattern)), form, size)
        read = InputFormat(form, "text", 1000)
        output = OutputFolder(bucket / "out", to, len(cut))
        with outputs.locked(output.root, AnnotationSpec(sources, read, to, model, "abc", size)):
            done = output.finished(range(len(cut)))
            for shard in cut:
                if shard.number not in (*done, *without):
                    texts = shards.read_shard(shard, read)
                    outputs.store_shard(output, texts, find_names(texts.texts))
            return output, cut, None if without else outputs.finish(output, cut, 0.5)

    return run


def parts(output):
    paths = [path for path, _ in output.root.listing() if path.name.startswith("part-")]
    return "".join(path.read_text() for path in paths)


def test_shards_in_order_have_the_texts_of_the_input(annotate, put):  # noqa: F811
    put("texts/a.txt", LINES)
    put("texts/deep/b.txt", LINES)
    output, cut, summary = annotate("s3://bucket/texts/**/*.txt")
    assert len(cut) > 4
    assert [
        json.loads(line)["text"] for line in parts(output).splitlines()
    ] == LINES.splitlines() * 2
    assert (summary["texts"], summary["entities"]) == (400, {"NAME": 200})
    assert json.loads(output.summary.read_text()) == summary


def test_bad_lines_are_written_to_the_remote_output(annotate, put):  # noqa: F811
    put("a.jsonl", '{"text": "Ada"}\n{\n{"text": "so"}\n')
    output, _, summary = annotate("s3://bucket/a.jsonl", form="jsonl")
    [bad] = map(json.loads, output.bad_lines.read_text().splitlines())
    assert (bad["file"], bad["line"], bad["raw"]) == ("s3://bucket/a.jsonl", 2, "{") and summary[
        "bad_lines"
    ] == 1


def test_remote_parquet_is_read_and_written(annotate, put, bucket, write):  # noqa: F811
    import pyarrow
    from pyarrow import parquet

    rows = pyarrow.table({"id": list(range(50)), "text": [f"Ada {n}" for n in range(50)]})
    parquet.write_table(rows, path := write("rows.parquet", ""))
    (bucket / "rows.parquet").upload(path)
    shards.check_text_column("s3://bucket/rows.parquet", "text")
    output, cut, _ = annotate("s3://bucket/rows.parquet", form="parquet", to="parquet", size=100)
    assert len(cut) > 1
    tables = []
    for shard in cut:
        with output.part(shard.number).open() as file:
            tables.append(parquet.read_table(file))
    found = pyarrow.concat_tables(tables)
    assert found.column("id").to_pylist() == list(range(50))
    assert all(entities[0]["text"] == "Ada" for entities in found.column("entities").to_pylist())


def test_the_next_start_annotates_the_missing_shards(annotate, put):  # noqa: F811
    put("a.txt", LINES)
    output, cut, _ = annotate("s3://bucket/a.txt", without=(1, 3))
    assert set(output.finished(range(len(cut)))) == {shard.number for shard in cut} - {1, 3}
    annotate("s3://bucket/a.txt")
    assert [json.loads(line)["text"] for line in parts(output).splitlines()] == LINES.splitlines()


def test_the_output_of_another_annotation_is_refused(annotate, put):  # noqa: F811
    put("a.txt", LINES)
    annotate("s3://bucket/a.txt")
    with pytest.raises(
        UserError, match="belongs to another annotation, with the model s3://bucket/ner/1, not"
    ):
        annotate("s3://bucket/a.txt", model="s3://bucket/ner/2")


def test_an_output_of_another_annotation_is_refused(annotate, put, bucket):  # noqa: F811
    put("a.txt", LINES)
    job = AnnotationSpec(
        shards.find_sources("s3://bucket/a.txt"),
        InputFormat("text", "text", 1000),
        "jsonl",
        "m",
        "abc",
        300,
    )
    with (
        pytest.raises(UserError, match="belongs to another annotation"),
        outputs.locked(bucket / "out", job),
    ):
        annotate("s3://bucket/a.txt")


def test_a_folder_with_other_files_is_refused(annotate, put):  # noqa: F811
    put("a.txt", LINES)
    put("out/mine.txt")
    with pytest.raises(UserError, match="s3://bucket/out: the folder holds other files"):
        annotate("s3://bucket/a.txt")


def test_a_missing_remote_file_is_refused(annotate):
    with pytest.raises(UserError, match=r"s3://bucket/none\.txt: no such file"):
        annotate("s3://bucket/none.txt")
