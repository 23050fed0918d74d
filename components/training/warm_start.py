"""Starting from the weights of a model published before, as far as they fit: rows of words, characters, affixes and labels are
found by their strings, as their numbers are others in each vocabulary.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.export import card
from components.features import preprocessing
from components.tagger.tagger import Tagger

_KEY = "weights/{}/.ATTRIBUTES/VARIABLE_VALUE"  # as `components.export.signatures.Recogniser` tracks them
_PADDING, _OUTSIDE = b"\0padding", b"\0outside"

Names = Mapping[str, Sequence[bytes]]
"""Strings by their numbers, of each vocabulary."""


class Taken(NamedTuple):
    """How many weights were taken over of how many, and of the words, rows of how many of how many."""

    weights: int
    of_weights: int
    words: int
    of_words: int


def take_over(tagger: Tagger, names: Names, model: str | Path) -> Taken:
    """Gives a new tagger the weights of a published model, where there are such of the same shape beside the named rows.

    What is fitted on dev at the end is not taken over, nor are pretrained vectors.

    Args:
      tagger: the new one.
      names: its vocabularies, as Transform's graph has them.
      model: a SavedModel that `components.training.run` wrote.
    """
    found, reader = (
        card.read(model),
        tf.train.load_checkpoint(str(Path(model) / "variables" / "variables")),
    )
    shapes = reader.get_variable_to_shape_map()
    axes_now, fixed = _axes(tagger, names, tagger.labels), _not_taken(tagger)
    before = {name: Path(model, "assets", name).read_bytes().split(b"\n")[:-1] for name in names}
    axes_before = _axes(tagger, before, found.labels if found else ())
    of_words = len(names[preprocessing.WORDS])
    weights = [variable for variable in tagger.variables if id(variable) not in fixed]
    if found is None or sum(key.startswith("weights/") for key in shapes) != len(tagger.variables):
        return Taken(0, len(weights), 0, of_words)
    taken = words = 0
    for number, variable in enumerate(tagger.variables):
        key, values = _KEY.format(number), np.array(variable)
        axes = axes_now.get(id(variable)), axes_before.get(id(variable))
        places = None if id(variable) in fixed else _common(*axes, values.shape, shapes[key])
        if places is None:
            continue
        here, there = places
        values[np.ix_(*here)] = reader.get_tensor(key)[np.ix_(*there)]
        variable.assign(values)
        taken += 1
        if variable is tagger.network.words.embeddings:
            words = len(here[0]) - 1
    return Taken(taken, len(weights), words, of_words)


def _axes(
    tagger: Tagger, names: Names, labels: Sequence[str]
) -> dict[int, tuple[Sequence[bytes] | None, ...]]:
    """The names along each axis of the weights that have some, by the weight's id; None for an axis without."""
    network = tagger.network
    label_names = [label.encode() for label in labels]
    words, affixes, characters = (
        [*names[name], _OUTSIDE]
        for name in (preprocessing.WORDS, preprocessing.AFFIXES, preprocessing.CHARACTERS)
    )
    named = (
        (network.words.embeddings, (words, None)),
        (network.affixes.embeddings, (affixes, None)),
        (network.characters.embedding.embeddings, ([_PADDING, *characters], None)),
        (network.emissions.kernel, (None, label_names)),
        (network.emissions.bias, (label_names,)),
        (tagger.transitions, (label_names, label_names)),
        (tagger.start, (label_names,)),
        (tagger.end, (label_names,)),
    )
    return {id(weight): axes for weight, axes in named}


def _not_taken(tagger: Tagger) -> set[int]:
    kept = (tagger.temperature, tagger.odds, tagger.boldness, tagger.network.pretrained)
    states = (
        variable for variable in tagger.variables if not np.issubdtype(variable.dtype, np.floating)
    )
    return {id(weight) for weight in (*kept, *states)}


def _common(now, before, shape: Sequence[int], shape_before: Sequence[int]):
    """The places along each axis that both have, here and there, in the same order; None if an axis without names differs."""
    if len(shape) != len(shape_before):
        return None
    here, there = [], []
    for axis, (size, size_before) in enumerate(zip(shape, shape_before)):
        names, names_before = (now[axis], before[axis]) if now else (None, None)
        if names is None:
            if size != size_before:
                return None
            here.append(range(size))
            there.append(range(size))
        else:
            if len(names) != size or len(names_before) != size_before:
                return None
            places = {name: place for place, name in enumerate(names_before)}
            common = [(place, places[name]) for place, name in enumerate(names) if name in places]
            here.append([place for place, _ in common])
            there.append([place for _, place in common])
    return here, there
