"""The report's page as a file: complete, self-contained and safe against hostile text."""

import doctest
import importlib
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from components.report.figures import ErrorGroup
from components.report.page import render, render_comparison
from components.report.page.sections import highlights
from tests.unit.report import sample_figures as made

ROOT = Path(__file__).resolve().parents[3]
HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)> & </title></style> {{ 7 * 7 }} {% raw %}"
VOID = {"meta", "link", "br", "input", "wbr"}


class Page(HTMLParser):
    """Parses a page and fails on elements that are not closed correctly."""

    def __init__(self, html):
        super().__init__()
        self.open, self.wrong, self.elements, self.texts = [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append((tag, self.getpos()))

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return "".join(self.texts)

    def having(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


CASES = {
    "three types": lambda: made.figures(),
    "eighteen types": lambda: made.figures(made.EIGHTEEN, 300),
    "forty types with long names": lambda: made.figures(
        tuple(f"a_very_long_type_name_{n:02}" for n in range(40)), 300
    ),
    "one error": lambda: made.figures(sentences=3, seed=9),
    "no error, no model before": lambda: made.figures(wrong=0.0, before=False),
    "a model that finds nothing": lambda: made.figures(wrong=1, before=False),
    "no entities": lambda: made.figures(types=(), before=False),
    "nothing but the evaluation": lambda: bare(made.figures(before=False)),
}


def bare(figures):
    return replace(
        figures,
        data=replace(
            figures.data, splits=(), overlaps=(), anomalies=(), drift=(), statistics=(), spans=()
        ),
        training=replace(
            figures.training, epochs=(), best_epoch=None, outside_bias=None, temperature=None
        ),
        provenance=replace(figures.provenance, configuration={}, versions={}, hashes={}, nodes=()),
    )


@pytest.fixture(scope="module", params=CASES)
def shown(request):
    return Page(render(CASES[request.param]()))


@pytest.mark.parametrize("module", ["page", "page.axes", "page.sections"])
def test_the_examples_in_the_docstrings_hold(module):
    assert doctest.testmod(importlib.import_module(f"components.report.{module}")).failed == 0


def test_every_element_is_closed(shown):
    assert (shown.wrong, shown.open) == ([], [])


def test_ids_are_unique_and_every_link_has_a_target(shown):
    ids = [attributes["id"] for _, attributes in shown.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in shown.having("a")} <= set(ids)


def test_the_page_fetches_no_resource(shown):
    assert all(link["href"].startswith("#") for link in shown.having("a"))
    assert [link["href"] for link in shown.having("link")] == ["data:,"]
    assert not any("src" in attributes for _, attributes in shown.elements)
    assert "@import" not in shown.text and "url(" not in shown.text
    [policy] = [meta["content"] for meta in shown.having("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none';") and "script-src 'sha256-" in policy


def test_headings_are_in_order(shown):
    levels = [int(tag[1]) for tag, _ in shown.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_table_headers_have_a_scope_and_images_a_name(shown):
    assert all(head.get("scope") in ("row", "col") for head in shown.having("th"))
    for image in shown.having("svg"):
        in_a_list = (
            "aria-hidden" not in image and "role" not in image
        )  # a legend's, which is hidden as a whole
        assert image.get("aria-hidden") == "true" or image.get("aria-label") or in_a_list
    assert all(
        region["aria-label"] for _, region in shown.elements if region.get("role") == "region"
    )


def test_the_verdict_is_at_the_top():
    good, bad = (Page(render(made.figures(wrong=wrong))) for wrong in (0.2, 0.9))
    for page, word, reason in (
        (good, "Published", "1795351999"),
        (bad, "Not published", "at least 0.5 is asked for"),
    ):
        text = page.text
        assert text.index(word) < text.index("Highlights") < text.index("Outcomes")
        assert reason in text


@pytest.fixture(scope="module")
def hostile():
    def text(words):
        return f"{words} {HOSTILE}"

    return made.figures(
        types=tuple(f"{type_}{HOSTILE}" for type_ in made.THREE),
        words=["the", "of", HOSTILE, "</p>", "\ud800", "\0", "\u202e"],
        names=["Basel", HOSTILE, "O'Hara\"", "x" * 5_000],
        text=text,
    )


def test_hostile_text_is_escaped(hostile):
    for html in (render(hostile), render_comparison(hostile, made.figures())):
        page = Page(html)
        assert (page.wrong, page.open) == ([], [])
        assert len(page.having("script")) <= 2 and page.having("img") == []
        assert not any(
            name.startswith("on") for _, attributes in page.elements for name in attributes
        )
        assert page.text.count(HOSTILE) > 10
        html.encode()  # half of a surrogate pair cannot be written to a file


def test_hostile_types_link_to_their_errors(hostile):
    page = Page(render(hostile))
    ids = [
        attributes["id"] for _, attributes in page.elements if attributes.get("class") == "of-type"
    ]
    assert len(ids) == 3 and all(re.fullmatch(r"type-[\w.%~-]+", one) for one in ids)
    assert {link["href"][1:] for link in page.having("a")} >= set(ids)


def test_many_thousand_errors_make_a_small_page():
    figures = made.figures(made.EIGHTEEN, 300, 0.8)
    few = figures.evaluation.errors
    examples = (next(kind.groups[0].examples[0] for kind in few.kinds),)
    groups = tuple(
        ErrorGroup(f"label {number}", 100 - number, examples * 5) for number in range(90)
    )
    kinds = tuple(
        replace(kind, count=sum(group.count for group in groups), groups=groups)
        for kind in few.kinds
    )
    many = replace(few, count=sum(kind.count for kind in kinds), kinds=kinds)
    html = render(replace(figures, evaluation=replace(figures.evaluation, errors=many)))
    assert many.count > 100_000 and f"{many.count:,} errors" in html
    assert len(html) < 1_500_000 and len(Page(html).elements) < 30_000


def test_the_page_needs_neither_tensorflow_nor_numpy():
    program = "import sys, components.report.page; print([m for m in ('tensorflow', 'tfx', 'numpy') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_every_highlight_links_to_a_section():
    found = {one.section for case in CASES.values() for one in highlights(case())}
    page = Page(render(made.figures()))
    assert found and found <= {attributes.get("id") for _, attributes in page.elements}


def test_highlights_are_sentences_about_the_figures():
    figures = made.figures(wrong=0.5)
    train = {split.name: split for split in figures.data.splits}["train"]
    leaked = tuple(
        replace(one, left="train", right="test", sentence_share=0.25)
        for one in figures.data.overlaps
    )
    unknown = replace(train, types={"LOC": 3, "ORG": 1})
    figures = replace(figures, data=replace(figures.data, overlaps=leaked, splits=(unknown,)))
    text = " ".join(one.text for one in highlights(figures))
    assert "25% of the sentences of test also occur in train" in text
    assert "test has types that do not occur in train: PER." in text
    assert "The most frequent error is" in text


def test_a_perfect_model_has_no_highlights_about_errors():
    assert not any(one.section == "errors" for one in highlights(made.figures(wrong=0.0)))
