"""What a report holds: every figure, as frozen dataclasses that go to JSON and back.

A run's `Measured` comes from its predictions and is kept as a TFX artifact; `Figures` adds what only the run knows, and is
what `report.json` holds and the page shows. Scores, shares and probabilities go from 0 to 1; lists are bounded where the
data are not, and the totals beside them are always exact.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Optional

from components.ner.scores import PRF

FORMAT = 1
"""Counts up when a report cannot be read by the code before it."""

OUTSIDE = "O"
"""Where a type could stand: no entity there."""


@dataclass(frozen=True)
class Score:
    """Counts of entities (exact span and type) and what follows from them, 0 where there is nothing to divide by."""

    tp: int
    fp: int
    fn: int
    precision: float
    recall: float
    f1: float
    support: int

    @classmethod
    def of(cls, counts: PRF) -> Score:
        return cls(
            counts.tp,
            counts.fp,
            counts.fn,
            counts.precision,
            counts.recall,
            counts.f1,
            counts.support,
        )


@dataclass(frozen=True)
class Interval:
    """Between which values a figure lies with the probability `level`, by the bootstrap."""

    low: float
    high: float
    level: float = 0.95


# The verdict


@dataclass(frozen=True)
class EarlierRun:
    """A run before this one: the name of its folder, when it began (ISO 8601), and the F1 that it measured, on which split."""

    run: str
    began: str
    f1: float
    published: bool
    evaluated_on: str = ""


@dataclass(frozen=True)
class Verdict:
    """What came of the run.

    `run` is the name of its folder, `began` when it did (ISO 8601), `corpus` what the user calls the corpus; `published` is
    the version's folder, None where the gate let nothing through, and then `reasons` says why. `nothing_ran`: everything
    was cached, and what is published was so before. `incomparable`: the model before has other signatures and could not be
    measured. `evaluated_on` says what was measured on, the split or what it was taken from. `history` has the runs before
    this one in the same workdir, oldest first.
    """

    run: str
    began: str
    corpus: str
    model: str
    published: Optional[str]
    reasons: tuple[str, ...] = ()
    nothing_ran: bool = False
    incomparable: bool = False
    minimum_f1: float = 0.0
    tolerance: float = 0.0
    evaluated_on: str = ""
    history: tuple[EarlierRun, ...] = ()


# How good the model is


@dataclass(frozen=True)
class Against:
    """The model measured beside the one that serves, on the same sentences, by the paired bootstrap (Koehn 2004).

    `model`: the other one's version or folder. `difference` is the new F1 less the old one. `p` is the share of resamples in
    which the sign of the difference is the other one or none, doubled: how easily chance alone gives such a difference.
    """

    model: str
    before: Score
    difference: float
    interval: Interval
    p: float


@dataclass(frozen=True)
class Scheme:
    """Counts and scores of one of SemEval 2013's ways to match (task 9.1), as nervaluate has them.

    `partial` counts half in precision and recall. `possible` = correct + incorrect + partial + missed, `actual` = correct +
    incorrect + partial + spurious.
    """

    correct: int
    incorrect: int
    partial: int
    missed: int
    spurious: int
    possible: int
    actual: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Matches:
    """SemEval's four ways: `strict` span and type, `exact` span whatever the type, `partial` overlap whatever the type,
    `ent_type` overlap with the right type.
    """

    strict: Scheme
    exact: Scheme
    partial: Scheme
    ent_type: Scheme


@dataclass(frozen=True)
class Outcomes:
    """What became of each true entity, and what was invented; the pairs are those of `components.report.alignment`.

    `correct` + `wrong_type` + `wrong_borders` + `wrong_both` + `missed` is the support; with `invented` in place of `missed`
    it is the number that was found. For one type, the pairs with another type count where the true entity has the type,
    and `invented` counts what was found with the type and overlaps no true entity.
    """

    correct: int = 0
    wrong_type: int = 0  # the right span
    wrong_borders: int = 0  # the right type
    wrong_both: int = 0  # they overlap
    missed: int = 0
    invented: int = 0


@dataclass(frozen=True)
class TypeFigures:
    """One entity type: its score, with its interval; what became of its entities; SemEval's matches."""

    type: str
    score: Score
    interval: Interval
    outcomes: Outcomes
    matches: Matches
    before: Optional[Score] = None  # of the model that serves, where there is one


