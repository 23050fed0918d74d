"""Starts a new tagger from the weights of a published model, as far as they fit.

Words, characters, affixes and labels have other ids in each vocabulary: their rows and columns are
matched by name.
"""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.export import card
from components.features import preprocessing
from components.tagger.tagger import Tagger

# As `components.export.signatures` tracks the variables.
_KEY = "weights/{}/.ATTRIBUTES/VARIABLE_VALUE"
_PADDING, _OUTSIDE = b"\0padding", b"\0outside"

Vocabularies = Mapping[str, Sequence[bytes]]
"""The strings of each vocabulary, by id."""

AxisNames = Sequence[Hashable] | None
"""The names along an axis of a weight; None for an axis without names."""


class CopiedWeights(NamedTuple):
    """What was copied.

    Attributes:
        weights: copied weights.
        of_weights: weights that can be copied.
        words: copied rows of the word embedding.
        of_words: words of the new vocabulary.
    """

    weights: int
    of_weights: int
    words: int
    of_words: int


def copy_weights(tagger: Tagger, vocabularies: Vocabularies, model: str | Path) -> CopiedWeights:
    """Copies the weights of a published model into a new tagger, where their shapes, apart from
    named axes, agree.

    What is fitted on dev is not copied, nor are pretrained vectors.

    Args:
        tagger: the new tagger.
        vocabularies: the new tagger's.
        model: a SavedModel that `components.training.run` wrote.
    """
    model = Path(model)
    old_card = card.load_card(model)
    reader = tf.train.load_checkpoint(str(model / "variables" / "variables"))
    old_shapes = reader.get_variable_to_shape_map()
    not_copied = _not_copied(tagger)
    of_weights = sum(id(variable) not in not_copied for variable in tagger.variables)
    of_words = len(vocabularies[preprocessing.WORDS])
    old_count = sum(key.startswith("weights/") for key in old_shapes)
    if old_card is None or old_count != len(tagger.variables):
        return CopiedWeights(0, of_weights, 0, of_words)
    keys = {id(weight): _KEY.format(index) for index, weight in enumerate(tagger.variables)}
    old_vocabularies = {
        name: (model / "assets" / name).read_bytes().split(b"\n")[:-1] for name in vocabularies
    }
    axes = _axis_names(tagger, vocabularies, tagger.labels)
    # The width of this feature depends on the others' (`components.tagger.network.input_widths`),
    # and its shape on the release.
    old_preceding_shape = old_shapes[keys[id(tagger.network.preceding_chars)]]
    old_axes = _axis_names(tagger, old_vocabularies, old_card.labels, old_preceding_shape)
    weights = words = 0
    for variable in tagger.variables:
        if id(variable) in not_copied:
            continue
        key, values = keys[id(variable)], np.array(variable)
        named = axes.get(id(variable), (None,) * values.ndim)
        old_named = old_axes.get(id(variable), (None,) * values.ndim)
        indices = _common_indices(named, old_named, values.shape, old_shapes[key])
        if indices is None:
            continue
        new, old = indices
        values[np.ix_(*new)] = reader.get_tensor(key)[np.ix_(*old)]
        variable.assign(values)
        weights += 1
        if variable is tagger.network.words.embeddings:
            words = len(new[0]) - 1  # without the unknown word
    return CopiedWeights(weights, of_weights, words, of_words)


def _axis_names(
    tagger: Tagger,
    vocabularies: Vocabularies,
    labels: Sequence[str],
    preceding_shape: Sequence[int] | None = None,
) -> dict[int, tuple[AxisNames, ...]]:
    """Returns the names along each axis of the weights that have some, by the weight's id.

    Args:
        tagger: whose weights.
        vocabularies: the strings by id.
        labels: the tags by id.
        preceding_shape: shape of the preceding-character feature, by default the tagger's.
    """
    network = tagger.network
    label_names = [label.encode() for label in labels]
    words, affixes, characters = (
        [*vocabularies[name], _OUTSIDE]
        for name in (preprocessing.WORDS, preprocessing.AFFIXES, preprocessing.CHARACTERS)
    )
    widths = dict(network.input_widths)
    preceding_ids, widths["preceding_chars"] = preceding_shape or network.preceding_chars.shape
    widths["output"] = tagger.settings.lstm_units
    kernel_rows = [
        (feature, column) for feature, width in widths.items() for column in range(width)
    ]
    named: list[tuple[object, tuple[AxisNames, ...]]] = [
        (network.words.embeddings, (words, None)),
        (network.affixes.embeddings, (affixes, None)),
        (network.characters.embedding.embeddings, ([_PADDING, *characters], None)),
        (network.preceding_chars, (range(preceding_ids), range(widths["preceding_chars"]))),
        *((weights.kernel, (kernel_rows, None)) for weights in network.bilstms[0].directions),
        (network.emissions.kernel, (None, label_names)),
        (network.emissions.bias, (label_names,)),
        (tagger.transitions, (label_names, label_names)),
        (tagger.start, (label_names,)),
        (tagger.end, (label_names,)),
    ]
    return {id(weight): axes for weight, axes in named}


def _not_copied(tagger: Tagger) -> set[int]:
    """Returns the ids of variables fitted on dev, of pretrained vectors and of seeds."""
    variables = (tagger.temperature, tagger.odds, tagger.outside_bias, tagger.network.pretrained)
    seeds = (
        variable for variable in tagger.variables if not np.issubdtype(variable.dtype, np.floating)
    )
    return {id(variable) for variable in (*variables, *seeds)}


def _common_indices(
    names: Sequence[AxisNames],
    old_names: Sequence[AxisNames],
    shape: Sequence[int],
    old_shape: Sequence[int],
) -> tuple[list[Sequence[int]], list[Sequence[int]]] | None:
    """Finds what two weights have in common.

    Args:
        names: the new weight's names along each axis.
        old_names: the old weight's.
        shape: the new weight's.
        old_shape: the old weight's.

    Returns:
        The common indices along each axis, of the new and of the old weight, in the same order.
        None if the weights differ in an axis without names, or if names do not belong to a weight.
    """
    if len(shape) != len(old_shape):
        return None
    new, old = [], []
    for axis_names, old_axis_names, size, old_size in zip(names, old_names, shape, old_shape):
        if axis_names is None or old_axis_names is None:
            if size != old_size:
                return None
            new.append(range(size))
            old.append(range(size))
            continue
        if len(axis_names) != size or len(old_axis_names) != old_size:
            return None
        old_index = {name: index for index, name in enumerate(old_axis_names)}
        common = [
            (index, old_index[name]) for index, name in enumerate(axis_names) if name in old_index
        ]
        new.append([index for index, _ in common])
        old.append([index for _, index in common])
    return new, old
