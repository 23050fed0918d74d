"""Spans of data: numbers, versions and completeness."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.corpus import data_spans
from components.corpus.data_spans import DataSpan, Rules, find_spans, is_spans
from components.errors import UserError

LINE = "Ada\tB-PER\n\n"
NOW = 2_000_000_000.0


def numbers(found):
    return [(span.number, span.version) for span in found]


def refused(path, *parts, rules=data_spans.ALL_AT_ONCE):
    with pytest.raises(UserError) as caught:
        find_spans(path, rules)
    assert all(part in str(caught.value) for part in parts), str(caught.value)
    assert "\n" not in str(caught.value)


def test_spans_are_ordered_by_number_with_any_number_of_digits(write, tmp_path):
    for name in ("span-10", "span-2", "span-007"):
        write(f"{name}/train.conll", LINE)
    found = find_spans(tmp_path)
    assert numbers(found) == [(2, 0), (7, 0), (10, 0)] and all(span.whole for span in found)
    assert [os.path.basename(span.path) for span in found] == ["span-2", "span-007", "span-10"]


def test_the_highest_version_is_used_and_a_span_without_version_is_the_lowest(write, tmp_path):
    for name in (
        "span-1/train.conll",
        "span-1/version-2/train.conll",
        "span-1/version-10/train.conll",
    ):
        write(name, LINE)
    assert find_spans(tmp_path) == (DataSpan(1, 10, str(tmp_path / "span-1" / "version-10")),)


def test_files_and_other_folders_are_not_spans(write, tmp_path):
    for name in ("span-1/train.conll", "span-2.conll", "golden/test.conll", "README.md"):
        write(name, LINE)
    assert numbers(find_spans(tmp_path)) == [(1, 0)]


@pytest.mark.parametrize(
    "name", ["span-x", "span-", "span-1.5", "span--1", "span-٣", "span-7/version-b"]
)
def test_a_folder_without_a_valid_number_is_refused(write, tmp_path, name):
    write(f"{name}/train.conll", LINE)
    refused(tmp_path, name, "where the number is expected")


def test_two_folders_of_one_number_are_refused(write, tmp_path):
    for name in ("span-7", "span-007"):
        write(f"{name}/train.conll", LINE)
    refused(tmp_path, "span-7", "span-007", "same number")


def test_a_span_without_data_is_incomplete(write, tmp_path):
    write("span-1/train.conll", "")
    write("span-2/.hidden", LINE)
    (tmp_path / "span-3" / "version-1").mkdir(parents=True)
    assert [span.lacking for span in find_spans(tmp_path)] == ["it holds no data"] * 3


def test_an_empty_newer_version_is_incomplete(write, tmp_path):
    write("span-1/train.conll", LINE)
    (tmp_path / "span-1" / "version-1").mkdir()
    [span] = find_spans(tmp_path)
    assert span.version == 1 and not span.whole


def test_a_marker_file_decides_whether_a_span_is_complete(write, tmp_path):
    write("span-1/train.conll", LINE)
    write("span-1/_SUCCESS", "")
    write("span-2/train.conll", LINE)
    one, two = find_spans(tmp_path, Rules(marker="_SUCCESS"))
    assert one.whole and "_SUCCESS is not there yet" in two.lacking


def test_a_marker_file_alone_is_not_data(write, tmp_path):
    write("span-1/_SUCCESS", "done\n")
    assert find_spans(tmp_path, Rules(marker="_SUCCESS"))[0].lacking == "it holds no data"


@pytest.mark.parametrize(("age", "whole"), [(0, False), (59, False), (60, True), (-10, False)])
def test_a_quiet_period_decides_whether_a_span_is_complete(write, tmp_path, age, whole):
    path = write("span-1/train.conll", LINE)
    for entry in (path, tmp_path / "span-1"):
        os.utime(entry, (NOW - age, NOW - age))
    [span] = find_spans(tmp_path, Rules(quiet_seconds=60), NOW)
    assert span.whole == whole
    assert whole or "quiet_seconds" in span.lacking


def test_a_new_file_restarts_the_quiet_period(write, tmp_path):
    old = write("span-1/train.conll", LINE)
    os.utime(old, (0, 0))
    os.utime(tmp_path / "span-1", (0, 0))
    assert find_spans(tmp_path, Rules(quiet_seconds=60), NOW)[0].whole
    new = write("span-1/dev.conll", LINE)
    os.utime(new, (NOW, NOW))
    assert not find_spans(tmp_path, Rules(quiet_seconds=60), NOW)[0].whole


@pytest.mark.parametrize(
    ("pattern", "names", "expected"),
    [
        ("day-{SPAN}", ["day-1/a.conll", "day-02/a.conll", "other/a.conll"], [(1, 0), (2, 0)]),
        (
            "day-{SPAN}/v{VERSION}",
            ["day-1/v1/a.conll", "day-1/v2/a.conll", "day-3/v9/a.conll"],
            [(1, 2), (3, 9)],
        ),
        (
            "day-{SPAN:3}/v{VERSION:2}",
            ["day-001/v01/a.conll", "day-010/v11/a.conll"],
            [(1, 1), (10, 11)],
        ),
        ("{SPAN}.conll", ["4.conll", "11.conll"], [(4, 0), (11, 0)]),
        ("{YYYY}-{MM}-{DD}", ["1970-01-02/a.conll", "2024-02-29/a.conll"], [(1, 0), (19_782, 0)]),
        ("{YYYY}/{MM}/{DD}/*", ["1970/01/01/a.conll"], [(0, 0)]),
        ("[a]-{SPAN}", ["[a]-5/x.conll", "a-6/x.conll"], [(5, 0)]),
    ],
)
def test_a_pattern_finds_spans_as_tfx_does(write, tmp_path, pattern, names, expected):
    for name in names:
        write(name, LINE)
    assert numbers(find_spans(tmp_path / pattern)) == expected


def test_the_marker_of_a_span_file_is_in_the_same_folder(write, tmp_path):
    write("1.conll", LINE)
    write("1.conll.done", "")
    write("2.conll", LINE)
    one, two = find_spans(tmp_path / "{SPAN}.conll", Rules(marker="done"))
    assert one.whole and not two.whole


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{SPAN}-{SPAN}", "twice"),
        ("{VERSION}", "no {SPAN}"),
        ("{SPAN}-{YYYY}-{MM}-{DD}", "both {SPAN} and a date"),
        ("{YYYY}-{MM}", "together"),
        ("{SPAN:0}", "width"),
        ("{SPAN:x}", "width"),
        ("{SPAN}/{VERSION:-1}", "width"),
    ],
)
def test_a_pattern_that_tfx_refuses_is_refused(tmp_path, pattern, message):
    refused(tmp_path / pattern, message)


@pytest.mark.parametrize(
    ("pattern", "name", "message"),
    [
        ("day-{SPAN}", "day-x/a.conll", "'x'"),
        ("day-{SPAN:1}", "day-10/a.conll", "another width"),
        ("{YYYY}-{MM}-{DD}", "2023-02-29/a.conll", "no date"),
    ],
)
def test_a_path_that_matches_the_pattern_without_a_valid_span_is_refused(
    write, tmp_path, pattern, name, message
):
    write(name, LINE)
    refused(tmp_path / pattern, message)


@pytest.mark.parametrize(
    ("names", "path", "expected"),
    [
        (["span-1/a.conll"], "", True),
        (["span-x/a.conll"], "", True),  # to be told so
        (["train.conll"], "", False),
        (["span-1.conll"], "", False),
        ([], "nowhere", False),
        ([], "day-{SPAN}", True),
    ],
)
def test_a_path_is_recognised_as_spans(write, tmp_path, names, path, expected):
    for name in names:
        write(name, LINE)
    assert is_spans(tmp_path / path) == expected


@given(
    st.dictionaries(
        st.integers(0, 300),
        st.tuples(st.integers(1, 5), st.sets(st.integers(0, 40), max_size=3)),
        max_size=6,
    )
)
def test_any_folder_gives_each_number_once_in_order_in_its_highest_version(
    tmp_path_factory, numbered
):
    folder = tmp_path_factory.mktemp("spans")
    for number, (width, versions) in numbered.items():
        for version in versions or {None}:
            span_folder = folder / f"span-{number:0{width}}"
            if version is not None:
                span_folder /= f"version-{version}"
            span_folder.mkdir(parents=True)
            (span_folder / "train.conll").write_text(LINE)
    assert numbers(find_spans(folder)) == [
        (number, max(versions, default=0)) for number, (_, versions) in sorted(numbered.items())
    ]
