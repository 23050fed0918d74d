"""CRFsuite with the usual features: `train TRAIN MODEL`, `tag TEST MODEL PREDICTIONS` and `measure
TEST MODEL [TOKENS]`.

Runs in .venv-benchmark.
"""

import os
import sys
from collections.abc import Callable
from importlib import metadata

import pycrfsuite

from benchmarks.comparison import columns, pace
from benchmarks.comparison.features import sentence_features

# What sklearn-crfsuite's tutorial on CoNLL-2002 takes; the last one is its
# all_possible_transitions.
_PARAMETERS = {"c1": 0.1, "c2": 0.1, "max_iterations": 100, "feature.possible_transitions": True}


def train(corpus: str, model: str) -> None:
    """Fits a CRF on train; it has no use for dev."""
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", params=_PARAMETERS, verbose=False)
    for tokens, tags in columns.read(corpus):
        trainer.append(sentence_features(tokens), tags)
    trainer.train(model)


def tag(corpus: str, model: str, predictions: str) -> None:
    """Tags the sentences."""
    tagged = _tagger(model)
    columns.write(
        predictions, ((tokens, tags, tagged(tokens)) for tokens, tags in columns.read(corpus))
    )


def measure(corpus: str, model: str, pass_tokens: str | int = pace.TOKENS) -> None:
    """Answers how fast it is, features included, in passes of that many tokens."""
    tagged = _tagger(model)
    sentences = [tokens for tokens, _ in columns.read(corpus)]
    lengths = list(map(len, sentences))
    several = pace.enough(sentences, lengths, int(pass_tokens))
    short = [sentences[number] for number in pace.short(lengths)]

    def tag_all(batch: list[list[str]]) -> None:
        for tokens in batch:
            tagged(tokens)

    pace.answer(
        {
            "tokens_per_second": lambda: pace.tokens_per_second(
                tag_all, several, sum(map(len, several))
            ),
            "milliseconds": lambda: pace.milliseconds(tagged, short),
        },
        version=metadata.version("python-crfsuite"),
        model_mb=os.path.getsize(model) / 1e6,
        processes=1,
    )


def _tagger(model: str) -> Callable[[list[str]], list[str]]:
    tagger = pycrfsuite.Tagger()
    tagger.open(model)
    return lambda tokens: tagger.tag(sentence_features(tokens))


if __name__ == "__main__":
    {"train": train, "tag": tag, "measure": measure}[sys.argv[1]](*sys.argv[2:])
