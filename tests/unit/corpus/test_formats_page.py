"""Each sample in docs/formats.md is detected as its format and has the entities that its text shows."""

import re
from pathlib import Path

import pytest

from components.corpus.formats import FORMATS, detect_format
from components.corpus.reading import read_sentences

PAGE = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `(.+?)`(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
BINARY = {"parquet", "spacy"}


def blocks(section):
    """The indented blocks of a section, without the indentation."""
    found = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", section, re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in found]


def test_every_format_is_on_the_page():
    assert SECTIONS.keys() == {known.name for known in FORMATS} - {"xml"}


@pytest.mark.parametrize("name", sorted(SECTIONS.keys() - BINARY))
def test_a_sample_is_read_as_its_format(name, tmp_path):
    sample, *others = blocks(SECTIONS[name])
    file = tmp_path / re.search(r"tfx-ner check (\S+)", SECTIONS[name])[1]
    sample, _, _ = sample.partition("$ tfx-ner")
    file.write_text(sample, encoding="utf-8")
    if name == "brat":
        file.with_suffix(".txt").write_text(others[0].partition("$ tfx-ner")[0], encoding="utf-8")
    assert detect_format(str(file)).name == name
    entities = [
        (sentence.tokens[span.start], span.type)
        for sentence in read_sentences(file)
        for span in sentence.spans
    ]
    assert entities == [("Anna", "PER"), ("Berlin", "LOC")]
