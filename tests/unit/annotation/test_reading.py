"""Reading shards: texts, their other fields, and bad lines."""

import datetime
import json

import pyarrow
import pytest
from pyarrow import parquet

from components.errors import UserError
from pipeline.annotation.shards import check_text_column


def bad(texts):
    return [(one.line, f"found {one.found}; expected {one.expected}") for one in texts.bad]


def test_every_line_is_a_text_even_an_empty_one(write, read_all):
    [texts] = read_all(write("a.txt", b"\xef\xbb\xbfAda\r\n\n  b \n"))
    assert list(texts.texts) == ["Ada", "", "  b "] and texts.lines == 3
    assert texts.fields[0] == {"text": "Ada"}


def test_a_line_of_invalid_utf_8_is_left_out_and_recorded_escaped(write, read_all):
    [texts] = read_all(write("a.txt", b"Ada\nZo\xeb spoke\nBea\n"))
    assert list(texts.texts) == ["Ada", "Bea"]
    assert bad(texts) == [(2, "found byte 0xEB at position 3 of the line; expected text in UTF-8")]
    assert texts.bad[0].raw == "Zo\\xeb spoke"


def test_a_text_that_is_too_long_is_left_out(write, read_all):
    [texts] = read_all(write("a.txt", "é" * 7 + "\n" + "é" * 8 + "\nAda\n"), longest=7)
    assert list(texts.texts) == ["é" * 7, "Ada"]
    assert bad(texts) == [(2, "found a text of 8 characters; expected 7 at most; see --longest")]


def test_an_extremely_long_line_is_skipped_in_chunks(write, read_all, tmp_path):
    path = write("a.txt", "Ada\n" + "x" * (12 * 10 + 2**20 + 1) + "\nBea\n")
    shards = read_all(path, size=300_000, longest=10)
    assert [text for texts in shards for text in texts.texts] == ["Ada", "Bea"]
    [left_out] = [one for texts in shards for one in texts.bad]
    assert (
        left_out.line == 2
        and left_out.found == "a line of more than 1,048,696 bytes"
        and left_out.raw == ""
    )
    assert sum(texts.lines for texts in shards) == 3


def test_objects_keep_their_fields(write, read_all):
    lines = [{"id": 7, "text": "Ada", "meta": {"a": [1, None]}}, {"text": "", "x": 1.5}]
    [texts] = read_all(write("a.jsonl", "\n".join(map(json.dumps, lines)) + "\n \n"), form="jsonl")
    assert list(texts.fields) == lines and list(texts.texts) == ["Ada", ""]
    assert texts.bad == [] and texts.lines == 3


def test_the_field_of_the_text_can_be_named(write, read_all):
    [texts] = read_all(write("a.jsonl", '{"body": "Ada", "text": 3}\n'), form="jsonl", field="body")
    assert list(texts.texts) == ["Ada"] and texts.field == "body"


@pytest.mark.parametrize(
    "line, problem",
    [
        ('{"text": "Ada"', "no valid JSON (Expecting ',' delimiter at position 16)"),
        ('["Ada"]', "an array, ['Ada']"),
        ('{"body": "Ada"}', "an object without it (its keys: 'body')"),
        ('{"text": null}', "null as text, None"),
        ('{"text": 3}', "a number as text, 3"),
        ('{"text": "a", "text": "b"}', "the key 'text' twice in one object"),
        ('{"text": "a \\ud83d"}', "half of a surrogate pair, '\\ud83d', in the text"),
    ],
)
def test_a_line_without_a_text_is_left_out(write, read_all, line, problem):
    [texts] = read_all(write("a.jsonl", f'{{"text": "Ada"}}\n{line}\n'), form="jsonl")
    assert list(texts.texts) == ["Ada"]
    assert [(one.line, one.found, one.raw) for one in texts.bad] == [(2, problem, line)]


def test_rows_keep_their_columns_and_types(tmp_path, read_all):
    day = datetime.date(2024, 5, 3)
    table = pyarrow.table(
        {
            "id": [1, 2, 3],
            "text": ["Ada", None, "Bea"],
            "day": [day, None, None],
            "l": [[1], [], [2]],
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    [texts] = read_all(tmp_path / "a.parquet", form="parquet", size=10**6)
    assert list(texts.texts) == ["Ada", "Bea"]
    assert texts.table.schema.types == table.schema.types
    assert texts.table.to_pylist() == [table.to_pylist()[0], table.to_pylist()[2]]
    assert bad(texts) == [(2, "found null as text, None; expected a string")]


def test_a_dictionary_encoded_column_is_read_as_texts(tmp_path, read_all):
    table = pyarrow.table({"text": pyarrow.array(["Ada", "Bea", "Ada"]).dictionary_encode()})
    parquet.write_table(table, tmp_path / "a.parquet")
    check_text_column(tmp_path / "a.parquet", "text")
    [texts] = read_all(tmp_path / "a.parquet", form="parquet", size=10**6)
    assert list(texts.texts) == ["Ada", "Bea", "Ada"]


def test_parquet_without_the_column_is_refused(tmp_path):
    parquet.write_table(pyarrow.table({"body": ["Ada"], "n": [1]}), tmp_path / "a.parquet")
    with pytest.raises(
        UserError, match=r"no column 'text' \(its columns: body, n\); .* --text-field"
    ):
        check_text_column(tmp_path / "a.parquet", "text")
    with pytest.raises(UserError, match="the column 'n' holds int64; expected strings"):
        check_text_column(tmp_path / "a.parquet", "n")
