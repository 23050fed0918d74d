"""The findings of `check`, which continues after every problem."""

import json

import pytest
from click.testing import CliRunner

from components.corpus.check import check_corpus
from components.corpus.counts import (
    CONTROL,
    EMPTY,
    MOJIBAKE,
    NOT_NFC,
    REPLACEMENT,
    SPACED,
    ZERO_WIDTH,
    odd_kinds,
)
from components.corpus.reading import DEFAULTS, ReadOptions
from components.errors import UserError
from pipeline.commands.check import check as check_command

GOOD = "".join(f"In{n}\tO\ncity{n}\tB-LOC\nlived\tO\nAda{n}\tB-PER\n.\tO\n\n" for n in range(600))


def column(*lines):
    return "\n".join(lines) + "\n\n"


@pytest.fixture
def check(write, tmp_path):
    """A function that checks a corpus with given extra lines per split and returns the report."""

    def run(train="", dev="", test="", options=DEFAULTS, good=GOOD):
        write("train.conll", good + train)
        write("dev.conll", good.replace("city", "town") + dev)
        write("test.conll", good.replace("city", "village") + test)
        return check_corpus(str(tmp_path), options)

    return run


def texts(report, level):
    return [finding.text for finding in report.findings if finding.level == level]


def test_a_good_corpus_gives_good_findings_only(check):
    report = check()
    assert texts(report, "warning") == texts(report, "failure") == [] and not report.failed


def test_figures_are_by_split_and_type(check):
    train = check(train="a\tB-ORG\n\n").splits["train"]
    assert (train.sentences, train.tokens, train.entities, train.longest) == (601, 3001, 1201, 5)
    assert train.types == {"LOC": 600, "ORG": 1, "PER": 600}


@pytest.mark.parametrize(
    ("split", "lines", "words"),
    [
        (
            "train",
            column("x\tB-ORG"),
            ["ORG (1) is fewer than 50 times in train", "train.conll:3601", "Label more"],
        ),
        (
            "test",
            column("x\tB-ORG"),
            [
                "ORG (1) is in test and not in train, the first ORG at",
                "test.conll:3601",
                "cannot be learnt",
            ],
        ),
        ("train", column(*["x\tB-ORG"] * 60), ["ORG is in train and not in dev", "unmeasured"]),
        (
            "train",
            column(*["x\tB-Per"] * 60),
            ["upper and lower case only", "PER", "Per", "Write them alike"],
        ),
        ("train", column("x\tO", "y\tI-PER"), ["1 ill-formed tag", "train.conll:3602"]),
        (
            "train",
            column("x\tB-PER") + column("x\tO"),
            ["1 sentence", "train.conll:3603", "with other entities"],
        ),
        ("train", column(*["a\tO"] * 5) * 3, ["2 sentences", "train.conll:3607", "had before"]),
        (
            "train",
            column(*["a\tO"] * 201),
            ["1 sentence", "train.conll:3601", "more than 200 tokens"],
        ),
        (
            "train",
            column("-\tB-PER", "x\tI-PER"),
            ["1 entity", "train.conll:3601", "white space or punctuation"],
        ),
        ("train", column("x\tO", "a\u200bb\tO"), ["1 token", "train.conll:3602", "zero-width"]),
        ("train", column("\tO"), ["1 token", "train.conll:3601", "nothing visible"]),
    ],
)
def test_each_problem_is_a_warning_with_count_and_location(check, split, lines, words):
    warnings = texts(check(**{split: lines}), "warning")
    assert any(all(word in warning for word in words) for warning in warnings), warnings


def test_overlap_of_splits_is_a_warning(check):
    (warning,) = [text for text in texts(check(dev=GOOD), "warning") if "both" in text]
    assert (
        "600 sentences" in warning
        and "both train and dev (50.0% of dev)" in warning
        and "dev.conll:3601" in warning
    )


def test_a_test_split_with_known_entities_only_is_a_warning(check, write, tmp_path):
    check()
    write("test.conll", GOOD.replace("lived", "sat"))
    assert any(
        text.startswith("0% of the entities in test")
        for text in texts(check_corpus(str(tmp_path)), "warning")
    )


