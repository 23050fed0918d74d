"""Measures what each optimisation of the tagger gains, end to end.

    python benchmarks/step.py [CORPUS] [--rounds N] [--only NAME]… [--json FILE]

Three figures, on the same batches and with the default settings: tokens a second of training steps,
tokens a second of tagging plain text, and the milliseconds of one short sentence. They are measured
with all optimisations, with each one replaced by its plain alternative in turn, and with Keras's
own Bidirectional(LSTM). The variants take turns in each round, so that a slow minute of the machine
slows all of them. A figure is the median over the rounds; its ratio to the tagger as it is comes
from the median over the rounds of the ratios within a round.

CORPUS is a file or folder that `tfx-ner run --data` takes; without it, the starter corpus in
data/starter. TensorFlow uses a GPU where it sees one.
"""

import contextlib
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

sys.path[0] = str(Path(__file__).resolve().parent.parent)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # as `components.threads` sets it for a run

import apache_beam as beam  # noqa: E402
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
import tensorflow_transform as tft  # noqa: E402
import tensorflow_transform.beam as tft_beam  # noqa: E402
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils  # noqa: E402

from benchmarks import common  # noqa: E402
from components.corpus import reading  # noqa: E402
from components.corpus.splits import find_splits  # noqa: E402
from components.export import signatures  # noqa: E402
from components.features import preprocessing  # noqa: E402
from components.features.preprocessing import TransformGraph  # noqa: E402
from components.ner.sentence import Sentence  # noqa: E402
from components.ner.tags import label_map  # noqa: E402
from components.settings import Model, Training, Vocabulary  # noqa: E402
from components.tagger import batch, crf, network, recurrence  # noqa: E402
from components.training import learner  # noqa: E402
from components.training.learner import SparseAdam  # noqa: E402
from components.training.run import TrainingInputs, new_tagger  # noqa: E402
from components.validation import curated_schema  # noqa: E402

_TRAINING_STEPS = 40
_TEXTS = 256  # sentences of dev that are tagged in one call
_SHORT_SENTENCE = "Anna Schmidt visited the Acme office in Basel on Monday."
_SHORT_CALLS = 60


@dataclass(frozen=True)
class Corpus:
    """A transformed corpus: what training reads, and the sentences of dev as plain text."""

    inputs: TrainingInputs
    texts: list[str]
    tokens: int  # in `texts`


# --- The corpus ---


def prepare(path: str, folder: Path) -> Corpus:
    """Reads a corpus and runs Transform's analysis and transformation on it in this process."""
    splits = find_splits(path)
    by_split: dict[str, list[Sentence]] = {"train": [], "dev": []}
    for split, sentence in reading.read_corpus(splits):
        if split in by_split:
            by_split[split].append(sentence)
    types = {span.type for sentence in by_split["train"] for span in sentence.spans}
    schema_path = folder / "schema.pbtxt"
    curated_schema.write_schema(curated_schema.make_schema(types), schema_path)
    config = {
        "vocabulary": Vocabulary().model_dump(),
        "schema": str(schema_path),
        "tokenizer": "words",
    }
    spec = {
        **{name: tf.io.VarLenFeature(tf.string) for name in ("tokens", "tags")},
        **{name: tf.io.VarLenFeature(tf.int64) for name in ("starts", "ends")},
    }
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    files = {}
    with beam.Pipeline(runner="DirectRunner") as pipeline, tft_beam.Context(str(folder / "temp")):
        raw = {
            split: pipeline
            | f"Create {split}"
            >> beam.Create(
                [
                    {"tokens": list(s.tokens), "tags": list(s.tags), "starts": [], "ends": []}
                    for s in sentences_of_split
                ]
            )
            for split, sentences_of_split in by_split.items()
        }
        transform = (raw["train"], metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing.preprocessing_fn(inputs, config)
        )
        _ = transform | tft_beam.WriteTransformFn(str(folder / "transform"))
        for split in by_split:
            data, transformed = ((raw[split], metadata), transform) | (
                f"Transform {split}" >> tft_beam.TransformDataset()
            )
            files[split] = str(folder / f"{split}-00000-of-00001.gz")
            _ = (
                data
                | f"Encode {split}"
                >> beam.Map(tft.coders.ExampleProtoCoder(transformed.schema).encode)
                | f"Write {split}"
                >> beam.io.WriteToTFRecord(str(folder / split), file_name_suffix=".gz")
            )
    inputs = TrainingInputs(
        tft.TFTransformOutput(str(folder / "transform")),
        label_map(types),
        [files["train"]],
        [files["dev"]],
        vectors=None,
    )
    spoken = by_split["dev"][:_TEXTS]
    return Corpus(
        inputs,
        [" ".join(sentence.tokens) for sentence in spoken],
        sum(len(sentence.tokens) for sentence in spoken),
    )


