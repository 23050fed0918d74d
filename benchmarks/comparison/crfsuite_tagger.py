"""CRFsuite with the usual features: `train TRAIN MODEL`, `tag TEST MODEL PREDICTIONS` and `measure
TEST MODEL [TOKENS]`.

Runs in .venv-benchmark.
"""

import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

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
    tag_one = _load(model)
    sentences = columns.read(corpus)
    columns.write(predictions, ((tokens, tags, tag_one(tokens)) for tokens, tags in sentences))


def measure(corpus: str, model: str, pass_tokens: str | int = pace.TOKENS) -> None:
    """Measures the speed, features included, in passes of that many tokens."""
    tag_one = _load(model)
    sentences = [tokens for tokens, _ in columns.read(corpus)]
    several, short = pace.enough(sentences, int(pass_tokens)), pace.short(sentences)
    tokens = sum(map(len, several))
    pace.print_figures(
        {
            "tokens_per_second": lambda: pace.tokens_per_second(
                lambda batch: list(map(tag_one, batch)), several, tokens
            ),
            "milliseconds": lambda: pace.milliseconds(tag_one, short),
        },
        version=metadata.version("python-crfsuite"),
        model_mb=pace.size_mb(Path(model)),
        processes=1,
    )


def _load(model: str) -> Callable[[list[str]], list[str]]:
    tagger = pycrfsuite.Tagger()
    tagger.open(model)
    return lambda tokens: tagger.tag(sentence_features(tokens))


if __name__ == "__main__":
    {"train": train, "tag": tag, "measure": measure}[sys.argv[1]](*sys.argv[2:])
