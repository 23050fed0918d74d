"""CRFsuite with the usual features: `train TRAIN MODEL` and `tag TEST MODEL PREDICTIONS FIGURES [TOKENS]`.

Runs in .venv-benchmark.
"""

import os
import sys
from importlib import metadata

import pycrfsuite

from benchmarks.comparison import columns, pace
from benchmarks.comparison.features import sentence_features

# What sklearn-crfsuite's tutorial on CoNLL-2002 takes; the last one is its all_possible_transitions.
_PARAMETERS = {"c1": 0.1, "c2": 0.1, "max_iterations": 100, "feature.possible_transitions": True}


def train(corpus: str, model: str) -> None:
    """Fits a CRF on train; it has no use for dev."""
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", params=_PARAMETERS, verbose=False)
    for tokens, tags in columns.read(corpus):
        trainer.append(sentence_features(tokens), tags)
    trainer.train(model)


def tag(corpus: str, model: str, predictions: str, figures: str, pass_tokens: str | int = pace.TOKENS) -> None:
    """Tags the sentences, and measures how fast, features included, over passes of that many tokens."""
    sentences = list(columns.read(corpus))
    tagger = pycrfsuite.Tagger()
    tagger.open(model)

    def tagged(tokens: list[str]) -> list[str]:
        return tagger.tag(sentence_features(tokens))

    columns.write(predictions, ((tokens, tags, tagged(tokens)) for tokens, tags in sentences))
    tokens = [tokens for tokens, _ in sentences]
    lengths = list(map(len, tokens))
    several = pace.enough(tokens, lengths, int(pass_tokens))
    pace.write(
        figures,
        version=metadata.version("python-crfsuite"),
        tokens_per_second=pace.tokens_per_second(
            lambda batch: [tagged(one) for one in batch], lambda: several, sum(map(len, several))
        ),
        milliseconds=pace.milliseconds(tagged, [tokens[number] for number in pace.short(lengths)]),
        model_mb=os.path.getsize(model) / 1e6,
        processes=1,
    )


if __name__ == "__main__":
    {"train": train, "tag": tag}[sys.argv[1]](*sys.argv[2:])
