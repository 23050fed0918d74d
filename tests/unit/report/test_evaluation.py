"""The sections of a report: they count every entity once and agree with each other."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from components.ner.scores import PRF, score_all
from components.ner.sentence import Sentence, Span
from components.report.alignment import Prediction
from components.report.errors import (
    CONFIDENT,
    EXAMPLES_OF_REST,
    EXAMPLES_PER_GROUP,
    GROUPS_PER_KIND,
    LIST_LENGTH,
    TrainLabels,
    boundary_difference,
)
from components.report.evaluation import BaselinePredictions, case_of, evaluate
from components.report.figures import Score
from tests.unit.report.strategies import TYPES, predictions

NO_TRAIN = TrainLabels(())
SOME = settings(max_examples=25, deadline=None)  # all sections are computed in each


def measured(made, labels=NO_TRAIN, before=None):
    return evaluate("test", made, TYPES, labels, before)


def counts_of(score):
    return PRF(score.tp, score.fp, score.fn)


def one(tokens, gold=(), predicted=(), scores=None, id="a:1"):
    """A sentence with its true and predicted entities."""
    return Prediction(
        Sentence(tuple(tokens.split()), tuple(gold), id=id),
        tuple(predicted),
        scores or (0.5,) * len(predicted),
    )


@SOME
@given(predictions())
def test_the_counts_of_the_types_sum_to_the_total(made):
    figures = measured(made)
    assert {type_.type: counts_of(type_.score) for type_ in figures.types} == {
        **dict.fromkeys(TYPES, PRF()),
        **score_all(one.gold_and_predicted for one in made),
    }
    assert sum((counts_of(type_.score) for type_ in figures.types), PRF()) == counts_of(
        figures.overall
    )


@SOME
@given(predictions())
def test_outcomes_sum_to_the_support_and_to_the_predictions(made):
    whole = measured(made)
    for became, score in (
        (whole.outcomes, whole.overall),
        *((type_.outcomes, type_.score) for type_ in whole.types),
    ):
        alike = (
            became.correct
            + became.wrong_type
            + became.wrong_boundary
            + became.wrong_boundary_and_type
        )
        assert alike + became.missed == score.support and became.correct == score.tp
        if score is whole.overall:
            assert alike + became.spurious == score.tp + score.fp


@SOME
@given(predictions())
def test_the_subsets_of_each_slice_sum_to_the_total(made):
    figures = measured(made, TrainLabels(one.sentence for one in made[::2]))
    for parts in vars(figures.slices).values():
        assert sum((counts_of(part.score) for part in parts), PRF()) == counts_of(figures.overall)
    assert sum(part.sentences for part in figures.slices.sentence_length) == len(made)


@SOME
@given(predictions())
def test_a_threshold_curve_begins_with_all_predictions_and_falls(made):
    figures = measured(made)
    curves = {"": (figures.thresholds.overall, figures.overall)} | {
        type_.type: (figures.thresholds.per_type[type_.type], type_.score)
        for type_ in figures.types
    }
    for curve, whole in curves.values():
        assert curve.scores[0] == whole
        for counts in (curve.predicted, curve.correct):
            assert len(counts) == 101 and list(counts) == sorted(counts, reverse=True)
        assert all(right <= number for right, number in zip(curve.correct, curve.predicted))
    best = [score.f1 for score in figures.thresholds.overall.scores]
    assert best[figures.thresholds.best] == max(best)


def test_a_score_equal_to_the_threshold_is_predicted():
    made = [one("a b", [Span(0, 1, "PER")], [Span(0, 1, "PER"), Span(1, 2, "PER")], (0.29, 0.7))]
    curve = measured(made).thresholds.overall
    assert [curve.predicted[at] for at in (29, 30, 70, 71)] == [2, 1, 1, 0]


@SOME
@given(predictions())
def test_the_reliability_bins_hold_every_prediction(made):
    figures = measured(made)
    bins = figures.reliability.bins
    assert sum(part.count for part in bins) == figures.overall.tp + figures.overall.fp
    assert sum(round(part.count * part.accuracy) for part in bins) == figures.overall.tp
    assert all(part.low <= part.confidence <= part.high for part in bins)
    assert 0 <= figures.reliability.error <= 1


@SOME
@given(predictions())
def test_every_error_is_in_one_group(made):
    figures = measured(made)
    became = figures.outcomes
    by_kind = {"missed": 0, "boundary": 0, "type": 0, "boundary_and_type": 0, "spurious": 0}
    for kind in figures.errors.kinds:
        assert kind.count == sum(group.count for group in kind.groups) > 0
        by_kind[kind.kind] += kind.count
    assert by_kind == {
        "missed": became.missed,
        "boundary": became.wrong_boundary,
        "type": became.wrong_type,
        "boundary_and_type": became.wrong_boundary_and_type,
        "spurious": became.spurious,
    }
    assert figures.errors.count == sum(by_kind.values())


@SOME
@given(predictions())
def test_an_example_has_the_tokens_and_entities_of_its_sentence(made):
    for kind in measured(made).errors.kinds:
        for group in kind.groups:
            for example in group.examples:
                source = made[example.index].sentence
                assert example.tokens == source.tokens and example.id == source.id
                assert [(span.start, span.end, span.type) for span in example.gold] == [
                    (span.start, span.end, span.type) for span in source.spans
                ]
                assert group.label == "" or len({example.start, example.end}) == 2


def test_the_number_of_examples_is_limited():
    made = [
        one(
            f"word{number} saw Ada and Bob{number % 30}",
            [Span(2, 3, "PER"), Span(4, 5, "PER")],
            id=f"a:{number}",
        )
        for number in range(5_000)
    ]
    [kind] = measured(made).errors.kinds
    assert kind.count == 10_000 and [group.count for group in kind.groups][:2] == [5_000, 167]
    assert (kind.groups[0].label, kind.groups[0].total) == ("Ada", 5_000)
    assert len(kind.groups) == GROUPS_PER_KIND + 1 and kind.groups[-1].label == ""
    assert max(len(group.examples) for group in kind.groups[:-1]) == EXAMPLES_PER_GROUP
    assert len(kind.groups[-1].examples) == EXAMPLES_OF_REST


def test_words_with_one_error_do_not_form_a_group():
    made = [
        one("Ada saw Bob", [Span(0, 1, "PER"), Span(2, 3, "PER")], id="a:1"),
        one("Bob", [Span(0, 1, "PER")]),
    ]
    [kind] = measured(made).errors.kinds
    assert [(group.label, group.count, group.total) for group in kind.groups] == [
        ("Bob", 2, 2),
        ("", 1, None),
    ]


def test_spurious_predictions_are_ordered_by_score():
    made = [
        one(f"w{n} x", [], [Span(1, 2, "PER")], (score,), id=str(n))
        for n, score in enumerate((0.2, 0.9, 0.5))
    ]
    [kind] = measured(made).errors.kinds
    assert [example.predicted[0].score for example in kind.groups[0].examples] == [0.9, 0.5, 0.2]


def test_a_boundary_group_has_the_differing_words():
    made = [one("the Ada Inc .", [Span(1, 3, "ORG")], [Span(0, 2, "ORG")])] * 3
    [kind] = measured(made).errors.kinds
    [group] = kind.groups
    assert (group.label, group.words) == ("starts too early, ends too early", {"the": 3, "Inc": 3})
    assert len(group.examples) == 1  # the same sentence once


@pytest.mark.parametrize(
    ("predicted", "message"),
    [
        (Span(2, 5, "PER"), "starts too early"),
        (Span(4, 5, "PER"), "starts too late"),
        (Span(3, 6, "PER"), "ends too late"),
        (Span(3, 4, "PER"), "ends too early"),
        (Span(2, 6, "PER"), "starts too early, ends too late"),
    ],
)
def test_the_description_of_a_boundary_difference(predicted, message):
    assert boundary_difference(Span(3, 5, "PER"), predicted) == message


def test_a_long_sentence_is_cut_around_the_error():
    words = " ".join(f"w{n}" for n in range(1000))
    gold = [Span(0, 1, "PER"), Span(478, 481, "LOC"), Span(500, 502, "PER")]
    [kind] = measured([one(words, gold, gold[:2])]).errors.kinds
    [example] = kind.groups[0].examples
    assert (example.before, example.after, len(example.tokens)) == (480, 478, 42)
    assert example.tokens[example.start : example.end] == ("w500", "w501")
    assert [(span.start, span.end) for span in example.gold] == [(0, 1), (20, 22)]


@pytest.mark.parametrize(
    ("words", "case"),
    [
        ("NATO", "ALL UPPER"),
        ("nato", "all lower"),
        ("New York", "Title Case"),
        ("A", "Title Case"),
        ("University of Oxford", "mixed case"),
        ("iPhone 4", "mixed case"),
        ("42 - 7", "no upper or lower case"),
        ("北京", "no upper or lower case"),
    ],
)
def test_words_are_classified_by_case(words, case):
    assert case_of(words) == case


def test_a_prediction_counts_in_the_subset_of_its_own_words():
    train = TrainLabels([one("Ada", [Span(0, 1, "PER")]).sentence])
    made = [one("Ada York", [Span(0, 1, "LOC")], [Span(0, 1, "PER"), Span(1, 2, "LOC")])]
    parts = {part.name: counts_of(part.score) for part in measured(made, train).slices.novelty}
    assert parts == {
        "seen in train": PRF(fp=1),
        "seen with another type": PRF(fn=1),
        "unseen": PRF(fp=1),
    }


@SOME
@given(predictions())
def test_a_model_is_not_better_than_itself(made):
    against = measured(
        made, before=BaselinePredictions("17", [one.spans for one in made])
    ).comparison
    assert (against.difference, against.p_value, against.model) == (0.0, 1.0, "17")


def test_the_baseline_is_measured_on_the_same_sentences():
    made = [
        one(
            "Ada York",
            [Span(0, 1, "PER"), Span(1, 2, "LOC")],
            [Span(0, 1, "PER"), Span(1, 2, "LOC")],
        )
    ] * 20
    figures = measured(made, before=BaselinePredictions("17", [(Span(0, 1, "PER"),)] * 20))
    assert figures.comparison.baseline == Score.of(
        PRF(20, 0, 20)
    ) and figures.comparison.difference == pytest.approx(1 / 3)
    assert [(type_.type, type_.baseline_score.f1) for type_ in figures.types] == [
        ("LOC", 0),
        ("ORG", 0),
        ("PER", 1),
    ]


def test_types_that_are_only_predicted_are_listed():
    figures = measured([one("Ada", [], [Span(0, 1, "GOD")])])
    assert [(type_.type, type_.score.fp) for type_ in figures.types] == [
        ("GOD", 1),
        ("LOC", 0),
        ("ORG", 0),
        ("PER", 0),
    ]


def test_figures_of_an_empty_split():
    figures = measured([])
    assert (figures.overall, figures.errors.kinds, figures.reliability.bins) == (
        Score.of(PRF()),
        (),
        (),
    )
    assert figures.thresholds.overall.scores[50].f1 == 0 and figures.slices.novelty == ()


def test_confident_contradictions_are_ordered_by_score():
    made = [
        one("Ada", [Span(0, 1, "LOC")], [Span(0, 1, "PER")], (0.95,)),
        one("Bob", [], [Span(0, 1, "PER")], (0.99,)),
        one("Eve", [Span(0, 1, "PER")], [Span(0, 1, "PER")], (1.0,)),
        one("Kim", [], [Span(0, 1, "PER")], (CONFIDENT - 0.01,)),
    ]
    suspects = measured(made).suspects
    assert [
        (item.gold, item.predicted.score, item.example.index) for item in suspects.disagreements
    ] == [
        ("O", 0.99, 1),
        ("LOC", 0.95, 0),
    ]
    assert suspects.disagreement_count == 2


def test_the_lists_of_suspects_are_bounded_and_their_totals_exact():
    made = [one(f"w{n}", [], [Span(0, 1, "PER")], (0.99,)) for n in range(3 * LIST_LENGTH)]
    train = [one(f"x{n // 2}", [Span(0, 1, TYPES[n % 2])]).sentence for n in range(4 * LIST_LENGTH)]
    suspects = measured(made, TrainLabels(train)).suspects
    assert (suspects.disagreement_count, len(suspects.disagreements)) == (
        3 * LIST_LENGTH,
        LIST_LENGTH,
    )
    assert (suspects.conflict_count, len(suspects.conflicts)) == (2 * LIST_LENGTH, LIST_LENGTH)


def test_the_same_words_with_several_labels_in_train():
    york = Span(0, 2, "LOC")
    train = [
        one("New York", [york], id="a:1").sentence,
        one("New York", [york], id="a:2").sentence,
        one("in New York", [], id="a:3").sentence,
        one(
            "New York Times", [Span(0, 3, "ORG")], id="a:4"
        ).sentence,  # the words are inside of another: no conflict
        one("New", [], id="a:5").sentence,
    ]
    [conflict] = measured([], TrainLabels(train)).suspects.conflicts
    assert (conflict.words, conflict.labels, conflict.minority_count, conflict.sentence_ids) == (
        "New York",
        {"LOC": 2, "O": 1},
        1,
        ("a:3",),
    )


def test_each_score_belongs_to_its_entity():
    made = one("a b c", [Span(2, 3, "PER")], [Span(0, 1, "PER"), Span(2, 3, "PER")], (0.1, 0.9))
    assert [(span.start, score, right) for span, score, right in made.judged()] == [
        (0, 0.1, False),
        (2, 0.9, True),
    ]
    assert replace(made, spans=(), scores=()).gold_and_predicted == ((Span(2, 3, "PER"),), ())
