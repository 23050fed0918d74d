"""The settings of each step: default, limits and description.

`pipeline.config` joins them into one configuration.
"""

import copy
from collections.abc import Mapping
from typing import Any, Literal, Optional

from pydantic import BaseModel, ConfigDict, Field, model_validator

from components.errors import UserError

# Keys that had another name in the last release: old name -> new name, both with their groups, as
# in "training.old": "training.new". They are read until the next release, with a warning.
RENAMED_KEYS: dict[str, str] = {
    "model.joint_dimensions": "model.preceding_char_dimensions",
    "model.other_words": "model.pretrained_only_words",
    "training.foretelling": "training.lm_loss_weight",
}

# Keys of the last release that have no effect any more: old name -> what happens instead.
REMOVED_KEYS: dict[str, str] = {
    "schedule.backoff": "a failed run is repeated after a minute, later after up to an hour",
    "schedule.hook_timeout": "a hook may take 30 seconds",
    "schedule.keep_logs": "the logs of the last 30 runs are kept",
}


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one dict with dotted keys.

    >>> flatten({"name": "ner", "training": {"epochs": 3}})
    {'name': 'ner', 'training.epochs': 3}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def rename_keys(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Replaces old keys (`RENAMED_KEYS`) by the new ones, and drops `REMOVED_KEYS`.

    Args:
      values: nested settings as YAML gives them; they are not changed.

    Returns:
      The settings with today's keys, and a phrase for each old key: "training.old is now
      training.new".

    Raises:
      UserError: an old key and its new name are both there.
    """
    renamed = copy.deepcopy(dict(values))
    notes = []
    for old, new in RENAMED_KEYS.items():
        (group, name), (new_group, new_name) = _find(renamed, old), _find(renamed, new)
        if name not in group:
            continue
        if new_name in new_group:
            raise UserError(f"found {old} and {new}; expected {new} alone: {old} is its old name")
        set_key(renamed, new, group.pop(name))
        notes.append(f"{old} is now {new}")
    for old, instead in REMOVED_KEYS.items():
        group, name = _find(renamed, old)
        if name in group:
            del group[name]
            notes.append(f"{old} has no effect any more ({instead})")
    return renamed, notes


def _find(values: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """The group that holds a dotted key, empty if it does not exist, and the key's name in it."""
    *groups, name = key.split(".")
    for group in groups:
        inner = values.get(group)
        values = inner if isinstance(inner, dict) else {}
    return values, name


def set_key(values: dict[str, Any], key: str, value: Any) -> None:
    """Sets a setting by its dotted key, in nested settings, which get its groups if needed."""
    *groups, name = key.split(".")
    for group in groups:
        values = values.setdefault(group, {})
    values[name] = value


class Settings(BaseModel):
    """A group of settings: unknown keys are errors, values cannot be changed once read.

    The docstring below a field is its description in docs/configuration.md and in `init-config`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Spans(Settings):
    """Which spans of data a run takes, and when one is whole."""

    first: Optional[int] = Field(None, ge=0)
    """Number of the oldest span to read; it must exist."""
    last: Optional[int] = Field(None, ge=0)
    """Number of the newest span to read; it must exist. By default the newest complete span."""
    newest: Literal["train", "held-out"] = "train"
    """What the newest span is for: train adds its train split to the others', held-out keeps all of
    it out of training and evaluates on it."""
    gaps: Literal["stop", "allow"] = "stop"
    """Whether a run stops if a number between two spans is missing."""
    marker: Optional[str] = Field(None, min_length=1)
    """Name of a file that is written last into a span, such as _SUCCESS; without it in the folder a
    span is incomplete."""
    quiet_seconds: float = Field(0, ge=0)
    """Seconds for which no file of a span may have changed before the span counts as complete."""


class Vocabulary(Settings):
    """What Transform counts on the train split."""

    words: int = Field(200_000, ge=1)
    """Maximum number of words, the most frequent ones."""
    minimum_frequency: int = Field(1, ge=1)
    """How often a word must occur in train to be in the vocabulary."""
    characters: int = Field(4_000, ge=1, le=30_000)
    """Maximum number of characters."""
    affixes: int = Field(30_000, ge=1)
    """Maximum number of prefixes and suffixes."""
    longest_token: int = Field(20, ge=2, le=200)
    """Number of characters of a token that the model reads; of a longer token it reads both
    ends."""


class Model(Settings):
    """The tagger's sizes."""

    word_dimensions: int = Field(100, ge=1, le=2_000)
    """Width of word embeddings; pretrained vectors come in addition."""
    vector_units: int = Field(100, ge=1, le=2_000)
    """With pretrained vectors, units of a hidden layer over them."""
    pretrained_only_words: int = Field(200_000, ge=0)
    """With pretrained vectors, how many words outside train to keep."""
    character_dimensions: int = Field(30, ge=1, le=500)
    """Width of character embeddings."""
    character_filters: int = Field(50, ge=1, le=2_000)
    """Filters of the character CNN."""
    character_window: int = Field(3, ge=1, le=15)
    """Characters a filter sees at once."""
    shape_dimensions: int = Field(10, ge=1, le=200)
    """Width of word-shape embeddings."""
    preceding_char_dimensions: int = Field(5, ge=1, le=200)
    """Width of embeddings of the joining character right before a word, as in @name; one more where
    the network's input width would be odd."""
    affix_dimensions: int = Field(10, ge=1, le=200)
    """Width of each prefix and suffix embedding."""
    lstm_units: int = Field(100, ge=1, le=4_000)
    """Units of the LSTM in each direction."""
    lstm_layers: int = Field(1, ge=1, le=8)
    """BiLSTM layers."""
    output: Literal["crf", "softmax"] = "crf"
    """Crf decodes whole tag sequences, softmax single tags."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Dropout rate of the inputs of the BiLSTM and of the output layer."""
    word_dropout: float = Field(0.5, ge=0, lt=1)
    """Probability that a word that occurs once is read as unknown in training; lower for frequent
    words."""


class Training(Settings):
    """How the tagger is fitted."""

    epochs: int = Field(10, ge=1, le=10_000)
    """Most epochs; an epoch is a pass over train, or as many as make 100 steps."""
    patience: int = Field(4, ge=1)
    """Epochs without a better F1 on dev after which training stops."""
    batch_size: int = Field(32, ge=1, le=65_536)
    """Sentences a step."""
    learning_rate: float = Field(4e-3, gt=0, lt=1)
    """Adam's learning rate at the beginning; it falls linearly to a tenth."""
    lm_loss_weight: float = Field(0.1, ge=0, le=10)
    """Weight of the auxiliary language-model loss, which predicts the words next to each token; 0
    for none."""
    gradient_norm: float = Field(5.0, gt=0)
    """Global norm of the gradients above which they are scaled down (clipping)."""
    seed: int = Field(1, ge=0, lt=2**31)
    """Seed of weights, shuffling and dropout."""
    threads: int = Field(0, ge=0, le=1_024)
    """Operations that TensorFlow runs in parallel, 0 for one a core."""
    warm_start: bool = False
    """Start from the weights of the model that serves, as far as they fit."""
    distribute: Literal["none", "mirrored", "multi-worker"] = "none"
    """Divide each batch among devices: mirrored takes those of this machine, multi-worker those of
    all machines that TF_CONFIG names, where `tfx-ner worker` has to run."""
    replicas: int = Field(0, ge=0, le=64)
    """Devices for training.distribute=mirrored, 0 for every GPU; without a GPU, logical parts of
    the CPU."""

    @model_validator(mode="after")
    def _replicas_are_mirrored(self):
        if self.replicas and self.distribute != "mirrored":
            raise ValueError(
                f"replicas={self.replicas} with distribute={self.distribute};"
                " expected distribute=mirrored where replicas is set"
            )
        return self


class Gate(Settings):
    """What a new model must reach before it is published, in entity F1 on the evaluated split."""

    minimum_f1: float = Field(0.3, ge=0, le=1)
    """Lowest F1 over all types with which a model is published."""
    tolerance: float = Field(0.02, ge=0, le=1)
    """How much lower the F1 of a new model may be than that of the serving model; the seed alone
    changes F1 by about 0.01."""
    type_tolerance: float = Field(0.1, ge=0, le=1)
    """How much lower the F1 of any single type may be than the serving model's."""
    type_support: int = Field(50, ge=1)
    """Number of entities of a type in the evaluated split from which type_tolerance applies to
    it."""


class Publish(Settings):
    """How a model that the gate let through is published."""

    canary: bool = False
    """Publish as a canary: a model of its own, as ner-canary, that only requests for it meet, until
    `tfx-ner models promote`; WORKDIR/serving/models.config serves both."""
    base_path: Optional[str] = Field(None, min_length=1)
    """Folder of this model's versions as servers see it, for models.config, as /models/ner in a
    container."""
    copy_to: Optional[str] = Field(None, min_length=1)
    """Address of a folder that gets a copy of the version that serves, as s3://bucket/models/ner; a
    canary goes to s3://bucket/models/ner-canary."""


class Card(Settings):
    """What the model card says and only its owner knows."""

    intended_use: str = ""
    """What the model is for, and who uses it."""
    licence: str = ""
    """Terms under which the model may be used."""
    limits: str = ""
    """What the model must not be used for, and what it does badly."""
    contact: str = ""
    """Whom to ask about the model."""


class Keep(Settings):
    """Whose artifacts are kept; what goes is that of runs older than both say, after each run. See
    `tfx-ner runs prune`.
    """

    runs: int = Field(0, ge=0)
    """Number of newest runs whose artifacts are kept, 0 to keep all; older ones are removed after
    each run."""
    days: int = Field(0, ge=0)
    """With keep.runs, artifacts of runs younger than this are kept as well."""
    set_aside_days: int = Field(30, ge=0)
    """Days that files of unknown origin stay in WORKDIR/set-aside until `tfx-ner runs prune`
    removes them."""
