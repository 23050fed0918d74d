"""Entity scores on dev after each epoch: what early stopping goes by and what the user sees."""

import time

import keras
import numpy as np
import tensorflow as tf

from components import progress
from components.ner import scores
from components.tagger.packing import pack
from components.tagger.sentences import vocables_of_sentences
from components.training.corpus_tags import corpus_spans

F1 = "val_f1"
SECONDS = "seconds"


class DevScore(keras.callbacks.Callback):
    """Adds entity precision, recall and F1 on dev, and the seconds of its steps, to an epoch's logs; reports a line of them.

    It counts as the Evaluator does: over corpus tokens, each with the tag of its first part.
    """

    def __init__(
        self,
        dev: tf.data.Dataset,
        labels: tuple[str, ...],
        report: progress.Listener,
        epochs: int,
    ):
        """`dev` with the tags that `components.training.dataset` gives `as_corpus`."""
        super().__init__()
        self._dev, self._labels, self._report, self._epochs = dev, labels, report, epochs
        self._started = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        trained = time.monotonic() - self._started
        result = sum(scores.score_all(self._decoded()).values(), scores.PRF())
        logs[F1], logs["val_precision"], logs["val_recall"] = (
            result.f1,
            result.precision,
            result.recall,
        )
        logs[SECONDS] = trained
        self._report(
            progress.EpochEnded(
                epoch=epoch + 1,
                epochs=self._epochs,
                loss=float(logs["loss"]),
                seconds=trained,
                f1=result.f1,
                precision=result.precision,
                recall=result.recall,
            )
        )

    def _decoded(self):
        tagger = self.model.tagger
        boldness = tf.convert_to_tensor(tagger.boldness)
        for sentences, gold in self._dev:
            packing = pack(sentences.lengths)
            emissions = tagger.emissions(vocables_of_sentences(sentences), packing)
            lengths = sentences.lengths.numpy()
            predicted = np.split(
                tagger.best_tags(emissions, packing, boldness).numpy(), np.cumsum(lengths)
            )
            for length, right, found in zip(lengths, gold.numpy(), predicted):
                yield (
                    corpus_spans(right[:length], right[:length], self._labels),
                    corpus_spans(found, right[:length], self._labels),
                )
