"""Every figure of a report, as frozen dataclasses that are written to JSON and read back.

A run's `Measured` comes from the model's predictions and is kept as a TFX artifact. `Figures` adds
what only the run knows; it is the content of `report.json` and of the page. Scores, shares and
probabilities lie between 0 and 1. Lists that grow with the data are cut; their totals are exact.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, BeforeValidator, Field, TypeAdapter

from components.ner.scores import PRF

FORMAT = 2
"""Increases when older code can no longer read a report. Reports of format 1 are still read."""

OUTSIDE = "O"
"""Label of tokens outside all entities."""

# Kinds of matches between true and predicted entities (`components.report.alignment.Pair.kind`).
CORRECT = "correct"
WRONG_TYPE = "type"
BOUNDARY = "boundary"
BOUNDARY_AND_TYPE = "boundary_and_type"
MISSED = "missed"
SPURIOUS = "spurious"

_KINDS_OF_FORMAT_1 = {"borders": BOUNDARY, "both": BOUNDARY_AND_TYPE, "invented": SPURIOUS}


def _renamed(name: str, name_in_format_1: str) -> Any:
    """A field that had another name in reports of format 1."""
    return Field(validation_alias=AliasChoices(name, name_in_format_1))


_T = TypeVar("_T")
_Kind = Annotated[str, BeforeValidator(lambda kind: _KINDS_OF_FORMAT_1.get(kind, kind))]


@dataclass(frozen=True)
class Score:
    """Counts of entities (exact span and type) and the scores that follow; 0 for 0/0."""

    tp: int
    fp: int
    fn: int
    precision: float
    recall: float
    f1: float
    support: int

    @classmethod
    def of(cls, counts: PRF) -> Score:
        return cls(counts.tp, counts.fp, counts.fn, **counts.as_dict())


@dataclass(frozen=True)
class Interval:
    """A bootstrap confidence interval that covers the figure with probability `level`."""

    low: float
    high: float
    level: float = 0.95


# The verdict


@dataclass(frozen=True)
class EarlierRun:
    """A run before this one."""

    run: str  # name of its folder
    began: str  # ISO 8601
    f1: float
    published: bool
    evaluated_on: str = ""  # name of a split


@dataclass(frozen=True)
class Verdict:
    """The result of the run."""

    run: str  # name of its folder
    began: str  # ISO 8601
    corpus: str  # the user's name for the corpus
    model: str
    published: str | None  # folder of the version; None if a gate refused the model
    reasons: tuple[str, ...] = ()  # why the model was not published
    nothing_ran: bool = False  # every step was cached, and the version was published before
    incomparable: bool = False  # the model in service has other signatures
    minimum_f1: float = 0.0
    tolerance: float = 0.0
    evaluated_on: str = ""  # the split, or what it was taken from
    history: tuple[EarlierRun, ...] = ()  # earlier runs in this work folder, oldest first


# Quality of the model


@dataclass(frozen=True)
class BaselineComparison:
    """The new model against the one in service on the same sentences (Koehn 2004)."""

    model: str  # version or folder of the model in service
    baseline: Annotated[Score, _renamed("baseline", "before")]
    difference: float  # F1 of the new model minus F1 of the model in service
    interval: Interval  # of the difference
    p_value: Annotated[float, _renamed("p_value", "p")]  # two-sided, by the paired bootstrap


@dataclass(frozen=True)
class Scheme:
    """Counts and scores of one matching scheme of SemEval 2013 task 9.1, as nervaluate has them.

    A partial match counts half in precision and recall.
    """

    correct: int
    incorrect: int
    partial: int
    missed: int
    spurious: int
    possible: int  # correct + incorrect + partial + missed
    actual: int  # correct + incorrect + partial + spurious
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Matches:
    """The four matching schemes of SemEval 2013."""

    strict: Scheme  # same span and type
    exact: Scheme  # same span, any type
    partial: Scheme  # overlap, any type
    ent_type: Scheme  # overlap with the same type


@dataclass(frozen=True)
class Outcomes:
    """Counts of true entities by outcome, and of spurious predictions.

    The counts without `spurious` add up to the support; the counts without `missed` add up to the
    number of predicted entities. Pairs come from `components.report.alignment`. In the counts of a
    type, a pair counts under the type of its true entity.
    """

    correct: int = 0
    wrong_type: int = 0  # right span
    wrong_boundary: Annotated[int, _renamed("wrong_boundary", "wrong_borders")] = 0  # right type
    # Only an overlap.
    wrong_boundary_and_type: Annotated[int, _renamed("wrong_boundary_and_type", "wrong_both")] = 0
    missed: int = 0
    spurious: Annotated[int, _renamed("spurious", "invented")] = 0


@dataclass(frozen=True)
class TypeFigures:
    """The figures of one entity type."""

    type: str
    score: Score
    interval: Interval  # of F1
    outcomes: Outcomes
    matches: Matches
    baseline_score: Annotated[Score | None, _renamed("baseline_score", "before")] = None


@dataclass(frozen=True)
class Confusion:
    """Counts of aligned pairs by true and predicted type.

    A row adds up to the type's support, a column to the number of predictions of the type.
    """

    labels: tuple[str, ...]  # the types in order, then OUTSIDE
    counts: tuple[tuple[int, ...], ...]  # [true label][predicted label]


@dataclass(frozen=True)
class Slice:
    """The score of a subset of the entities or of the sentences."""

    name: str
    score: Score
    sentences: int | None = None  # None for a subset of the entities


@dataclass(frozen=True)
class Slices:
    """Scores of subsets, each in a fixed order; empty subsets are left out."""

    novelty: tuple[Slice, ...]  # seen in train with the same type, with another type, unseen
    case: tuple[Slice, ...]  # all upper, all lower, title case, mixed, no letters
    entity_length: tuple[Slice, ...]  # in tokens
    sentence_length: tuple[Slice, ...]  # in tokens


@dataclass(frozen=True)
class Bin:
    """Predicted entities with a score from `low` to `high`."""

    low: float
    high: float
    count: int
    confidence: float  # mean score
    accuracy: float  # share of correct predictions


@dataclass(frozen=True)
class Reliability:
    """Calibration of the scores: bins of equal width and the expected calibration error.

    Sources: Naeini, Cooper and Hauskrecht 2015; Guo et al. 2017.
    """

    bins: tuple[Bin, ...]  # empty bins are left out
    error: float
    # 95th percentile of the error of perfectly calibrated scores; None in old reports.
    chance_error: Annotated[float | None, _renamed("chance_error", "by_chance")] = None

    def exceeds(self, error: float) -> bool:
        """Whether the calibration error is at least `error` and not explained by chance."""
        return self.error >= max(error, self.chance_error or 0.0)


@dataclass(frozen=True)
class Curve:
    """Predictions that remain at each threshold on their score."""

    support: int
    predicted: Annotated[tuple[int, ...], _renamed("predicted", "found")]
    correct: Annotated[tuple[int, ...], _renamed("correct", "right")]

    @property
    def scores(self) -> tuple[Score, ...]:
        """Precision, recall and F1 at each threshold."""
        return tuple(
            Score.of(PRF(correct, predicted - correct, self.support - correct))
            for predicted, correct in zip(self.predicted, self.correct)
        )


@dataclass(frozen=True)
class Thresholds:
    """Threshold curves over all types and for each type."""

    thresholds: tuple[float, ...]
    overall: Curve
    per_type: Mapping[str, Curve]
    best: int  # index of the threshold with the highest F1 over all types


@dataclass(frozen=True)
class ExampleEntity:
    """An entity in an example."""

    start: int  # index of its first token
    end: int  # index after its last token
    type: str
    score: float | None = None  # None for a true entity


@dataclass(frozen=True)
class Example:
    """A sentence, or the part of a long sentence, around an error. Indices refer to `tokens`."""

    id: str  # file and line in the corpus
    index: Annotated[int, _renamed("index", "number")]  # of the sentence in its split, from 0
    tokens: tuple[str, ...]
    gold: tuple[ExampleEntity, ...]
    predicted: tuple[ExampleEntity, ...]
    start: int  # first token of the error
    end: int  # index after the last token of the error
    before: int = 0  # number of tokens cut off before `tokens`
    after: int = 0  # number of tokens cut off after `tokens`


@dataclass(frozen=True)
class ErrorGroup:
    """Similar errors of one kind and type."""

    # MISSED, SPURIOUS: the words of the entity. WRONG_TYPE, BOUNDARY_AND_TYPE: the predicted type.
    # BOUNDARY: the difference ("ends too early"). "": all other errors of the kind and type.
    label: str
    count: int
    examples: tuple[Example, ...]
    # MISSED: true entities with these words and type. SPURIOUS: predicted ones. Otherwise None.
    total: Annotated[int | None, _renamed("total", "of")] = None
    # BOUNDARY: words that are missing from the prediction or too many, most frequent first.
    words: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ErrorKind:
    """All errors of one kind and type."""

    kind: _Kind
    type: str  # the true type; for SPURIOUS the predicted type
    count: int
    groups: tuple[ErrorGroup, ...]  # largest first


@dataclass(frozen=True)
class Errors:
    """All errors; each is in one kind and in one of its groups."""

    count: int
    kinds: tuple[ErrorKind, ...]  # largest first


@dataclass(frozen=True)
class Disagreement:
    """A prediction with a high score that contradicts the corpus."""

    predicted: ExampleEntity
    gold: str  # the true types it overlaps, or OUTSIDE
    example: Example


@dataclass(frozen=True)
class Conflict:
    """The same words with several labels in train."""

    words: str
    labels: Mapping[str, int]  # count of each label, OUTSIDE included, most frequent first
    # Occurrences that do not have the most frequent label.
    minority_count: Annotated[int, _renamed("minority_count", "rare")]
    # Sentences with the rarest label.
    sentence_ids: Annotated[tuple[str, ...], _renamed("sentence_ids", "ids")]


@dataclass(frozen=True)
class Suspects:
    """Labels that may be wrong, the most suspicious first; the counts cover all of them."""

    threshold: Annotated[float, _renamed("threshold", "sure")]  # score of a confident prediction
    disagreement_count: int
    disagreements: tuple[Disagreement, ...]
    conflict_count: int
    conflicts: tuple[Conflict, ...]


@dataclass(frozen=True)
class Evaluation:
    """The model's predictions on the evaluated split."""

    split: str
    sentences: int
    tokens: int
    overall: Score
    interval: Interval  # of F1
    resamples: int  # of the bootstrap
    comparison: Annotated[BaselineComparison | None, _renamed("comparison", "against")]
    outcomes: Outcomes
    matches: Matches
    types: tuple[TypeFigures, ...]  # types of train and of the model, sorted
    confusion: Confusion
    slices: Slices
    reliability: Reliability
    thresholds: Thresholds
    errors: Errors
    suspects: Suspects


