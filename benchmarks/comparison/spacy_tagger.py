"""What spaCy's own commands do not do: `prepare LANGUAGE CONLL DOCBIN` and `tag TEST MODEL PREDICTIONS FIGURES`.

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
    """A sentence as spaCy has it, with these very tokens. It takes no empty token, and no entity of white space."""
    return Doc(vocab, words=[token if token.strip() else "\N{OPEN BOX}" for token in tokens], ents=tags)


def tags_of(doc: Doc) -> list[str]:
    """Its entities as IOB2 tags."""
    return [f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "O" for token in doc]


def prepare(language: str, corpus: str, target: str) -> None:
    """Writes a CoNLL file as `spacy train` reads it."""
    vocab = spacy.blank(language).vocab
    DocBin(docs=(document(vocab, tokens, tags) for tokens, tags in columns.read(corpus))).to_disk(target)


def tag(corpus: str, model: str, predictions: str, figures: str) -> None:
    """Tags the sentences, and measures how fast: in one process and in one a core, of which the faster counts."""
    sentences = list(columns.read(corpus))
    nlp = spacy.load(model)
    found = nlp.pipe(document(nlp.vocab, tokens) for tokens, _ in sentences)
    columns.write(predictions, ((tokens, tags, tags_of(doc)) for (tokens, tags), doc in zip(sentences, found)))

    tokens = [tokens for tokens, _ in sentences]
    lengths = list(map(len, tokens))
    several = pace.enough(tokens, lengths)

    def paced(processes: int) -> float:
        def tag_all(docs: Iterable[Doc]) -> None:
            deque(nlp.pipe(docs, n_process=processes), maxlen=0)

        def documents() -> list[Doc]:
            return [document(nlp.vocab, one) for one in several]

        return pace.tokens_per_second(tag_all, documents, sum(map(len, several)))

    by_processes = {processes: paced(processes) for processes in sorted({1, len(os.sched_getaffinity(0))})}
    fastest = max(by_processes, key=by_processes.__getitem__)
    pace.write(
        figures,
        version=spacy.__version__,
        tokens_per_second=by_processes[fastest],
        milliseconds=pace.milliseconds(nlp, [" ".join(tokens[number]) for number in pace.short(lengths)]),
        model_mb=sum(file.stat().st_size for file in Path(model).rglob("*") if file.is_file()) / 1e6,
        processes=fastest,
    )


if __name__ == "__main__":
    {"prepare": prepare, "tag": tag}[sys.argv[1]](*sys.argv[2:])
