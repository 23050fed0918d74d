"""Realistic inputs: the expected result for each folder of ../shared/cases."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from components.corpus.check import CheckReport, check_corpus
from components.corpus.options import ReadOptions
from components.errors import UserError
from pipeline.commands.check import check

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"

pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason="the cases are not here: expected a folder shared/cases"
)


class Right(NamedTuple):
    """The expected result for a folder.

    Attributes:
      entities: entities of all splits.
      reported: text that the notes and warnings must contain.
      options: settings that the folder needs.
    """

    entities: int
    reported: tuple[str, ...] = ()
    options: dict[str, str] = {}


READ = {
    "02-id-first": Right(480, ("running numbers", "columns=")),
    "02-id-first/splits": Right(1800, ("running numbers",)),
    "04-multiconer": Right(580),
    "05-bmes": Right(540, ("BMES",)),
    "06-typeless-bio": Right(480, ("without types", "entity_type=")),
    "07-no-prefix": Right(432, ("without B- and I-",)),
    "08-underscore": Right(480, ("B_PER",)),
    "09-suffix": Right(480, ("PER-B",)),
    "10-header": Right(480, ("header", "columns=")),
    "11-kaggle-csv": Right(480, (), {"encoding": "latin-1"}),
    "11-kaggle-csv/as-txt": Right(480, (), {"encoding": "latin-1"}),
    "12-hf-jsonl": Right(480),
    "12-hf-jsonl/ints": Right(480, (), {"label_names": "O,B-PER,I-PER,B-ORG,I-ORG,B-LOC,I-LOC"}),
    "13-gliner": Right(480),
    "14-labelstudio": Right(480),
    "14-labelstudio/after-jq": Right(480),
    "14-labelstudio/min": Right(480),
    "14-labelstudio/min-after-jq": Right(480),
    "14-labelstudio/conll": Right(480),
    "15-doccano/annotations": Right(480),
    "15-doccano/data-key": Right(480),
    "15-doccano/fourth": Right(480),
    "15-doccano/label": Right(480),
    "15-doccano/relation": Right(480),
    "15-doccano/unlabelled": Right(320),
    "16-dataturks": Right(480),
    "17-prodigy/null-spans": Right(480),
    "17-prodigy/ok": Right(240, ("not accepted by the annotators",)),
    "17-prodigy/span-answers": Right(336, ("spans rejected by an annotator",)),
    "17-prodigy/teach": Right(480, ("merged",)),
    "18-spacy-json": Right(480),
    "18-spacy-json/pretty": Right(480),
    "18-spacy-json/tecoholic": Right(480),
    "19-utf16-offsets": Right(480, (), {"offsets": "utf16"}),
    "19-utf16-offsets/silent": Right(200, ("offsets",)),
    "20-messy-spans": Right(
        456,
        ("trimmed", "left out"),
        {"unaligned_spans": "drop", "overlapping_spans": "longest"},
    ),
    "20-messy-spans/dose": Right(400, ("expanded",), {"unaligned_spans": "expand"}),
    "22-brat": Right(80, ("discontinuous",)),
    "23-webanno": Right(120),
    "26-crlf-bom": Right(480),
    "26-crlf-bom/latin": Right(480, (), {"encoding": "cp1252"}),
    "26-crlf-bom/utf16": Right(480, (), {"encoding": "utf-16"}),
    "28-iob1": Right(480),
    "29-lowercase": Right(480, ("lower case",)),
    "30-labels": Right(480),
    "31-empty-token/ls": Right(480, ("nothing visible",)),
    "31-empty-token/nbsp": Right(480, ("nothing visible",)),
    "31-empty-token/tab": Right(480, ("nothing visible",)),
    "33-split-folders": Right(480, ("nested",)),
    "33-split-folders/nested": Right(480),
    "34-endings/bmes": Right(480),
    "34-endings/gz": Right(480),
    "34-endings/gz2": Right(480),
    "34-endings/noext": Right(480),
    "34-endings/wnut": Right(480),
    "36-jsonl-bom": Right(480),
    "37-hashtags": Right(480),
    "37-hashtags/first": Right(480),
    "40-good": Right(1800),
    "40-spacy-to_json": Right(1200),
    "41-index-token-tag": Right(1200, ("running numbers",)),
    "42-few-documents": Right(1200, ("by sentence",)),
    "43-twenty": Right(40, ("by sentence",)),
    "45-long-docs": Right(4800, ("cut into parts",)),
    "51-mixed-schemes": Right(1200, ("its own scheme",)),
    "54-zero": Right(1200, ("0 for O",)),
    "57-test-only": Right(200, ("Only test",)),
    "58-korean": Right(600, ("characters for Hangul",)),
    "58-korean/klue": Right(600, ("characters for Hangul",)),
    "59-arabic": Right(150, ("characters for Arabic",)),
    "62-codes": Right(450, ("between letters and digits",)),
    "63-odd-labels": Right(1200),
    "65-new-type": Right(1200),
    "66-parquet": Right(200),
    "68-array-jsonl": Right(200),
    "71-ptb-escapes": Right(480, ("escapes",)),
    "72-html-jsonl": Right(480, ("escapes",)),
    "73-crlf-text": Right(480),
    "73-crlf-text/shifted": Right(480, (), {"offsets": "crlf-as-1"}),
}

# Folders that are refused, with text that the error must contain.
REFUSED = {
    "19-utf16-offsets": ("UTF-16", "--set offsets=utf16"),
    "20-messy-spans": ("cuts the token", "unaligned_spans=expand"),
    "24-inline-xml": ("XML",),
    "26-crlf-bom/latin": ("encoding=cp1252",),
    "26-crlf-bom/oldmac": ("line ends",),
    "26-crlf-bom/utf16": ("encoding=utf-16",),
    "27-no-blank-lines": ("no blank line",),
    "31-empty-token": ("space.txt:3", "without a tag"),
    "32-token-with-space": ("6 columns",),
    "32-token-with-space/two": ("3 columns",),
    "35-both-formats": ("same data",),
    "44-no-blank-splits": ("no blank line",),
    "48-cesu8": ("train.txt:301", "surrogate"),
    "52-partial": ("not known", "cannot be trained on yet"),
    "73-crlf-text/shifted": ("CR LF", "--set offsets=crlf-as-1"),
}


def entities(report: CheckReport) -> int:
    return sum(figures.entities for figures in report.splits.values())


def texts_of(report: CheckReport) -> str:
    return "\n".join([*report.notes, *(finding.text for finding in report.findings)])


@pytest.mark.parametrize("folder", READ)
def test_a_corpus_is_read_and_its_irregularities_are_reported(folder: str) -> None:
    right = READ[folder]
    report = check_corpus(str(CASES / folder), ReadOptions(**right.options))
    assert not report.failed, texts_of(report)
    assert entities(report) == right.entities
    assert [text for text in right.reported if text not in texts_of(report)] == []


@pytest.mark.parametrize("folder", READ)
def test_the_report_fits_a_screen(folder: str) -> None:
    arguments = [str(CASES / folder)]
    for name, value in READ[folder].options.items():
        arguments += ["--set", f"{name}={value}"]
    result = CliRunner().invoke(check, arguments, env={"COLUMNS": "80"})
    lines = [-(-len(line) // 80) or 1 for line in result.output.splitlines()]
    assert sum(lines) <= 24, result.output


@pytest.mark.parametrize("folder", REFUSED)
def test_a_corpus_that_cannot_be_used_is_refused_with_the_cause_and_a_remedy(folder: str) -> None:
    try:
        report = check_corpus(str(CASES / folder))
    except UserError as error:
        message = str(error)
    else:
        assert report.failed
        message = "\n".join(
            finding.text for finding in report.findings if finding.level == "failure"
        )
    assert [text for text in REFUSED[folder] if text not in message] == []


def test_every_folder_with_files_is_in_the_table() -> None:
    folders = {
        str(path.parent.relative_to(CASES)) for path in CASES.rglob("*") if path.is_file()
    } - {"."}
    in_split_folders = {folder for folder in folders if folder.startswith("33-split-folders/")}
    # What predict and annotate write is tested with one text in test_jsonl.
    assert folders - in_split_folders - {"76-own-output"} <= READ.keys() | REFUSED.keys()
