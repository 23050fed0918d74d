"""CRFsuite with the usual features: `train TRAIN MODEL`, `tag TEST MODEL PREDICTIONS` and `measure
TEST MODEL [TOKENS]`.

Runs in .venv-benchmark. The features are those of a CRF for names: a token, its form, and two
neighbours on each side; they need no CRFsuite.
"""

import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import metadata
from itertools import groupby
from pathlib import Path

from benchmarks.comparison import programs

# What sklearn-crfsuite's tutorial on CoNLL-2002 takes; the last one is its
# all_possible_transitions.
_PARAMETERS = {"c1": 0.1, "c2": 0.1, "max_iterations": 100, "feature.possible_transitions": True}
_DISTANCES = (-2, -1, 1, 2)  # of the neighbours that are looked at


def train(corpus: str, model: str) -> None:
    """Fits a CRF on train; it has no use for dev."""
    import pycrfsuite

    trainer = pycrfsuite.Trainer(algorithm="lbfgs", params=_PARAMETERS, verbose=False)
    for tokens, tags in programs.read_conll(corpus):
        trainer.append(sentence_features(tokens), tags)
    trainer.train(model)


def tag(corpus: str, model: str, predictions: str) -> None:
    """Tags the sentences."""
    tag_one = _load(model)
    sentences = programs.read_conll(corpus)
    programs.write_conll(
        predictions, ((tokens, tags, tag_one(tokens)) for tokens, tags in sentences)
    )


def measure(corpus: str, model: str, pass_tokens: str | int = programs.TOKENS) -> None:
    """Measures the speed, features included, in passes of that many tokens."""
    tag_one = _load(model)
    sentences = [tokens for tokens, _ in programs.read_conll(corpus)]
    several, short = programs.enough(sentences, int(pass_tokens)), programs.short(sentences)
    tokens = sum(map(len, several))
    programs.print_figures(
        {
            "tokens_per_second": lambda: programs.tokens_per_second(
                lambda batch: list(map(tag_one, batch)), several, tokens
            ),
            "milliseconds": lambda: programs.milliseconds(tag_one, short),
        },
        version=metadata.version("python-crfsuite"),
        model_mb=programs.size_mb(Path(model)),
        processes=1,
    )


def _load(model: str) -> Callable[[list[str]], list[str]]:
    import pycrfsuite

    tagger = pycrfsuite.Tagger()
    tagger.open(model)
    return lambda tokens: tagger.tag(sentence_features(tokens))


def shape(token: str) -> str:
    """The token's letters and digits by kind, and its other characters as they are.

    >>> shape("McDonald's-24")
    "XxXxxxxx'x-dd"
    """
    return "".join(map(_kind, token))


def short_shape(token: str) -> str:
    """The shape with runs of one kind as one.

    >>> short_shape("McDonald's-24")
    "XxXx'x-d"
    """
    return "".join(kind for kind, _ in groupby(shape(token)))


def sentence_features(tokens: Sequence[str]) -> list[list[str]]:
    """The features of each token of a sentence."""
    last = len(tokens) - 1
    features_of_tokens = []
    for position, token in enumerate(tokens):
        features = list(_own(token))
        for distance in _DISTANCES:
            if 0 <= position + distance <= last:
                features += _neighbour(tokens[position + distance], distance)
        if position == 0:
            features.append("BOS")
        if position == last:
            features.append("EOS")
        features_of_tokens.append(features)
    return features_of_tokens


# Cached because words recur.
@lru_cache(maxsize=2**16)
def _own(token: str) -> tuple[str, ...]:
    lower = token.lower()
    return (
        "bias",
        f"word={token}",
        f"lower={lower}",
        *(f"prefix={lower[:length]}" for length in range(1, 5) if length <= len(lower)),
        *(f"suffix={lower[-length:]}" for length in range(1, 5) if length <= len(lower)),
        f"shape={shape(token)}",
        *_form(token),
    )


@lru_cache(maxsize=2**18)
def _neighbour(token: str, distance: int) -> tuple[str, ...]:
    return tuple(
        f"{distance:+d}:{feature}" for feature in (f"lower={token.lower()}", *_form(token))
    )


def _form(token: str) -> list[str]:
    return [
        f"short_shape={short_shape(token)}",
        *(
            name
            for name, holds in (
                ("digit", str.isdigit),
                ("title", str.istitle),
                ("upper", str.isupper),
            )
            if holds(token)
        ),
    ]


def _kind(character: str) -> str:
    if character.isupper():
        return "X"
    if character.isalpha():
        return "x"
    return "d" if character.isdigit() else character


if __name__ == "__main__":
    {"train": train, "tag": tag, "measure": measure}[sys.argv[1]](*sys.argv[2:])
