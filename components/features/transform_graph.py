"""Transform's graph, as a part of an exported model."""

from collections.abc import Mapping

import tensorflow as tf
from tensorflow_transform.saved.saved_transform_io_v2 import SavedModelLoader


class TransformGraph(tf.Module):
    """Transform's SavedModel in `folder`, and the vocabularies that go with it wherever it is saved.

    TFT has a Keras layer for this. Keras traces a layer several times over when it is saved: half of the time that saving a
    model took.
    """

    def __init__(self, folder: str):
        super().__init__(name="transform")
        loader = SavedModelLoader(folder)
        self._apply, self._held = loader.apply_transform_model, vars(loader)

    def __call__(self, inputs: Mapping) -> Mapping:
        """The transformed features of raw ones."""
        return self._apply(inputs)
