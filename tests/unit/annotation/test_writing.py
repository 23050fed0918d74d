"""Writing shards from each input format in each output format."""

import datetime
import json

import pyarrow
import pytest
from pyarrow import parquet

from tests.unit.annotation.conftest import find_names

ADA = {"text": "Ada", "type": "NAME", "start": 3, "end": 6, "score": 0.912346}


def lines(objects):
    return "".join(json.dumps(one) + "\n" for one in objects)


def test_the_output_of_text_is_that_of_predict(write, annotate, parts):
    from components.export import output_formats

    texts = ["so Ada spoke", "", "nothing"]
    output, _, _ = annotate(write("a.txt", "\n".join(texts) + "\n"))
    assert parts(output) == "".join(output_formats.jsonl(zip(texts, find_names(texts))))


def test_objects_keep_their_fields_and_get_entities(write, annotate, parts):
    there = [
        {"id": "x1", "text": "so Ada", "n": 1.5},
        {"text": "é 🙂", "entities": "old", "id": None},
    ]
    output, _, _ = annotate(write("a.jsonl", lines(there)), form="jsonl")
    assert [json.loads(line) for line in parts(output).splitlines()] == [
        {**there[0], "entities": [ADA]},
        {**there[1], "entities": []},
    ]
    assert "é 🙂" in parts(output)


def test_a_lone_surrogate_in_another_field_is_preserved(write, annotate, parts):
    output, _, _ = annotate(write("a.jsonl", '{"text": "a", "x": "\\ud83d"}\n'), form="jsonl")
    assert json.loads(parts(output)) == {"text": "a", "x": "\ud83d", "entities": []}


def test_columns_of_conll_have_the_id_before_them(write, annotate, parts):
    there = [{"id": "x 1\n2", "text": "so Ada"}, {"id": 0, "text": "a.b"}, {"text": "c"}]
    output, _, _ = annotate(write("a.jsonl", lines(there)), form="jsonl", to="conll")
    assert (
        parts(output)
        == "# id = x 1 2\nso\tO\nAda\tB-NAME\n\n# id = 0\na\tO\n.\tO\nb\tO\n\nc\tO\n\n"
    )


def test_parquet_keeps_its_columns(tmp_path, annotate):
    table = pyarrow.table(
        {
            "text": ["so Ada", "b"],
            "id": [7, 8],
            "day": [datetime.date(2024, 5, 3), None],
            "entities": [1, 2],
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    output, _, _ = annotate(tmp_path / "a.parquet", form="parquet", to="parquet", size=10**6)
    found = parquet.read_table(output.part(0))
    assert found.drop(["entities"]).equals(table.drop(["entities"]))
    assert found.column("entities").to_pylist() == [[ADA], []]


def test_a_folder_of_parquet_is_read_as_one_table(tmp_path, annotate):
    """Other files in the folder are ignored, and every shard has the same columns."""
    path = tmp_path / "a.jsonl"
    path.write_text(
        lines([{"id": n if n % 2 else str(n), "text": f"so Ada {n}", "x": n} for n in range(40)])
        + "[]\n"
    )
    output, cut, _ = annotate(path, form="jsonl", to="parquet", size=200)
    table = parquet.read_table(output.root)
    assert len(cut) > 3 and output.bad_lines.exists()
    assert table.column("id").to_pylist() == [str(n) for n in range(40)]
    assert [json.loads(one) for one in table.column("fields").to_pylist()] == [
        {"x": n} for n in range(40)
    ]
    assert table.column("entities").to_pylist()[3] == [ADA]


def test_values_without_a_json_type_are_written_as_strings(tmp_path, annotate, parts):
    table = pyarrow.table(
        {"text": ["a"], "day": [datetime.date(2024, 5, 3)], "b": [b"\xff"], "n": [None]}
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    output, _, _ = annotate(tmp_path / "a.parquet", form="parquet", size=10**6)
    assert json.loads(parts(output)) == {
        "text": "a",
        "day": "2024-05-03",
        "b": "\\xff",
        "n": None,
        "entities": [],
    }


@pytest.mark.parametrize("to", ["jsonl", "conll", "parquet"])
def test_a_shard_with_bad_lines_only_is_written(write, annotate, to):
    output, _, summary = annotate(write("a.jsonl", "[]\n"), form="jsonl", to=to)
    assert output.part(0).exists() and summary["texts"] == 0 and summary["bad_lines"] == 1