# The data


@dataclass(frozen=True)
class LengthBin:
    """Number of sentences with `low` to `high` tokens, both included."""

    low: int
    high: int
    count: int

    @property
    def name(self) -> str:
        return f"{self.low}" if self.low == self.high else f"{self.low}–{self.high}"


@dataclass(frozen=True)
class SplitFigures:
    """Figures of one split."""

    name: str
    sentences: int
    tokens: int
    entities: int
    documents: int
    longest: int  # tokens of the longest sentence
    types: Mapping[str, int]  # entities of each type
    lengths: tuple[LengthBin, ...]
    unknown_tokens: float | None = None  # share of tokens that train lacks; None for train
    unknown_entities: float | None = None  # the same for entities with their type


@dataclass(frozen=True)
class Overlap:
    """Content of the split `right` that also occurs in the split `left`."""

    left: str
    right: str
    sentences: int  # identical sentences
    sentence_share: float  # of the sentences of `right`
    entities: int  # entities with the same words and type
    entity_share: float  # of the entities of `right`


@dataclass(frozen=True)
class SpanFigures:
    """One span of data in TFX's sense: one delivery of data."""

    number: int
    version: int
    sentences: int | None = None
    types: Mapping[str, int] = field(default_factory=dict)  # entities of each type


@dataclass(frozen=True)
class Anomaly:
    """An anomaly that TensorFlow Data Validation found in a feature of a split."""

    split: str
    feature: str
    text: str


