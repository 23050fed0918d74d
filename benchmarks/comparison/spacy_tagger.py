"""What spaCy's own commands do not do: `prepare LANGUAGE CONLL DOCBIN`, `tag TEST MODEL
PREDICTIONS` and `measure TEST MODEL`.

Runs in .venv-benchmark. `spacy init config` and `spacy train` do the rest.
"""

import os
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

import spacy
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from benchmarks.comparison import columns, pace


def document(vocab: Vocab, tokens: Sequence[str], tags: Sequence[str] | None = None) -> Doc:
    """A sentence as spaCy has it, with these very tokens. It takes no empty token, and no entity of
    white space.
    """
    return Doc(
        vocab, words=[token if token.strip() else "\N{OPEN BOX}" for token in tokens], ents=tags
    )


def tags_of(doc: Doc) -> list[str]:
    """Its entities as IOB2 tags."""
    return [f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "O" for token in doc]


def prepare(language: str, corpus: str, target: str) -> None:
    """Writes a CoNLL file as `spacy train` reads it."""
    vocab = spacy.blank(language).vocab
    DocBin(docs=(document(vocab, tokens, tags) for tokens, tags in columns.read(corpus))).to_disk(
        target
    )


def tag(corpus: str, model: str, predictions: str) -> None:
    """Tags the sentences."""
    sentences = list(columns.read(corpus))
    nlp = spacy.load(model)
    found = nlp.pipe(document(nlp.vocab, tokens) for tokens, _ in sentences)
    columns.write(
        predictions, ((tokens, tags, tags_of(doc)) for (tokens, tags), doc in zip(sentences, found))
    )


def measure(corpus: str, model: str) -> None:
    """Answers how fast it is, in one process or in one a core, whichever is faster to begin with."""
    nlp = spacy.load(model)
    sentences = [tokens for tokens, _ in columns.read(corpus)]
    lengths = list(map(len, sentences))
    several = pace.enough(sentences, lengths)
    short = [" ".join(sentences[number]) for number in pace.short(lengths)]

    def paced(processes: int) -> float:
        def tag_all(docs: Iterable[Doc]) -> None:
            deque(nlp.pipe(docs, n_process=processes), maxlen=0)

        return pace.tokens_per_second(
            tag_all, [document(nlp.vocab, tokens) for tokens in several], sum(map(len, several))
        )

    paced(1)  # warms up
    processes = max({1, len(os.sched_getaffinity(0))}, key=paced)
    pace.answer(
        {
            "tokens_per_second": lambda: paced(processes),
            "milliseconds": lambda: pace.milliseconds(nlp, short),
        },
        version=spacy.__version__,
        model_mb=sum(file.stat().st_size for file in Path(model).rglob("*") if file.is_file())
        / 1e6,
        processes=processes,
    )


if __name__ == "__main__":
    {"prepare": prepare, "tag": tag, "measure": measure}[sys.argv[1]](*sys.argv[2:])