@dataclass(frozen=True)
class Confusion:
    """`counts[gold][found]` over `labels`, the types in order and O last: pairs of entities, each of which is in one pair.

    A row adds up to the type's support, a column to the number found with the type; O against O is empty.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Slice:
    """A part of the entities, or of the sentences, and the score there; `sentences` is None for a part of the entities."""

    name: str
    score: Score
    sentences: Optional[int] = None


@dataclass(frozen=True)
class Slices:
    """Where the score comes from: the same entities cut in several ways, each in a fixed order, empty parts left out.

    `novelty`: seen in train with the same type, with another type only, unseen; `case`: all upper, all lower, title, mixed,
    without letters; `entity_length` in tokens; `sentence_length` in tokens.
    """

    novelty: tuple[Slice, ...]
    case: tuple[Slice, ...]
    entity_length: tuple[Slice, ...]
    sentence_length: tuple[Slice, ...]


@dataclass(frozen=True)
class Bin:
    """Found entities whose scores lie from `low` to `high`: how many, their mean score, and the share that is right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """Whether scores are probabilities: bins of equal width, empty ones left out, and the expected calibration error over
    them (Naeini, Cooper and Hauskrecht 2015; Guo et al. 2017). `by_chance` is what that stays below, 95 times of 100, where scores
    are exact; older reports lack it.
    """

    bins: tuple[Bin, ...]
    error: float
    by_chance: Optional[float] = None

    def is_off_by(self, much: float) -> bool:
        """Whether scores are so much off on average, and more than chance makes them."""
        return self.error >= max(much, self.by_chance or 0.0)


@dataclass(frozen=True)
class Curve:
    """What is left where only entities with a score of at least a threshold are taken, a value for each threshold:
    `found` entities, `right` ones among them.
    """

    support: int
    found: tuple[int, ...]
    right: tuple[int, ...]

    @property
    def scores(self) -> tuple[Score, ...]:
        """Precision, recall and F1 at each threshold."""
        return tuple(
            Score.of(PRF(right, found - right, self.support - right))
            for found, right in zip(self.found, self.right)
        )


@dataclass(frozen=True)
class Thresholds:
    """The curves over all types and for each; `best` is the place in `thresholds` of the highest F1 over all types."""

    thresholds: tuple[float, ...]
    overall: Curve
    per_type: Mapping[str, Curve]
    best: int


@dataclass(frozen=True)
class Found:
    """An entity in an example: the tokens from `start` up to, not including, `end`; `score` is None for a true one."""

    start: int
    end: int
    type: str
    score: Optional[float] = None


@dataclass(frozen=True)
class Example:
    """A sentence that shows something, or the part of a long one around it.

    `id` is the corpus's file and line, `number` counts the evaluated sentences (or train's) from 0. `before` and `after` are
    the numbers of tokens cut off. `start` and `end` are the tokens that it is about. All places are in `tokens`.
    """

    id: str
    number: int
    tokens: tuple[str, ...]
    gold: tuple[Found, ...]
    predicted: tuple[Found, ...]
    start: int
    end: int
    before: int = 0
    after: int = 0


@dataclass(frozen=True)
class ErrorGroup:
    """Errors of one kind and type that are alike.

    `label` says in what: for `missed` and `invented` the entity's words; for `type` and `both` the type that was found; for
    `borders` how they differ ("ends too early"). `of`: how many entities there are that could be in the group (true ones
    with these words, or found ones), None where that says nothing. `words`: of borders, the words that are too many or
    missing, most frequent first. "" as label: all others.
    """

    label: str
    count: int
    examples: tuple[Example, ...]
    of: Optional[int] = None
    words: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ErrorKind:
    """All errors of a kind with a type, which is the true one or, where there is none, the found one; groups largest first.

    `kind`: `missed`, `borders` (the right type), `type` (the right span), `both` (another type and other borders), `invented`.
    """

    kind: str
    type: str
    count: int
    groups: tuple[ErrorGroup, ...]


