"""The inputs and outputs of a signature, and a check of inputs against it. Needs no TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from serving.server.status import invalid_argument

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


def check_inputs(signature: Signature, inputs: Mapping[str, np.ndarray]) -> None:
    """Raises RequestError, INVALID_ARGUMENT, if names, types or shapes are not the signature's."""
    if inputs.keys() != signature.inputs.keys():
        sent, expected = sorted(inputs), sorted(signature.inputs)
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(expected)} len({_braced(sent)})"
            f" != len({_braced(expected)}). Sent extra: {_braced(sorted({*sent} - {*expected}))}."
            f" Missing but required: {_braced(sorted({*expected} - {*sent}))}."
        )
    for index, alias in enumerate(sorted(inputs)):
        spec, array = signature.inputs[alias], inputs[alias]
        dtype = "string" if array.dtype == object else array.dtype.name
        if dtype != spec.dtype:
            raise invalid_argument(
                f"Expects arg[{index}] to be {_display_name(spec.dtype)} but {_display_name(dtype)}"
                " is provided"
            )
        if not spec.fits(array.shape):
            expected_shape = ",".join("?" if size is None else str(size) for size in spec.shape)
            raise invalid_argument(
                f"Expects {alias} to have the shape [{expected_shape}] but"
                f" [{','.join(map(str, array.shape))}] is provided"
            )


def _braced(aliases: list[str]) -> str:
    return f"{{{','.join(aliases)}}}"


def _display_name(dtype: str) -> str:
    """The name of a dtype in TensorFlow's messages."""
    return {"float16": "half", "float32": "float", "float64": "double"}.get(dtype, dtype)
