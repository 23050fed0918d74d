"""Entity scores: equal to seqeval's on any tags, and additive."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report

from components.ner.scores import PRF, CorpusScores, score, score_all
from components.ner.sentence import Span
from components.ner.tags import spans_of

TAGS = st.one_of(
    st.just("O"),
    st.builds("{}-{}".format, st.sampled_from("BIES"), st.sampled_from(["PER", "LOC", "a-b"])),
)
SENTENCES = st.lists(
    st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=8), min_size=1, max_size=6
)
COUNTS = st.builds(PRF, st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))


def report_of(gold, predicted):
    pairs = zip(gold, predicted, strict=True)
    return CorpusScores(
        score_all((spans_of(left, "BIOES"), spans_of(right, "BIOES")) for left, right in pairs)
    )


def seqeval_report(gold, predicted):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return classification_report(gold, predicted, output_dict=True, zero_division=0)


@given(SENTENCES)
def test_scores_equal_seqevals_overall_and_per_type(sentences):
    gold = [[left for left, _ in sentence] for sentence in sentences]
    predicted = [[right for _, right in sentence] for sentence in sentences]
    ours = report_of(gold, predicted)
    if not ours.per_type:
        return  # seqeval has no report without entities
    theirs = seqeval_report(gold, predicted)
    assert set(ours.per_type) == set(theirs) - {"micro avg", "macro avg", "weighted avg"}
    for name, counts in {**ours.per_type, "micro avg": ours.overall}.items():
        reference = theirs[name]
        assert counts.support == reference["support"]
        expected = (reference["precision"], reference["recall"], reference["f1-score"])
        assert (counts.precision, counts.recall, counts.f1) == pytest.approx(expected)


def test_no_entities_score_zero():
    assert (PRF().precision, PRF().recall, PRF().f1, PRF().support) == (0.0, 0.0, 0.0, 0)


def test_a_span_of_another_type_is_wrong_and_missed():
    assert score([Span(0, 1, "PER")], [Span(0, 1, "LOC")]) == {
        "LOC": PRF(0, 1, 0),
        "PER": PRF(0, 0, 1),
    }


def test_a_span_with_another_boundary_is_wrong_and_missed():
    assert score([Span(0, 2, "PER")], [Span(0, 1, "PER")]) == {"PER": PRF(0, 1, 1)}


@given(COUNTS, COUNTS)
def test_counts_add_up(left, right):
    both = left + right
    assert (both.tp, both.fp, both.fn) == (
        left.tp + right.tp,
        left.fp + right.fp,
        left.fn + right.fn,
    )


@given(st.lists(SENTENCES, max_size=4))
def test_counts_of_parts_sum_to_those_of_all_sentences(parts):
    def report(sentences):
        return report_of(
            [[a for a, _ in s] for s in sentences], [[b for _, b in s] for s in sentences]
        )

    assert (
        sum(map(report, parts), CorpusScores()).per_type
        == report([s for part in parts for s in part]).per_type
    )


def test_scores_as_json():
    report = CorpusScores(
        {"PER": PRF(1, 1, 0), "LOC": PRF(0, 0, 2)}, sentences=3, tokens=9, seconds=0.5
    )
    assert report.as_dict() == {
        "overall": {"precision": 0.5, "recall": pytest.approx(1 / 3), "f1": 0.4, "support": 3},
        "per_type": {
            "LOC": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 2},
            "PER": {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1},
        },
        "sentences": 3,
        "tokens": 9,
        "seconds": 0.5,
    }