@dataclass(frozen=True)
class Drift:
    """Distance between two distributions of a feature, from TensorFlow Data Validation."""

    feature: str
    measure: str
    value: float
    threshold: float  # from the schema
    between: str = ""  # names of the two data sets


@dataclass(frozen=True)
class FeatureStatistics:
    """TensorFlow Data Validation's statistics of a feature in a split."""

    split: str
    feature: str
    present: int  # examples with the feature
    missing: int  # examples without it
    values: int  # over all examples
    unique: int | None  # None for numbers
    mean_values: float  # per example
    top: Mapping[str, int]  # the most frequent values


@dataclass(frozen=True)
class Data:
    """Figures of the corpus."""

    splits: tuple[SplitFigures, ...]
    overlaps: tuple[Overlap, ...]
    anomalies: tuple[Anomaly, ...]
    drift: tuple[Drift, ...]  # empty if there is nothing to compare with
    statistics: tuple[FeatureStatistics, ...]
    spans: tuple[SpanFigures, ...] = ()  # empty if the data does not come in spans


# The training


@dataclass(frozen=True)
class Epoch:
    """One epoch of the training."""

    epoch: int  # from 1
    loss: float  # mean over the tokens of train
    precision: float  # of entities on dev, as recall and f1
    recall: float
    f1: float
    learning_rate: float  # at the end of the epoch
    seconds: float  # without the scoring of dev
    tokens: int

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Training:
    """The epochs and the calibration on dev (`components.training.calibration`)."""

    epochs: tuple[Epoch, ...]
    best_epoch: int | None = None
    outside_bias: Annotated[float | None, _renamed("outside_bias", "boldness")] = None
    temperature: float | None = None
    odds: float | None = None  # factor on the odds of every entity
    odds_by_type: dict[str, float] | None = None
    calibration_error: float | None = None  # expected calibration error on dev


