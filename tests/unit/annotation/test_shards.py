"""The input files of an annotation and their division into shards."""

import os

import pyarrow
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from components.errors import UserError
from pipeline.annotation.shards import (
    InputFormat,
    SourceFile,
    cut_shards,
    detect_format,
    find_sources,
    read_shard,
)


def names(sources):
    return [os.path.basename(source.path) for source in sources]


def test_a_pattern_has_its_files_in_order_of_name(write, tmp_path):
    for name in ("b.txt", "a.txt", "c.jsonl", "d/e.txt"):
        write(name, "x\n")
    assert names(find_sources(str(tmp_path / "*.txt"))) == ["a.txt", "b.txt"]
    assert names(find_sources(str(tmp_path / "**" / "*.txt"))) == ["a.txt", "b.txt", "e.txt"]


def test_a_folder_has_its_files_except_hidden_ones(write, tmp_path):
    for name in ("[x]/a.txt", "[x]/_SUCCESS", "[x]/.hidden", "[x]/inner/b.txt"):
        write(name, "x\n")
    assert names(find_sources(str(tmp_path / "[x]"))) == ["a.txt"]


@pytest.mark.parametrize("pattern", ["nothing", "*.txt"])
def test_a_pattern_without_files_is_refused(tmp_path, pattern):
    with pytest.raises(
        UserError, match="no such file; expected a file, a folder of files, or a pattern"
    ):
        find_sources(str(tmp_path / pattern))


@pytest.mark.parametrize(
    "name, form",
    [
        ("a.txt", "text"),
        ("a", "text"),
        ("a.JSONL", "jsonl"),
        ("a.json", "jsonl"),
        ("a.parquet", "parquet"),
    ],
)
def test_the_file_name_decides_the_format(write, name, form):
    assert detect_format([SourceFile.of(write(name, "x"))]) == form


def test_files_of_several_formats_are_refused(write):
    with pytest.raises(
        UserError,
        match=r"several formats: .*a\.txt \(text\), .*b\.jsonl \(jsonl\); .* --input-format",
    ):
        detect_format([SourceFile.of(write("a.txt", "x")), SourceFile.of(write("b.jsonl", "{}"))])


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08rest", b"PAR1rest", "no".encode("utf-16")])
def test_a_binary_file_is_refused(write, content):
    with pytest.raises(
        UserError, match="found a compressed or binary file, or UTF-16; expected text in UTF-8"
    ):
        cut_shards([SourceFile.of(write("a.txt", content))], "text", 100)


def test_an_invalid_parquet_file_is_refused(write):
    with pytest.raises(UserError, match="not a Parquet file"):
        cut_shards([SourceFile.of(write("a.parquet", "text\n"))], "parquet", 100)


def test_empty_input_is_refused(write):
    with pytest.raises(UserError, match="empty; expected at least one text"):
        cut_shards([SourceFile.of(write("a.txt", ""))], "text", 100)


def test_shards_are_numbered_over_all_files(write):
    files = [
        SourceFile.of(write(name, "x" * size)) for name, size in (("a", 250), ("b", 0), ("c", 100))
    ]
    assert [
        (one.number, one.path[-1], one.first, one.end) for one in cut_shards(files, "text", 100)
    ] == [
        (0, "a", 0, 83),
        (1, "a", 83, 166),
        (2, "a", 166, 250),
        (3, "c", 0, 100),
    ]


LINES = st.lists(
    st.text(alphabet=st.sampled_from("aé🙂 \t\x0b\u2028\x85"), max_size=30), min_size=1, max_size=30
)


@settings(deadline=None)
@given(
    lines=LINES, size=st.integers(1, 200), end=st.sampled_from(["\n", "\r\n"]), last=st.booleans()
)
@example(lines=["a"], size=1, end="\r\n", last=False)
def test_shards_of_a_text_file_have_every_line_once_and_in_order(
    tmp_path_factory, lines, size, end, last
):
    content = end.join(lines) + (end if last else "")
    path = tmp_path_factory.mktemp("cut") / "a.txt"
    path.write_bytes(content.encode())
    if not content:
        return
    shards = [
        read_shard(shard, InputFormat("text", "text", 100))
        for shard in cut_shards([SourceFile.of(path)], "text", size)
    ]
    expected = (
        lines if last or lines[-1] else lines[:-1]
    )  # behind the last line end there is no line
    assert [text for texts in shards for text in texts.texts] == expected
    assert sum(texts.lines for texts in shards) == len(expected)


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=6).filter(any),
    most=st.integers(1, 400),
)
def test_shards_of_a_parquet_file_have_every_row_once_and_in_order(tmp_path_factory, sizes, most):
    path = tmp_path_factory.mktemp("cut") / "a.parquet"
    schema = pyarrow.schema([("text", pyarrow.string())])
    number = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for size in sizes:
            writer.write_table(
                pyarrow.table({"text": [str(number + n) for n in range(size)]}, schema)
            )
            number += size
    shards = [
        read_shard(shard, InputFormat("parquet", "text", 100))
        for shard in cut_shards([SourceFile.of(path)], "parquet", most)
    ]
    assert [text for texts in shards for text in texts.texts] == list(map(str, range(number)))
    assert all(
        texts.lines == texts.table.num_rows == texts.shard.end - texts.shard.first
        for texts in shards
    )
