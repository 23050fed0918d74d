"""Warm-up requests: a server sends them to a new version before it answers requests with it.

TensorFlow Serving reads them from `assets.extra/tf_serving_warmup_requests`, and does not load the
version if one fails. A short, a long, a tiny and an empty text initialise all parts of the graph.
"""

from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from components.export import signatures

_SENTENCE = (
    "Anna Example moved from Berlin to Example Works Ltd. on 3 May 2024 for 4.5 million euros. "
)
# One text in each request: a server refuses requests with more texts than its batches may have.
_BATCHES = ([_SENTENCE.strip()], [""], ["A"], [_SENTENCE * 40])


def requests() -> list[predict_pb2.PredictRequest]:
    """Warm-up requests for the signature that takes text."""
    result = []
    for batch in _BATCHES:
        request = predict_pb2.PredictRequest()
        request.model_spec.signature_name = signatures.TEXT
        request.inputs["text"].CopyFrom(tf.make_tensor_proto(batch, tf.string))
        result.append(request)
    return result


def write_requests(model: str) -> None:
    """Writes the warm-up requests into the SavedModel in the folder `model`."""
    path = Path(model) / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests():
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())