@dataclass(frozen=True)
class Errors:
    """Every error is in one kind, and in one group there; kinds largest first."""

    count: int
    kinds: tuple[ErrorKind, ...]


@dataclass(frozen=True)
class Disagreement:
    """The model is sure and the corpus says otherwise: `predicted` with a high score, `gold` the true types it overlaps, O
    for none.
    """

    predicted: Found
    gold: str
    example: Example


@dataclass(frozen=True)
class Conflict:
    """The same words with several labels in train: how often each, O for outside of every entity, most frequent first.

    `rare` counts those that are not as most are; `ids` are sentences with the rarest label.
    """

    words: str
    labels: Mapping[str, int]
    rare: int
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Suspects:
    """Labels that may be wrong. The lists begin with the most suspicious; `disagreement_count` and `conflict_count` are of all.

    `sure` is the score from which the model counts as sure.
    """

    sure: float
    disagreement_count: int
    disagreements: tuple[Disagreement, ...]
    conflict_count: int
    conflicts: tuple[Conflict, ...]


@dataclass(frozen=True)
class Evaluation:
    """The model's predictions on the evaluated split, from all sides. `types` are in order, those of train and of the model."""

    split: str
    sentences: int
    tokens: int
    overall: Score
    interval: Interval
    resamples: int
    against: Optional[Against]
    outcomes: Outcomes
    matches: Matches
    types: tuple[TypeFigures, ...]
    confusion: Confusion
    slices: Slices
    reliability: Reliability
    thresholds: Thresholds
    errors: Errors
    suspects: Suspects


# What in the data causes it


@dataclass(frozen=True)
class LengthBin:
    """Sentences of `low` to `high` tokens, both included."""

    low: int
    high: int
    count: int


@dataclass(frozen=True)
class SplitFigures:
    """One split. `unknown_tokens` and `unknown_entities`: the shares that train does not have (of entities with the same type
    and words), None for train.
    """

    name: str
    sentences: int
    tokens: int
    entities: int
    documents: int
    longest: int
    types: Mapping[str, int]
    lengths: tuple[LengthBin, ...]
    unknown_tokens: Optional[float] = None
    unknown_entities: Optional[float] = None


@dataclass(frozen=True)
class Overlap:
    """What is in both of two splits: `sentences` of `right` that are in `left` word by word, and `entities` of `right` whose
    type and words are in `left`; the shares are of `right`.
    """

    left: str
    right: str
    sentences: int
    sentence_share: float
    entities: int
    entity_share: float


@dataclass(frozen=True)
class SpanFigures:
    """One span of data (TFX's spans, not those of entities), with its entities by type."""

    number: int
    version: int
    sentences: Optional[int] = None
    types: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Anomaly:
    """What TFDV holds against a feature of a split."""

    split: str
    feature: str
    text: str


@dataclass(frozen=True)
class Drift:
    """How far a feature of the data lies from what it was, by TFDV; `threshold` is the contract's, `between` says of what and
    what.
    """

    feature: str
    measure: str
    value: float
    threshold: float
    between: str = ""


@dataclass(frozen=True)
class FeatureStatistics:
    """TFDV's statistics of a feature in a split: in how many examples it is, is not; its values in all, and different
    ones; the mean number of values in an example; the most frequent values.
    """

    split: str
    feature: str
    present: int
    missing: int
    values: int
    unique: Optional[int]
    mean_values: float
    top: Mapping[str, int]


@dataclass(frozen=True)
class Data:
    """The corpus. `drift` is empty where there is nothing to compare with, `spans` where the data is not of spans."""

    splits: tuple[SplitFigures, ...]
    overlaps: tuple[Overlap, ...]
    anomalies: tuple[Anomaly, ...]
    drift: tuple[Drift, ...]
    statistics: tuple[FeatureStatistics, ...]
    spans: tuple[SpanFigures, ...] = ()


