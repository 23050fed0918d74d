"""What a tagger is fitted on and how, and the new tagger for it."""

from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components import progress
from components.features import preprocessing
from components.ner import labels
from components.settings import Model, Training
from components.tagger import vectors
from components.tagger.network import Sizes
from components.tagger.tagger import Tagger
from components.validation import curated_schema


@dataclass(frozen=True)
class Material:
    """What is fitted on: Transform's output, the label map, files of transformed examples, and, if there are, one of pretrained
    vectors and the SavedModel to start from."""

    transform: tft.TFTransformOutput
    labels: tuple[str, ...]
    train: list[str]
    dev: list[str]
    vectors: str | None
    start: str | None = None


@dataclass(frozen=True)
class Job:
    """A training: `given`, what to fit on; `model` and `training`, the tagger's sizes and how it is fitted; `checkpoints`, a folder
    for the best weights, the record of the epochs and what is needed to go on after a kill; `board`, one for TensorBoard.
    """

    given: Material
    model: Model
    training: Training
    checkpoints: Path
    board: str | None = None


def material(fn_args: FnArgs) -> Material:
    """What TFX hands over; `fn_args.custom_config` may have `vectors`."""
    return Material(
        tft.TFTransformOutput(fn_args.transform_graph_path),
        labels.label_map(curated_schema.types_of(curated_schema.read(fn_args.schema_path))),
        _files(fn_args.train_files),
        _files(fn_args.eval_files),
        fn_args.custom_config.get("vectors"),
        fn_args.base_model,
    )


def _files(patterns: list[str]) -> list[str]:
    return [file for pattern in patterns for file in tf.io.gfile.glob(pattern)]


def new_tagger(given: Material, settings: Model) -> Tagger:
    """A new tagger, its words as they begin or, where there is a file of pretrained vectors, with those."""
    sizes = Sizes(
        *(
            given.transform.vocabulary_size_by_name(name)
            for name in (preprocessing.WORDS, preprocessing.CHARACTERS, preprocessing.AFFIXES)
        )
    )
    if not given.vectors:
        return Tagger(sizes, given.labels, settings)
    vocabulary = given.transform.vocabulary_by_name(preprocessing.WORDS)
    words = {word.decode(): number for number, word in enumerate(vocabulary)}
    found = vectors.read(given.vectors, words, settings.other_words)
    progress.emit(
        progress.VectorsLoaded(len(found.known), len(words), len(found.others), found.dimensions)
    )
    tagger = Tagger(sizes._replace(vectors=found.dimensions), given.labels, settings, found.others)
    tagger.network.start_from(
        {words[word]: vector for word, vector in found.known.items()}, found.extra
    )
    return tagger
