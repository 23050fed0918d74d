"""The inputs and outputs of a signature. Plain Python, without TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass

Shape = tuple[int | None, ...] | None


@dataclass(frozen=True)
class TensorSpec:
    """`dtype` by TensorFlow's name (`string`, `int64`, …); `shape` None for any rank, a dimension None for any size."""

    dtype: str
    shape: Shape

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of this shape may be fed."""
        return self.shape is None or (
            len(shape) == len(self.shape)
            and all(size in (None, actual) for size, actual in zip(self.shape, shape))
        )


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs by alias; `method` as in `tensorflow/serving/predict`."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    method: str = "tensorflow/serving/predict"

    @property
    def batches(self) -> bool:
        """Whether rows of several requests may run together, so that each gets its part of the outputs.

        All inputs and outputs need a free first dimension. A dense output whose second dimension is
        free too is as wide as the longest row; `count` must tell how much of that is a request's own,
        or its answer would depend on the other requests of the batch.
        """
        first_is_free = all(
            spec.shape and spec.shape[0] is None
            for specs in (self.inputs, self.outputs)
            for spec in specs.values()
        )
        return first_is_free and (
            self.counts_rows or all(None not in spec.shape[1:] for spec in self.outputs.values())
        )

    @property
    def counts_rows(self) -> bool:
        """Whether the output `count` `[batch]` gives the width of the outputs `[batch, longest]`."""
        count = self.outputs.get("count")
        return (
            count is not None
            and count.dtype in ("int32", "int64")
            and count.shape == (None,)
            and all(spec.shape and None not in spec.shape[2:] for spec in self.outputs.values())
        )
