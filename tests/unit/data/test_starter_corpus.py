"""The committed starter corpus: made by the program, hard enough, and well-formed."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from statistics import mean

import pytest
from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import get_entities

from components.ner.tokens import tokenize

TYPES = {
    "PERSON",
    "ORGANIZATION",
    "LOCATION",
    "MEDICAL_CODE",
    "TIME",
    "QUANTITY",
    "MONEY",
    "PERCENT",
}
SPLITS = ("train", "dev", "test")
# The longest name a look-up tries, in tokens.
LONGEST = 12


@pytest.fixture(scope="module")
def sentences(starter):
    """(tokens, tags) of each split, read from the committed files."""
    return {split: _read(starter / f"{split}.conll") for split in SPLITS}


def _read(path):
    blocks = path.read_text(encoding="utf-8").strip("\n").split("\n\n")
    rows = [[line.split("\t") for line in block.split("\n")] for block in blocks]
    return [tuple(zip(*row)) for row in rows if row[0][0] != "-DOCSTART-"]


def _entities(tokens, tags):
    """(type, surface) of each entity."""
    return [
        (kind, " ".join(tokens[start : end + 1])) for kind, start, end in get_entities(list(tags))
    ]


def _counts(split):
    return Counter(kind for tokens, tags in split for kind, _ in _entities(tokens, tags))


def test_the_committed_files_are_those_of_the_generator(corpus, starter):
    from starter_grammar.corpus import conll

    for split, documents in corpus.items():
        committed = (starter / f"{split}.conll").read_bytes()
        assert committed == conll(documents).encode("utf-8"), "run python data/make_starter.py"


def test_check_refuses_a_file_that_differs(tmp_path, monkeypatch, corpus):
    import make_starter

    monkeypatch.setattr(make_starter, "build", lambda: corpus)
    assert make_starter.main(["--out", str(tmp_path)]) == 0
    assert make_starter.main(["--out", str(tmp_path), "--check"]) == 0
    (tmp_path / "dev.conll").write_text("a\tO\n")
    assert make_starter.main(["--out", str(tmp_path), "--check"]) == 1


def test_no_file_is_large(starter):
    sizes = [(starter / f"{split}.conll").stat().st_size for split in SPLITS]
    assert max(sizes) < 1_000_000 and sum(sizes) < 1_200_000


def test_every_type_is_frequent_enough(sentences):
    for split, least in (("train", 1000), ("dev", 100), ("test", 150)):
        counts = _counts(sentences[split])
        assert set(counts) == TYPES and min(counts.values()) >= least, (split, counts)


def test_tags_are_well_formed_iob2(sentences):
    for split in SPLITS:
        for tokens, tags in sentences[split]:
            for before, tag in zip(("O", *tags), tags):
                assert not tag.startswith("I-") or before[2:] == tag[2:], tokens


def test_tokens_are_composed_and_without_white_space(sentences):
    for split in SPLITS:
        for tokens, _ in sentences[split]:
            assert all(tokens) and not any(
                character.isspace() for token in tokens for character in token
            )
            assert [unicodedata.normalize("NFC", token) for token in tokens] == list(tokens)


def test_tokens_are_those_of_the_tokenizer(sentences):
    for split in SPLITS:
        for tokens, _ in sentences[split]:
            text = " ".join(tokens)
            assert [text[start:end] for start, end in tokenize(text)] == list(tokens)


def test_documents_have_similar_lengths_in_all_splits(corpus):
    lengths = [
        mean(len(document.sentences) for document in documents) for documents in corpus.values()
    ]
    assert min(lengths) > 4 and max(lengths) < 10 and max(lengths) / min(lengths) < 1.15


def test_a_quarter_to_a_third_of_the_sentences_have_no_entity(sentences):
    for split in SPLITS:
        share = mean(set(tags) == {"O"} for _, tags in sentences[split])
        assert 0.25 <= share <= 0.35, (split, share)


def test_looking_up_the_entities_of_train_is_not_enough(sentences):
    kinds = defaultdict(Counter)
    for tokens, tags in sentences["train"]:
        for kind, surface in _entities(tokens, tags):
            kinds[surface][kind] += 1
    known = {surface: counts.most_common(1)[0][0] for surface, counts in kinds.items()}
    gold = [list(tags) for _, tags in sentences["test"]]
    f1 = f1_score(gold, [_look_up(tokens, known) for tokens, _ in sentences["test"]])
    assert 0.2 < f1 < 0.6


def _look_up(tokens, known):
    """The longest match at each place, with its most frequent type."""
    tags, start = ["O"] * len(tokens), 0
    while start < len(tokens):
        ends = range(min(len(tokens), start + LONGEST), start, -1)
        end = next((end for end in ends if " ".join(tokens[start:end]) in known), None)
        if end is None:
            start += 1
            continue
        kind = known[" ".join(tokens[start:end])]
        tags[start:end] = [f"B-{kind}"] + [f"I-{kind}"] * (end - start - 1)
        start = end
    return tags


@pytest.mark.parametrize("kind", ["PERSON", "ORGANIZATION", "LOCATION"])
def test_most_names_of_test_are_new(sentences, kind):
    known, names = (
        [
            surface
            for tokens, tags in sentences[split]
            for found, surface in _entities(tokens, tags)
            if found == kind
        ]
        for split in ("train", "test")
    )
    assert mean(name not in set(known) for name in names) > 0.6


@pytest.mark.parametrize(
    "word", ["will", "may", "chase", "ford", "reading", "target", "apple", "nice", "brown", "price"]
)
def test_names_that_are_also_words_occur_with_and_without_a_label(sentences, word):
    tags = {tag for token, tag in _words(sentences) if token.lower() == word}
    assert "O" in tags and len(tags) > 1


def test_few_sentences_of_test_are_in_train_or_dev(sentences):
    seen = {tokens for split in ("train", "dev") for tokens, _ in sentences[split]}
    assert mean(tokens in seen for tokens, _ in sentences["test"]) < 0.02


@pytest.mark.parametrize("split", ["dev", "test"])
def test_dev_and_test_have_patterns_that_train_does_not_have(corpus, split):
    known = {sentence.pattern for document in corpus["train"] for sentence in document.sentences}
    patterns = [sentence.pattern for document in corpus[split] for sentence in document.sentences]
    assert 0.2 < mean(pattern not in known for pattern in patterns) < 0.4


# "a dollar", "a day" and "an hour" alone are rates, and "million" stands before BTU; these have no such use.
@pytest.mark.parametrize(
    "sign",
    [
        "%",
        "$",
        "€",
        "£",
        "monday",
        "january",
        "yesterday",
        "tomorrow",
        "percent",
        "euros",
        "mg",
        "weeks",
    ],
)
def test_words_that_the_guidelines_label_are_always_labelled(sentences, sign):
    assert "O" not in {tag for token, tag in _words(sentences) if token.lower() == sign}


def _words(sentences):
    """(token, tag) of all splits."""
    return [
        pair for split in SPLITS for tokens, tags in sentences[split] for pair in zip(tokens, tags)
    ]
