"""The CRFsuite features of a token and its neighbours."""

import pytest


@pytest.mark.parametrize(
    ("token", "long", "short"),
    [
        ("McDonald's-24", "XxXxxxxx'x-dd", "XxXx'x-d"),
        ("Ω2", "Xd", "Xd"),
        ("!!", "!!", "!"),
        ("", "", ""),
    ],
)
def test_a_shape_has_classes_of_letters_and_digits_and_other_characters_unchanged(
    token, long, short
):
    from benchmarks.comparison import crfsuite_tagger

    assert (crfsuite_tagger.shape(token), crfsuite_tagger.short_shape(token)) == (long, short)


def test_a_token_has_its_word_affixes_and_form():
    from benchmarks.comparison.crfsuite_tagger import sentence_features

    [features] = sentence_features(["Ada"])
    assert features == [
        *(
            "bias",
            "word=Ada",
            "lower=ada",
            "prefix=a",
            "prefix=ad",
            "prefix=ada",
            "suffix=a",
            "suffix=da",
            "suffix=ada",
        ),
        *("shape=Xxx", "short_shape=Xx", "title", "BOS", "EOS"),
    ]


def test_a_token_sees_two_neighbours_on_each_side_and_no_more():
    from benchmarks.comparison.crfsuite_tagger import sentence_features

    token_features = sentence_features(["One", "two", "3", "FOUR", "five", "six"])[2]
    beside = [feature for feature in token_features if feature[0] in "+-"]
    assert beside == [
        *("-2:lower=one", "-2:short_shape=Xx", "-2:title", "-1:lower=two", "-1:short_shape=x"),
        *("+1:lower=four", "+1:short_shape=X", "+1:upper", "+2:lower=five", "+2:short_shape=x"),
    ]
    assert "digit" in token_features and "BOS" not in token_features and "EOS" not in token_features


def test_only_the_ends_of_a_sentence_are_marked():
    from benchmarks.comparison.crfsuite_tagger import sentence_features

    found = sentence_features(["a", "b", "c"])
    assert [[mark for mark in ("BOS", "EOS") if mark in features] for features in found] == [
        ["BOS"],
        [],
        ["EOS"],
    ]


def test_a_sentence_without_tokens_has_no_features():
    from benchmarks.comparison.crfsuite_tagger import sentence_features

    assert sentence_features([]) == []
