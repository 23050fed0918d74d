"""SavedModels that load quickly: the project's text signature with a rule, and unusual signatures."""

import shutil
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

STRINGS = tf.TensorSpec([None], tf.string)


class Small(tf.Module):
    """Predicts words with an initial capital as entities, whose type names the version, such as `V7`."""

    def __init__(self, version: int):
        super().__init__()
        self.version = tf.Variable(version, dtype=tf.int64)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def recognise(self, text):
        words = tf.strings.split(text, " ")
        lengths = tf.strings.length(words.flat_values, "UTF8_CHAR") + 1
        offsets = tf.cumsum(lengths, exclusive=True)
        offsets -= tf.gather(
            tf.concat([offsets, [0]], 0), tf.gather(words.row_splits, words.value_rowids())
        )
        is_entity = words.with_flat_values(
            tf.strings.regex_full_match(words.flat_values, r"\p{Lu}.*")
        )

        def rows(flat, default):
            return tf.ragged.boolean_mask(words.with_flat_values(flat), is_entity).to_tensor(
                default
            )

        return {
            "count": tf.reduce_sum(tf.cast(is_entity, tf.int64), 1),
            "type": rows(tf.fill(tf.shape(lengths), "V" + tf.strings.as_string(self.version)), ""),
            "start": rows(tf.cast(offsets, tf.int64), 0),
            "end": rows(tf.cast(offsets + lengths - 1, tf.int64), 0),
            "score": rows(tf.fill(tf.shape(lengths), 0.9), 0.0),
            "surface": rows(words.flat_values, ""),
        }

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.int64), tf.TensorSpec([None, 2], tf.float32)]
    )
    def numbers(self, x, y):
        return {"total": tf.cast(x, tf.float32) + tf.reduce_sum(y, 1)}

    @tf.function(input_signature=[STRINGS])
    def words(self, text):
        return {"words": tf.strings.split(text, " ").to_tensor("")}

    @tf.function(input_signature=[STRINGS])
    def one(self, text):
        return {"length": tf.strings.length(tf.strings.reduce_join(text))}

    @tf.function(input_signature=[STRINGS])
    def raw(self, text):
        return {"text_bytes": text, "text": text}

    @tf.function(input_signature=[STRINGS])
    def choosy(self, text):
        with tf.control_dependencies(
            [tf.debugging.assert_none_equal(text, "bad", message="bad is refused")]
        ):
            return {"count": tf.strings.length(text)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
    def busy(self, steps):
        """Runs a number of steps of about a microsecond or more."""
        return {
            "steps": steps
            + tf.while_loop(
                lambda n: n < tf.reduce_max(steps), lambda n: (n + 1,), [tf.constant(0, tf.int64)]
            )[0]
        }

    @tf.function(input_signature=[tf.TensorSpec([], tf.bool), tf.TensorSpec([None], tf.float64)])
    def kinds(self, flag, x):
        return {
            "flag": tf.fill(tf.shape(x), flag),
            "x": x / 0.0,
            "small": tf.cast(tf.ones_like(x), tf.uint8),
        }


def save(folder: Path, version: int, warmups=("Ada", "")) -> None:
    """Writes a version atomically, as the project publishes it."""
    small = Small(version)
    signatures = {
        "serving_default": small.recognise,
        **{
            name: getattr(small, name)
            for name in ("numbers", "words", "one", "raw", "choosy", "busy", "kinds")
        },
    }
    partial = folder / f".partial-{version}"
    tf.saved_model.save(small, str(partial), signatures)
    extra = partial / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for text in warmups:
            writer.write(warmup(text).SerializeToString())
    partial.rename(folder / str(version))


def warmup(text, signature="serving_default"):
    """A PredictionLog with a request for one text."""
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    request.inputs["text"].CopyFrom(tf.make_tensor_proto([text], tf.string))
    return prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )


def publish(source: Path, folder: Path, version: int) -> None:
    """Publishes a copy of a version by an atomic rename."""
    shutil.copytree(source, folder / f".partial-{version}")
    (folder / f".partial-{version}").rename(folder / str(version))


def publish_broken(folder: Path, version: int) -> None:
    """Publishes a version that cannot be loaded."""
    partial = folder / f".partial-{version}"
    partial.mkdir()
    (partial / "saved_model.pb").write_bytes(b"this is no model")
    partial.rename(folder / str(version))


def remove(folder: Path, *versions: int) -> None:
    """Removes versions, each by an atomic rename."""
    for version in versions:
        gone = folder / f".gone-{version}"
        (folder / str(version)).rename(gone)
        shutil.rmtree(gone)