@dataclass(frozen=True)
class Node:
    """A node of the run."""

    name: str
    seconds: float
    cached: bool
    reason: str  # why it ran or was cached


@dataclass(frozen=True)
class Provenance:
    """The inputs of the run."""

    configuration: Mapping[str, object]  # as in config.yaml
    versions: Mapping[str, str]  # of packages
    hashes: Mapping[str, str]  # of data, configuration and code
    nodes: tuple[Node, ...]  # in order


# The model card


@dataclass(frozen=True)
class ModelDetails:
    """Description of the model."""

    name: str
    version: str
    date: str
    overview: str
    architecture: str
    types: tuple[str, ...]
    tokenisation: str
    licence: str = ""  # the user's words
    contact: str = ""  # the user's words


@dataclass(frozen=True)
class DataSet:
    """Data that the model was trained or evaluated on."""

    name: str
    split: str
    sentences: int
    tokens: int
    entities: int
    hash: str = ""


@dataclass(frozen=True)
class Metric:
    """A metric with its interval."""

    name: str
    slice: str  # "all" for the whole split
    value: float
    interval: Interval | None = None
    support: int | None = None


@dataclass(frozen=True)
class Considerations:
    """What users of the model should know."""

    intended_use: str = ""  # the user's words
    limits: str = ""  # the user's words
    caveats: tuple[str, ...] = ()  # derived from the figures


@dataclass(frozen=True)
class ModelCard:
    """A model card (Mitchell et al. 2019)."""

    details: ModelDetails
    training_data: DataSet
    evaluation_data: DataSet
    metrics: tuple[Metric, ...]
    considerations: Considerations


# The whole report


@dataclass(frozen=True)
class Measured:
    """The part of a report that the Report node measures; `figures.json` in its artifact."""

    evaluation: Evaluation
    data: Data
    training: Training


@dataclass(frozen=True)
class Figures:
    """A whole report; `report.json`."""

    verdict: Verdict
    evaluation: Evaluation
    data: Data
    training: Training
    provenance: Provenance
    card: ModelCard
    format: int = FORMAT


def as_json(figures: Figures | Measured) -> str:
    """Returns the report, or its measured part, as JSON."""
    values = asdict(figures)
    return json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def parse_figures(text: str | bytes) -> Figures:
    """Parses the JSON of a report. Raises ValueError if it is not a report of a known format."""
    figures = parse(Figures, text)
    if not 1 <= figures.format <= FORMAT:
        raise ValueError(f"its format is {figures.format}; expected 1 to {FORMAT}")
    return figures


def parse(kind: type[_T], text: str | bytes) -> _T:
    """Parses JSON as figures of a kind, such as `Measured`. Raises ValueError if it is not that."""
    return TypeAdapter(kind).validate_json(text)
