"""Private API of TensorFlow: the session call that `tf.compat.v1.Session.run` ends in.

`Session.run` looks up names and rebuilds the structure of its outputs at each call, a notable part
of the time of a short text. Seen with TensorFlow 2.16.2 and 2.21. If the private API has changed,
`session_function` uses the public one, and `tests/model/test_tensorflow_contract.py` fails.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

SessionFunction = Callable[[Mapping[str, np.ndarray], "tf.compat.v1.RunOptions"], list[np.ndarray]]


def session_function(
    session: tf.compat.v1.Session, feeds: Mapping[str, str], fetches: Sequence[str]
) -> SessionFunction:
    """A function that runs a session.

    Args:
      session: the session.
      feeds: the name of the tensor for each input.
      fetches: the names of the output tensors.

    Returns:
      A function of the inputs by name and the run options, which returns the outputs in order.
    """
    try:
        return _private(session, feeds, fetches)
    except (ImportError, AttributeError):
        return public_session_function(session, feeds, fetches)


def public_session_function(
    session: tf.compat.v1.Session, feeds: Mapping[str, str], fetches: Sequence[str]
) -> SessionFunction:
    """The same as `session_function`, by public API only."""

    def run(inputs: Mapping[str, np.ndarray], options: tf.compat.v1.RunOptions) -> list[np.ndarray]:
        feed_dict = {feeds[name]: array for name, array in inputs.items()}
        return session.run(list(fetches), feed_dict, options=options)

    return run


def _private(
    session: tf.compat.v1.Session, feeds: Mapping[str, str], fetches: Sequence[str]
) -> SessionFunction:
    from tensorflow.python.client import pywrap_tf_session as c_session

    new_buffer, delete_buffer = c_session.TF_NewBufferFromString, c_session.TF_DeleteBuffer
    run_session, handle = c_session.TF_SessionRun_wrapper, session._session

    def output(name: str) -> Any:
        return session.graph.get_tensor_by_name(name)._as_tf_output()

    feed_outputs = {name: output(tensor) for name, tensor in feeds.items()}
    fetch_outputs = [output(tensor) for tensor in fetches]

    def run(inputs: Mapping[str, np.ndarray], options: tf.compat.v1.RunOptions) -> list[np.ndarray]:
        buffer = new_buffer(options.SerializeToString())
        try:
            fed = {feed_outputs[name]: array for name, array in inputs.items()}
            return run_session(handle, buffer, fed, fetch_outputs, [], None)
        finally:
            delete_buffer(buffer)

    return run