def test_bad_lines_are_failures_and_the_rest_is_counted(check):
    report = check(train="bad\n\nx\tB-\n\n")
    (failure,) = texts(report, "failure")
    assert (
        failure.startswith("2 sentences cannot be read, the first: ")
        and "train.conll:3601: found" in failure
    )
    assert (report.bad_sentences, report.splits["train"].sentences, report.failed) == (2, 600, True)


def test_bad_lines_are_warnings_if_they_are_skipped(check):
    report = check(train="bad\n\n", options=ReadOptions(bad_lines="skip"))
    assert not report.failed and "left out" in texts(report, "warning")[0]


def test_an_unreadable_file_is_a_failure_and_the_check_continues(check, write, tmp_path):
    check()
    write("dev.conll", b"M\xfcller\tO\n")
    report = check_corpus(str(tmp_path))
    [failure] = texts(report, "failure")
    assert "dev.conll:1: found byte 0xFC" in failure
    assert report.splits["train"].sentences == 600


def test_a_split_without_entities_is_a_failure(check):
    assert texts(check(good="a\tO\n\n"), "failure")[0].startswith("train has no entity")


def test_few_sentences_are_a_warning(check):
    assert any(
        "train has 1 sentence, fewer" in text for text in texts(check(good="a\tB-X\n\n"), "warning")
    )


def test_texts_that_annotators_rejected_are_counted(write):
    entries = [
        {
            "text": f"Ada {n}",
            "spans": [{"start": 0, "end": 3, "label": "X"}],
            "answer": "accept" if n else "reject",
        }
        for n in range(40)
    ]
    report = check_corpus(write("a.jsonl", "\n".join(map(json.dumps, entries))))
    assert (
        report.unused_texts == 1 and sum(split.sentences for split in report.splits.values()) == 39
    )


def test_the_report_is_json(check):
    report = json.loads(json.dumps(check(train="x\tB-ORG\n\n").as_dict()))
    assert (
        report["scheme"] == "IOB2"
        and report["summary"]["failure"] == 0
        and report["splits"]["train"]["types"]["ORG"] == 1
    )


def screen_lines(arguments):
    """The number of lines of `tfx-ner check` in a terminal of 80 columns."""
    result = CliRunner().invoke(check_command, arguments, env={"COLUMNS": "80"})
    return sum(max(1, -(-len(line) // 80)) for line in result.output.splitlines())


def test_the_worst_case_fits_a_screen(check, tmp_path):
    types = "".join(column(f"x{n}\tB-{'Type' if n % 2 else 'TYPE'}{n // 2}") for n in range(132))
    odd = column("\tO", "a\u200bb\tO", "caf\u00c3\u00a9\tO", "-\tB-PER", "y\tI-LOC", "&amp;\tO")
    long = column(*["a\tO"] * 201) * 3
    check(train=types + odd + long + "bad\n\n", dev=GOOD + odd, test=types)
    assert screen_lines([str(tmp_path)]) <= 24
    assert screen_lines([str(tmp_path), "--all"]) > 100


def test_no_corpus_at_all_is_refused(tmp_path):
    with pytest.raises(UserError):
        check_corpus(str(tmp_path))


@pytest.mark.parametrize(
    ("token", "kinds"),
    [
        ("café", []),
        ("naïve", []),
        ("👩\u200d🚀", []),
        ("❤\ufe0f", []),
        ("É", []),
        ("Ã", []),
        ("\u200b", [ZERO_WIDTH]),
        ("a\x07", [CONTROL]),
        ("a\ufffd", [REPLACEMENT]),
        ("cafÃ©", [MOJIBAKE]),
        ("â€œhi", [MOJIBAKE]),
        ("e\u0301", [NOT_NFC]),
        ("", [EMPTY]),
        (" ", [EMPTY]),
        ("a ", [SPACED]),
    ],
)
def test_unusual_characters_are_reported_by_kind(token, kinds):
    assert odd_kinds(token) == kinds


def test_a_file_without_sentences_shows_only_the_error(tmp_path):
    (tmp_path / "empty.conll").write_text("\n\n")
    result = CliRunner().invoke(
        check_command, [str(tmp_path / "empty.conll")], env={"COLUMNS": "80"}
    )
    assert result.exit_code == 2
    assert result.output.startswith(
        f"✘ {tmp_path / 'empty.conll'}: found only blank lines; expected labelled text"
    )
    assert result.output.count("\n") == 1
