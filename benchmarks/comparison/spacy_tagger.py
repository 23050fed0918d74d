"""What spaCy's own commands do not do: `prepare LANGUAGE CONLL DOCBIN`, `tag TEST MODEL
PREDICTIONS` and `measure TEST MODEL`.

Runs in .venv-benchmark. `spacy init config` and `spacy train` do the rest.
"""

import os
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import spacy
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from benchmarks.comparison import programs


def document(vocab: Vocab, tokens: Sequence[str], tags: Sequence[str] | None = None) -> Doc:
    """A sentence as spaCy has it, with the same tokens. spaCy takes no empty token, and no entity
    of white sprograms.
    """
    words = [token if token.strip() else "\N{OPEN BOX}" for token in tokens]
    return Doc(vocab, words=words, ents=tags)


def tags_of(doc: Doc) -> list[str]:
    """Its entities as IOB2 tags."""
    return [f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "O" for token in doc]


def prepare(language: str, corpus: str, target: str) -> None:
    """Writes a CoNLL file as `spacy train` reads it."""
    vocab = spacy.blank(language).vocab
    docs = (document(vocab, tokens, tags) for tokens, tags in programs.read_conll(corpus))
    DocBin(docs=docs).to_disk(target)


def tag(corpus: str, model: str, predictions: str) -> None:
    """Tags the sentences."""
    sentences = list(programs.read_conll(corpus))
    nlp = spacy.load(model)
    docs = nlp.pipe(document(nlp.vocab, tokens) for tokens, _ in sentences)
    tagged = ((tokens, tags, tags_of(doc)) for (tokens, tags), doc in zip(sentences, docs))
    programs.write_conll(predictions, tagged)


def measure(corpus: str, model: str) -> None:
    """Measures the speed, in one process or in one a core, whichever is faster to begin with."""
    nlp = spacy.load(model)
    sentences = [tokens for tokens, _ in programs.read_conll(corpus)]
    several, short = (
        programs.enough(sentences),
        [" ".join(one) for one in programs.short(sentences)],
    )
    total = sum(map(len, several))

    def tokens_per_second(processes: int) -> float:
        docs = [document(nlp.vocab, tokens) for tokens in several]
        return programs.tokens_per_second(
            lambda batch: deque(nlp.pipe(batch, n_process=processes), maxlen=0), docs, total
        )

    tokens_per_second(1)  # warms up
    processes = max({1, len(os.sched_getaffinity(0))}, key=tokens_per_second)
    programs.print_figures(
        {
            "tokens_per_second": lambda: tokens_per_second(processes),
            "milliseconds": lambda: programs.milliseconds(nlp, short),
        },
        version=spacy.__version__,
        model_mb=programs.size_mb(Path(model)),
        processes=processes,
    )


if __name__ == "__main__":
    {"prepare": prepare, "tag": tag, "measure": measure}[sys.argv[1]](*sys.argv[2:])
