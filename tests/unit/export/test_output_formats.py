"""Predictions as a table, JSON Lines, CoNLL and HTML."""

import json

import pytest

from components.export import output_formats
from components.export.entity import Entity


def entity(text, surface, type_="PER", score=0.987654321):
    start = text.index(surface)
    return Entity(surface, type_, start, start + len(surface), score)


def written(form, *predictions):
    return "".join(output_formats.WRITERS[form](predictions))


TEXT = "Zoë 👍🏽 met Ada in Basel."
FOUND = (entity(TEXT, "Zoë"), entity(TEXT, "Ada"), entity(TEXT, "Basel", "LOC", 0.5))


def test_the_table_has_a_line_for_each_entity_below_its_text():
    assert written("table", (TEXT, FOUND)).split("\n") == [
        TEXT,
        "  0.99  PER  0-3  Zoë",
        "  0.99  PER  11-14  Ada",
        "  0.50  LOC  18-23  Basel",
        "",
    ]


def test_the_table_marks_texts_without_entities():
    assert written("table", ("Nothing", ())) == "Nothing\n  no entities\n"


def test_json_lines_count_code_points():
    [line] = map(json.loads, written("jsonl", (TEXT, FOUND)).splitlines())
    assert line["text"] == TEXT
    assert [TEXT[one["start"] : one["end"]] for one in line["entities"]] == ["Zoë", "Ada", "Basel"]
    assert line["entities"][2] == {
        "text": "Basel",
        "type": "LOC",
        "start": 18,
        "end": 23,
        "score": 0.5,
    }


@pytest.mark.parametrize("text", ["", "two\nlines", "a\u2028b\u0085c", '"quoted" \\ and \t'])
def test_a_text_with_line_breaks_is_one_json_line(text):
    out = written("jsonl", (text, ()))
    assert out.count("\n") == 1 and json.loads(out) == {"text": text, "entities": []}


def test_conll_has_a_tag_for_each_token_and_a_blank_line_after_each_text():
    text = "Ada Byron met Zoë."
    found = (entity(text, "Ada Byron"), entity(text, "Zoë"))
    assert (
        written("conll", (text, found), ("", ()))
        == "Ada\tB-PER\nByron\tI-PER\nmet\tO\nZoë\tB-PER\n.\tO\n\n\n"
    )


def test_conll_separates_adjacent_entities():
    text = "Ada Bea"
    assert (
        written("conll", (text, (entity(text, "Ada"), entity(text, "Bea"))))
        == "Ada\tB-PER\nBea\tB-PER\n\n"
    )


def test_conll_output_is_read_back_with_the_same_entities(write):
    from components.corpus.reading import ReadOptions, read_sentences

    path = write("a.conll", written("conll", (TEXT, FOUND), ("Nothing here", ())))
    first, second = read_sentences(path, ReadOptions(scheme="IOB2"))
    assert [(" ".join(first.tokens[span.start : span.end]), span.type) for span in first.spans] == [
        ("Zoë", "PER"),
        ("Ada", "PER"),
        ("Basel", "LOC"),
    ]
    assert second.tokens == ("Nothing", "here") and second.spans == ()


def test_the_page_escapes_texts_entities_and_types():
    text = "<script>alert('x')</script> & <b>Ada</b>"
    page = written("html", (text, (entity(text, "<b>Ada</b>", '<i> "X"'),)))
    body = page.partition("<body>")[2]
    assert "<script" not in page and "<b>" not in body and "<i>" not in body
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; <mark" in body
    assert (
        'data-type="&lt;i&gt; &quot;X&quot;"' in body
        and 'data-note="&lt;i&gt; &quot;X&quot; · 98.8%"' in body
    )


def test_the_page_has_the_whole_text_in_order():
    import re
    from html import unescape

    [body] = re.findall(r'<p class="text" dir="auto">(.*)</p>', written("html", (TEXT, FOUND)))
    assert unescape(re.sub(r"<small>.*?</small>|<[^>]*>", "", body)) == TEXT


def test_the_page_loads_no_external_resource():
    page = written("html", (TEXT, FOUND))
    assert (
        page.startswith("<!doctype html>")
        and page.endswith("</body></html>\n")
        and "mark.entity {" in page
    )
    assert not any(mark in page for mark in ("http:", "https:", "src=", "url(", "@import"))


@pytest.mark.parametrize(
    "name, value", [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)]
)
def test_the_hue_of_a_type_is_fnv_1a_of_its_name(name, value):
    """The hashes are those published with the algorithm."""
    assert output_formats.hue(name) == value % 24 * 15


def test_the_page_marks_a_type_the_same_way_each_time():
    page = written("html", (TEXT, FOUND), (TEXT, FOUND))
    assert page.count(f'data-type="PER" style="--other: {output_formats.hue("PER")}"') == 4


@pytest.mark.parametrize("form", output_formats.WRITERS)
def test_output_starts_before_the_last_text_is_read(form):
    """A stream of texts is not buffered until its end."""

    def texts():
        yield TEXT, FOUND
        raise AssertionError("asked for the second text before the first was written")

    pieces = output_formats.WRITERS[form](texts())
    first = next(pieces) if form != "html" else next(pieces) and next(pieces)
    assert "Zoë" in first
