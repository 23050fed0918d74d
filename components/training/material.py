"""What a tagger is fitted on, and the new tagger for it."""

from dataclasses import asdict, dataclass
from pathlib import Path

import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components import progress
from components.features import labels, preprocessing
from components.settings import Model
from components.tagger import vectors
from components.tagger.network import Sizes
from components.tagger.tagger import Tagger
from components.validation import contract


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
