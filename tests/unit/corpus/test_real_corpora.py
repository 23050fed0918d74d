"""Reading the real corpora completely and correctly; skipped without them."""

import warnings
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from seqeval.metrics.sequence_labeling import get_entities

from components.corpus.reading import make_plan, read_corpus
from components.corpus.splits import find_splits

SENTENCES = {
    "wnut17": {"train": 3394, "dev": 1009, "test": 1287},
    "btc": {"train": 6338, "dev": 1001, "test": 2001},
    "bc5cdr": {"train": 4560, "dev": 4581, "test": 4797},
}
TRAIN_TOKENS = {"wnut17": 62_730, "btc": 99_933, "bc5cdr": 118_170}


@pytest.fixture(params=SENTENCES)
def name(request):
    return request.param


def corpus(folder, name):
    return list(read_corpus(find_splits(folder / name)))


def test_all_sentences_and_tokens_are_read(real_corpora, name):
    sentences = corpus(real_corpora, name)
    assert Counter(split for split, _ in sentences) == SENTENCES[name]
    assert (
        sum(len(sentence.tokens) for split, sentence in sentences if split == "train")
        == TRAIN_TOKENS[name]
    )


def test_entities_are_those_that_seqeval_reads_from_the_tags_of_the_files(real_corpora, name):
    found = Counter(
        (split, span.type)
        for split, sentence in corpus(real_corpora, name)
        for span in sentence.spans
    )
    expected = Counter()
    for split, files in find_splits(real_corpora / name).files.items():
        rows = [line.split("\t") for line in Path(files[0]).read_bytes().decode().split("\n")]
        tags = [
            (row[-1].strip() if len(row) > 1 else "") or "O" for row in rows
        ]  # a blank line ends an entity, as O does
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            expected.update((split, type_) for type_, _, _ in get_entities(tags))
    assert found == expected


def test_adjacent_entities_of_btc_stay_separate(real_corpora):
    pairs = [
        (sentence.tokens[left.start], left.type)
        for _, sentence in corpus(real_corpora, "btc")
        for left, right in pairwise(sentence.spans)
        if left.end == right.start and left.type == right.type
    ]
    assert Counter(pairs)["@", "PER"] > 2000


def test_empty_and_lone_space_tokens_of_btc_are_tokens(real_corpora):
    blank = [
        (split, token)
        for split, sentence in corpus(real_corpora, "btc")
        for token in sentence.tokens
        if not token.strip()
    ]
    assert Counter(split for split, _ in blank) == {"dev": 4, "test": 3}


def test_wikigold_is_iob1_and_each_of_its_145_documents_is_in_one_split(real_corpora):
    splits = find_splits(real_corpora / "wikigold")
    (file,) = splits.files["all"]
    sentences = list(read_corpus(splits))
    of_document = {}
    assert all(
        of_document.setdefault(sentence.document, split) == split for split, sentence in sentences
    )
    assert make_plan(splits).scheme == "IOB1" and file.endswith("wikigold.conll.txt")
    assert (len(sentences), sum(len(s.tokens) for _, s in sentences), len(of_document)) == (
        1696,
        39_007,
        145,
    )
    assert set(of_document.values()) == {"train", "dev", "test"}
