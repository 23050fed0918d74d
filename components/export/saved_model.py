"""A SavedModel that runs in a session, as in TensorFlow Serving: tag `serve`, signatures by name.

A call takes less time than a call of the functions that `tf.saved_model.load` returns, whose inputs
and outputs are eager tensors.
"""

import contextlib
import gc
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from components.compat.tensorflow_private import session_function

Inputs = Mapping[str, np.ndarray | Sequence[bytes]]
_CALLERS_THREAD = -1
_MANY_ROWS = 16


class SavedModel:
    """A loaded SavedModel. Threads may share it.

    Args:
      path: the SavedModel's folder.

    Attributes:
      definitions: the SignatureDef of each signature by name.

    Raises:
      OSError, RuntimeError, ValueError, tf.errors.OpError: TensorFlow cannot load it.
    """

    def __init__(self, path: Path):
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        try:
            with self._session.graph.as_default(), _without_warnings():
                meta_graph = tf.compat.v1.saved_model.load(
                    self._session, [tf.saved_model.SERVING], str(path)
                )
            self.definitions = {
                name: definition
                for name, definition in meta_graph.signature_def.items()
                if name != "__saved_model_init_op"
            }
            self._functions = {
                name: session_function(
                    self._session,
                    {alias: info.name for alias, info in definition.inputs.items()},
                    [info.name for info in definition.outputs.values()],
                )
                for name, definition in self.definitions.items()
            }
        except BaseException:
            self._session.close()
            raise

    def run(
        self, signature: str, inputs: Inputs, seconds: float | None = None
    ) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
          signature: the signature's name.
          inputs: arrays by input name, of dtype object for strings, or lists of bytes.
          seconds: the time limit.

        Returns:
          The outputs by name.

        Raises:
          KeyError: there is no such signature.
          tf.errors.OpError: the model fails; DeadlineExceededError after `seconds`.
        """
        arrays = {
            alias: np.asarray(values, None if isinstance(values, np.ndarray) else object)
            for alias, values in inputs.items()
        }
        # TensorFlow runs operations in parallel on its own threads. With many rows each operation
        # takes so long that this gains nothing. Then the batch runs on its caller's thread, which
        # costs less if several batches run at once.
        many_rows = all(array.shape[:1] >= (_MANY_ROWS,) for array in arrays.values())
        options = tf.compat.v1.RunOptions(
            timeout_in_ms=0 if seconds is None else max(1, int(seconds * 1000)),
            inter_op_thread_pool=_CALLERS_THREAD if many_rows else 0,
        )
        outputs = self._functions[signature](arrays, options)
        return dict(zip(self.definitions[signature].outputs, outputs))

    def close(self) -> None:
        """Frees the model."""
        self._session.close()
        # Session and graph refer to each other, and Python would collect a large graph much later.
        self._session, self._functions = None, {}
        gc.collect()


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Drops TensorFlow's warning that `tf.compat.v1.saved_model.load` is deprecated."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
