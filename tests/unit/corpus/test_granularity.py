"""Corpora whose entities end inside words: the tokenizer's granularity is chosen, reported and set."""

import json

import pytest
from pydantic import TypeAdapter

from components.corpus.check import check_corpus
from components.corpus.model_tokens import EdgeCounts, remedies_at, with_model_tokens
from components.corpus.options import ReadOptions
from components.corpus.reading import Plan, make_plan, read_corpus, read_sentences
from components.corpus.splits import find_splits
from components.errors import UserError
from components.ner.granularity import WORDS, parse_granularity
from components.ner.sentence import Sentence, Span

HANGUL = parse_granularity("Hangul")


def entry(number, text, *entities):
    """A JSON line with a numbered text and entities given as (surface, type)."""
    spans = [
        [text.index(surface), text.index(surface) + len(surface), label]
        for surface, label in entities
    ]
    return json.dumps({"text": f"{text} {number}", "entities": spans}) + "\n"


def corpus(write, *samples, count=20):
    lines = [entry(number, *sample) for number in range(count) for sample in samples]
    return write("a.jsonl", "".join(lines))


KOREAN = ("마루는 새별에서 산다", ("마루", "PS"), ("새별", "LC"))
HEBREW = ("דנה גרה בנהרה", ("דנה", "PER"), ("נהרה", "LOC"))
ARABIC = ("رحل ودارين امس", ("دارين", "PER"))
CODES = ("take 10mg of it", ("10", "NUM"))
PLAIN = ("Ada saw Oslo", ("Ada", "PER"), ("Oslo", "LOC"))


@pytest.mark.parametrize(
    ("samples", "granularity"),
    [
        ([PLAIN], "words"),
        ([KOREAN], "Hangul"),
        ([HEBREW], "Hebrew"),
        ([ARABIC], "Arabic"),
        ([CODES], "fine"),
        ([KOREAN, HEBREW], "Hangul,Hebrew"),
        ([KOREAN, CODES], "fine,Hangul"),
        ([("10만원 값", ("10", "NUM"))], "fine"),
        ([("Berlins Adam", ("Berlin", "LOC"))], "words"),
        ([("삼성SDS에서", ("삼성SDS", "OG"))], "Hangul"),
    ],
)
def test_the_coarsest_granularity_that_the_entities_fit_is_chosen(write, samples, granularity):
    plan = make_plan(find_splits(corpus(write, *samples)))
    assert str(plan.granularity) == granularity


def test_a_few_entities_inside_words_do_not_change_the_tokenizer(write):
    path = corpus(write, *[PLAIN] * 60, KOREAN, count=1)
    assert make_plan(find_splits(path)).granularity == WORDS


def test_the_choice_is_reported_with_its_reason(write):
    report = check_corpus(corpus(write, KOREAN, PLAIN))
    assert report.tokenizer == "Hangul" and not report.failed
    reason = (
        "tokenizer: characters for Hangul, because 50% of the entities begin or end inside a word"
    )
    assert any(note.startswith(reason) for note in report.notes)


def test_a_setting_overrides_the_choice(write):
    path = corpus(write, KOREAN)
    with pytest.raises(UserError, match=r"cuts the token '마루는'.*tokenizer=Hangul"):
        list(read_sentences(path, ReadOptions(tokenizer="words")))
    sentence = next(read_sentences(path, ReadOptions(tokenizer="Hangul,Hebrew")))
    assert sentence.tokens == tuple("마루는새별에서산다0")
    assert sentence.spans == (Span(0, 2, "PS"), Span(3, 5, "LC"))


def test_a_setting_may_be_a_list_and_is_normalized():
    assert ReadOptions(tokenizer=["hebrew", "fine"]).tokenizer == "fine,Hebrew"
    with pytest.raises(ValueError, match="expected words, fine"):
        ReadOptions(tokenizer="Klingon")


def test_spans_that_are_expanded_or_dropped_keep_words(write):
    path = corpus(write, KOREAN)
    sentence = next(read_sentences(path, ReadOptions(unaligned_spans="expand")))
    assert sentence.tokens == ("마루는", "새별에서", "산다", "0")


def test_shifted_offsets_do_not_make_the_tokenizer_finer(write):
    shifted = json.dumps({"text": "🎉 새별 시", "entities": [[3, 5, "LC"]]})
    path = write("a.jsonl", f"{shifted}\n" * 20)
    assert make_plan(find_splits(path)).granularity == WORDS
    with pytest.raises(UserError, match="offsets=utf16"):
        list(read_sentences(path))


def test_the_plan_carries_the_granularity_as_json(write):
    splits = find_splits(corpus(write, KOREAN))
    plan = make_plan(splits)
    again = TypeAdapter(Plan).validate_json(TypeAdapter(Plan).dump_json(plan))
    assert again.granularity == HANGUL
    assert list(read_corpus(splits, plan=again)) == list(read_corpus(splits, plan=plan))


def characters(text, tags):
    return "".join(f"{char}\t{tag}\n" for char, tag in zip(text, tags.split(), strict=True)) + "\n"


def test_a_corpus_of_single_characters_is_read_as_text(write):
    rows = characters("마루는 10시", "B-PS I-PS O O B-TI I-TI O")
    path = write("a.tsv", rows * 20)
    plan = make_plan(find_splits(path))
    assert plan.granularity == HANGUL
    sentence = with_model_tokens(next(read_sentences(path)), HANGUL)
    assert (sentence.tokens, sentence.text) == (("마", "루", "는", "10", "시"), "마루는 10시")
    assert sentence.spans == (Span(0, 2, "PS"), Span(3, 4, "TI"))


@pytest.mark.parametrize(
    ("tokens", "spans"),
    [
        (("Ada", "saw", "Oslo"), (Span(0, 1, "PER"),)),
        (tuple("마루는 10시"), (Span(4, 5, "TI"),)),  # ends inside the token 10
    ],
)
def test_other_sentences_keep_their_tokens(tokens, spans):
    sentence = Sentence(tokens, spans)
    assert with_model_tokens(sentence, HANGUL) == sentence


def test_with_words_sentences_of_characters_keep_their_tokens():
    sentence = Sentence(tuple("마루는 새별"), ())
    assert with_model_tokens(sentence, WORDS) == sentence


@pytest.mark.parametrize(
    ("text", "offset", "expected"),
    [
        ("마루는", 2, {"Hangul"}),
        ("마루 는", 2, None),
        ("마루", 0, None),
        ("마루", 2, None),
        ("마2", 1, {"Hangul", "fine"}),
        ("a2", 1, {"fine"}),
        ("22", 1, set()),
        ("ab", 1, set()),
        ("a\u0301b", 1, set()),
        ("ב\u05b0נ", 2, {"Hebrew"}),
        ("中国", 1, None),
        ("中2", 1, None),
        ("a.b", 1, None),
        ("SDS는", 3, {"Hangul"}),
    ],
)
def test_the_settings_that_split_a_word_at_an_offset(text, offset, expected):
    assert remedies_at(text, offset) == (None if expected is None else frozenset(expected))


def test_no_entities_choose_words():
    assert EdgeCounts().choose() == WORDS
