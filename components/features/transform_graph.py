"""Transform's graph, as a part of an exported model."""

from collections.abc import Collection, Mapping

import tensorflow as tf

_Features = Mapping[str, tf.SparseTensor]


class TransformGraph(tf.Module):
    """Transform's SavedModel in `folder`, and the vocabularies that go with it wherever it is saved.

    TFT has a Keras layer for this, and a function. Keras traces a layer several times over when it is saved: half of the time that
    saving a model took. The function looks words up, and TensorFlow puts no such function into the graph that calls it: it runs by
    itself, with all that nobody asks of it. So here its operations are put there, those that are needed.
    """

    def __init__(self, folder: str):
        super().__init__(name="transform")
        self._held = tf.saved_model.load(folder)
        function = self._held.transform_fn
        self._graph, self._captured = function.graph, function.captured_inputs
        (signature,), _ = function.structured_input_signature
        number = len(self._graph.inputs) - len(self._captured)
        given, self._stand_ins = self._graph.inputs[:number], self._graph.inputs[number:]
        self._inputs: _Features = tf.nest.pack_sequence_as(signature, given, expand_composites=True)
        self._outputs: _Features = tf.nest.pack_sequence_as(
            function.structured_outputs, self._graph.outputs, expand_composites=True
        )

    def __call__(self, inputs: _Features, wanted: Collection[str]) -> _Features:
        """The `wanted` ones of the transformed features, of raw ones: those that they are made of."""

        def flat(features):
            return tf.nest.flatten(features, expand_composites=True)

        outputs = {name: self._outputs[name] for name in wanted}
        needed = tf.compat.v1.graph_util.extract_sub_graph(
            self._graph.as_graph_def(), [tensor.op.name for tensor in flat(outputs)]
        )
        names = {node.name for node in needed.node}
        fed = [*flat({name: self._inputs[name] for name in inputs}), *self._stand_ins]
        values = [*flat(dict(inputs)), *self._captured]
        found = tf.graph_util.import_graph_def(
            needed,
            # The identity of what was loaded, tables and numbers, is in the graph at hand.
            {
                old.name: tf.identity(new)
                for old, new in zip(fed, values, strict=True)
                if old.op.name in names
            },
            [tensor.name for tensor in flat(outputs)],
        )
        return tf.nest.pack_sequence_as(outputs, found, expand_composites=True)