def training_batches(corpus: Corpus) -> tf.data.Dataset:
    """Makes the batches that are trained on, the same ones each time."""
    spec = corpus.inputs.transform.transformed_feature_spec()
    batches = batch.load_batches(corpus.inputs.train, spec, Training().batch_size, shuffle_seed=1)
    return batches.take(_TRAINING_STEPS).cache()


# --- The plain alternatives ---


class _TensorFlow:
    """TensorFlow with some functions replaced, for one module to see."""

    def __init__(self, **replaced: Any):
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(tf, name)


def _all_distinct(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Stands for `tf.unique`: no two values are taken for the same."""
    return values, tf.range(tf.size(values))


class KerasBiLSTM(keras.layers.Layer):
    """Keras's Bidirectional(LSTM) behind the interface of the tagger's own."""

    def __init__(self, width: int, units: int, name: str):
        super().__init__(name=name)
        self.lstm = keras.layers.Bidirectional(keras.layers.LSTM(units, return_sequences=True))
        self.lstm.build((None, None, width))
        self.built = True

    def call(self, inputs, indices, packing, training=False):
        inputs = tf.RaggedTensor.from_row_lengths(tf.gather(inputs, indices), packing.lengths)
        mask = tf.sequence_mask(packing.lengths)
        return tf.boolean_mask(self.lstm(inputs.to_tensor(), mask=mask, training=training), mask)


def _keras_adam(schedule: Any, gradient_norm: float) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(schedule, global_clipnorm=gradient_norm)


def _tensorflow_sampled_softmax(weights, biases, targets, inputs, sampled):
    return tf.nn.sampled_softmax_loss(
        weights,
        biases,
        targets[:, None],
        inputs,
        sampled[0].shape[0],
        weights.shape[0],
        sampled_values=sampled,
    )


def _while_loop(condition, body, state, specs, constants=()):
    count = len(state)
    return tf.while_loop(
        lambda *all: condition(*all),
        lambda *all: (*body(*all), *all[count:]),
        (*state, *constants),
        shape_invariants=(*specs, *tf.nest.map_structure(tf.TensorSpec.from_tensor, constants)),
    )[:count]


def _cond(condition, true_fn, false_fn, arguments):
    return tf.cond(condition, lambda: true_fn(*arguments), lambda: false_fn(*arguments))


AS_IT_IS = "as it is"
# What is replaced: (module, attribute, plain alternative).
VARIANTS: dict[str, list[tuple[Any, str, Any]]] = {
    AS_IT_IS: [],
    "Keras's Bidirectional(LSTM)": [(network, "BiLSTM", KerasBiLSTM)],
    "no packing (BlockLSTM)": [
        (recurrence, "lstm", recurrence.lstm_padded),
        (recurrence, "lstm_packed", recurrence.lstm_padded),
    ],
    "no unique tokens": [
        (batch, "tf", _TensorFlow(unique=_all_distinct)),
        (signatures, "tf", _TensorFlow(unique=_all_distinct)),
    ],
    "no short-sentence path": [(recurrence, "lstm", recurrence.lstm_packed)],
    "tf.while_loop and tf.cond": [
        (recurrence, "functional_while", _while_loop),
        (recurrence, "functional_if", _cond),
        (crf, "functional_while", _while_loop),
    ],
    "one step in a loop's iteration": [(recurrence, "_UNROLL", 1)],
    "Keras's Adam": [(sys.modules[__name__], "SparseAdam", _keras_adam)],
    "Keras's dropout": [(network, "Dropout", keras.layers.Dropout)],
    "TensorFlow's sampled softmax": [
        (learner, "sampled_softmax_loss", _tensorflow_sampled_softmax)
    ],
    "one step at a time": [(learner, "STEPS_PER_EXECUTION", 1)],
}


@contextlib.contextmanager
def replaced(replacements: list[tuple[Any, str, Any]]) -> Iterator[None]:
    """Puts plain alternatives in the place of optimisations."""
    with contextlib.ExitStack() as stack:
        for module, name, alternative in replacements:
            stack.enter_context(mock.patch.object(module, name, alternative))
        yield


# --- Measuring ---


def build(corpus: Corpus, batches: tf.data.Dataset) -> dict[str, Callable[[], object]]:
    """Makes a tagger and traces its functions; a call of one does its task once."""
    keras.utils.set_random_seed(1)
    settings = Training()
    tagger = new_tagger(corpus.inputs, Model())
    fitted = learner.Learner(tagger, settings.lm_loss_weight)
    fitted.compile(SparseAdam(settings.learning_rate, settings.gradient_norm))
    transform = TransformGraph(corpus.inputs.transform.transform_savedmodel_dir)
    # The tasks refer to it: it owns the functions that the traced graph calls.
    exported = signatures.ServingModule(transform, tagger)
    tag_texts = tf.function(exported.serve_text, autograph=False).get_concrete_function(
        tf.TensorSpec([None], tf.string)
    )
    texts, short = tf.constant(corpus.texts), tf.constant([_SHORT_SENTENCE])
    tasks = {
        "training": lambda: fitted.fit(batches, epochs=1, verbose=0),
        "tagging": lambda: tag_texts(texts)["count"].numpy(),
        "short": lambda: (tag_texts(short)["count"].numpy(), exported),
    }
    for task in tasks.values():
        task()
    return tasks


@dataclass(frozen=True)
class Seconds:
    """Seconds that a call took, on the clock and of processor time."""

    wall: float
    cpu: float


def seconds(function: Callable[[], object], calls: int) -> Seconds:
    """The median clock time and the mean processor time of a call."""
    times = []
    cpu_began = time.process_time()
    for _ in range(calls):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return Seconds(statistics.median(times), (time.process_time() - cpu_began) / calls)


TASKS = ("training", "tagging", "short")


@dataclass(frozen=True)
class Result:
    """The figures of all variants."""

    # Tokens of a call, by task; of the short sentence 1, as it counts as a whole.
    tokens: dict[str, int]
    # The seconds of each round, by variant and task. The first variant is the tagger as it is.
    seconds: dict[str, dict[str, list[Seconds]]]

    def median(self, variant: str, task: str) -> float:
        """Median clock seconds of a call."""
        return statistics.median(seconds.wall for seconds in self.seconds[variant][task])

    def ratio(self, variant: str, task: str, clock: str) -> float:
        """Median over the rounds of a variant's seconds, `wall` or `cpu`, over those of the tagger
        as it is.
        """
        rounds = zip(self.seconds[variant][task], self.seconds[AS_IT_IS][task], strict=True)
        return statistics.median(getattr(own, clock) / getattr(base, clock) for own, base in rounds)


def measure(corpus: Corpus, names: list[str], rounds: int) -> Result:
    """Builds the variants, then measures all of them in each round, in rotating order."""
    batches = training_batches(corpus)
    training_tokens = sum(int(tf.reduce_sum(batch.lengths)) for batch, _ in batches)
    variants = {}
    for name in names:
        with replaced(VARIANTS[name]):
            variants[name] = build(corpus, batches)
        print(f"traced: {name}", file=sys.stderr)
    calls = {"training": 1, "tagging": 3, "short": _SHORT_CALLS}
    figures: dict[str, dict[str, list[Seconds]]] = {
        name: {task: [] for task in TASKS} for name in names
    }
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            for task in TASKS:
                figures[name][task].append(seconds(variants[name][task], calls[task]))
    return Result({"training": training_tokens, "tagging": corpus.tokens, "short": 1}, figures)


def print_table(result: Result) -> None:
    """Prints each variant's figures, and in brackets its clock and processor time over those of the
    tagger as it is.
    """
    print(f"{'':36}{'training tokens/s':>26}{'tagging tokens/s':>26}{'short sentence ms':>26}")
    for name in result.seconds:
        line = f"{name:36}"
        for task in TASKS:
            median = result.median(name, task)
            figure = 1000 * median if task == "short" else result.tokens[task] / median
            ratios = "/".join(f"{result.ratio(name, task, clock):.2f}" for clock in ("wall", "cpu"))
            line += f"{figure:14,.{2 if task == 'short' else 0}f} ({ratios})"
        print(line)


def main() -> None:
    """Reads the command line, measures and prints."""
    parser = common.make_parser(__doc__)
    parser.add_argument("corpus", nargs="?", default=str(common.ROOT / "data" / "starter"))
    parser.add_argument("--rounds", type=int, default=7, help="rounds to measure (default: 7)")
    parser.add_argument(
        "--only",
        action="append",
        choices=[name for name in VARIANTS if name != AS_IT_IS],
        help="measure this variant against the tagger as it is; may be given again",
    )
    options = parser.parse_args()
    logging.getLogger("absl").setLevel(logging.ERROR)
    names = [AS_IT_IS, *(options.only or [name for name in VARIANTS if name != AS_IT_IS])]
    with tempfile.TemporaryDirectory() as folder:
        result = measure(prepare(options.corpus, Path(folder)), names, options.rounds)
    print_table(result)
    common.write_json(options.json, asdict(result))


if __name__ == "__main__":
    main()