# How it came to be


@dataclass(frozen=True)
class Epoch:
    """One pass over train: mean loss, entity scores on dev, the optimizer's step size at its end, seconds without the scoring."""

    epoch: int
    loss: float
    precision: float
    recall: float
    f1: float
    learning_rate: float
    seconds: float
    tokens: int

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Training:
    """The epochs, which of them was kept, and what was fitted on dev after it: how boldly O is left, the temperature of the
    scores, by what their odds are multiplied, all together and by type, and how far they are off then.
    """

    epochs: tuple[Epoch, ...]
    best_epoch: Optional[int] = None
    boldness: Optional[float] = None
    temperature: Optional[float] = None
    odds: Optional[float] = None
    odds_by_type: Optional[dict[str, float]] = None
    calibration_error: Optional[float] = None


@dataclass(frozen=True)
class Node:
    """A step of the run: how long it took, whether it came from the cache, and why."""

    name: str
    seconds: float
    cached: bool
    reason: str


@dataclass(frozen=True)
class Provenance:
    """What the run was made of: its configuration (as `config.yaml` has it), versions of packages, hashes by what they are
    of, and its nodes in order.
    """

    configuration: Mapping[str, object]
    versions: Mapping[str, str]
    hashes: Mapping[str, str]
    nodes: tuple[Node, ...]


# The model card


@dataclass(frozen=True)
class ModelDetails:
    """What the model is; `licence` and `contact` are the user's words, "" where there are none."""

    name: str
    version: str
    date: str
    overview: str
    architecture: str
    types: tuple[str, ...]
    tokenisation: str
    licence: str = ""
    contact: str = ""


@dataclass(frozen=True)
class DataSet:
    """Data that a model was trained or measured on."""

    name: str
    split: str
    sentences: int
    tokens: int
    entities: int
    hash: str = ""


@dataclass(frozen=True)
class Metric:
    """A value with its interval; `slice` is what it was measured on, "all" for everything."""

    name: str
    slice: str
    value: float
    interval: Optional[Interval] = None
    support: Optional[int] = None


@dataclass(frozen=True)
class Considerations:
    """`intended_use` and `limits` are the user's words, empty where there are none; `caveats` follow from the figures."""

    intended_use: str = ""
    limits: str = ""
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelCard:
    """A model card (Mitchell et al. 2019)."""

    details: ModelDetails
    training_data: DataSet
    evaluation_data: DataSet
    metrics: tuple[Metric, ...]
    considerations: Considerations


# All of it


@dataclass(frozen=True)
class Measured:
    """What a run's Report node measures; kept as `figures.json` in its artifact."""

    evaluation: Evaluation
    data: Data
    training: Training


@dataclass(frozen=True)
class Figures:
    """A whole report."""

    verdict: Verdict
    evaluation: Evaluation
    data: Data
    training: Training
    provenance: Provenance
    card: ModelCard
    format: int = FORMAT


def as_dict(figures: Figures | Measured) -> dict[str, object]:
    """A report, or its measured part, as JSON has it."""
    return asdict(figures)


def as_json(figures: Figures | Measured) -> str:
    """The JSON of a report, or of its measured part."""
    return (
        json.dumps(as_dict(figures), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        + "\n"
    )


def read(text: str | bytes) -> Figures:
    """A report from its JSON. Raises ValueError where it is none, or of another format."""
    found = _read(Figures, text)
    if found.format != FORMAT:
        raise ValueError(f"its format is {found.format}, expected {FORMAT}")
    return found


def read_measured(text: str | bytes) -> Measured:
    """The measured part of a report from its JSON. Raises ValueError where it is none."""
    return _read(Measured, text)


def _read(kind, text: str | bytes):
    return _reader(kind).validate_json(text)


@cache
def _reader(kind):
    from pydantic import TypeAdapter  # here, for who only makes figures

    return TypeAdapter(kind)
