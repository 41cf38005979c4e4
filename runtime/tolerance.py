"""How far a result may be from PyTorch in float64, and the one place where that limit is computed.

The scale of an image (row of axis 0) is the largest magnitude of its reference row; an element may be off by

    absolute + relative * scale.

PyTorch's own float32 result is measured with the same yardstick. Where a network amplifies rounding, the
limit grows to `own_error_multiple` times that own error; beyond `ill_conditioned_above` it does not grow:
float32 is then no precision in which this network can be checked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.records import read_fields

FloatArray: TypeAlias = npt.NDArray[np.float64]


def rows_of(array: FloatArray) -> FloatArray:
    """The array as [rows, elements]: one row for each index of axis 0, a scalar as a single row."""
    return array.reshape(array.shape[0], -1) if array.ndim else array.reshape(1, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class RowLimits:
    """What is allowed in each row of one output.

    scale: [rows] largest magnitude of the reference row.
    base: [rows] absolute + relative * scale.
    limit: [rows] base, or the wider limit that PyTorch's own error asks for.
    own_relative: PyTorch's own float32 error over the row's scale, in the worst row; a row whose error is
        within `absolute` counts as 0 (a row of zeros has no scale); None without a float32 result.
    ill_conditioned: own_relative is above the tolerance's threshold, or that float32 result is not finite.
    """

    scale: FloatArray
    base: FloatArray
    limit: FloatArray
    own_relative: float | None
    ill_conditioned: bool


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """The rule by which a result is accepted.

    relative: of the largest magnitude in the reference row.
    absolute: added to it, in the output's own unit.
    own_error_multiple: how many times PyTorch's own float32 error is allowed; 0 never widens the limit.
    outlier_fraction: share of an output's elements that may lie outside.
    ill_conditioned_above: PyTorch's own relative error from which on the limit is not widened any more.

    Raises InvalidSettingError naming every impossible field.
    """

    relative: float
    absolute: float
    own_error_multiple: float
    outlier_fraction: float = 0.0
    ill_conditioned_above: float = 1e-3

    def __post_init__(self) -> None:
        problems = [
            f"{field.name} must be a finite number of at least 0, found {getattr(self, field.name)!r}"
            for field in fields(self)
            if not (math.isfinite(getattr(self, field.name)) and getattr(self, field.name) >= 0)
        ]
        problems += [
            f"{name} must be below 1, found {getattr(self, name)!r}: everything would pass"
            for name in ("relative", "outlier_fraction", "ill_conditioned_above")
            if getattr(self, name) >= 1
        ]
        if problems:
            raise InvalidSettingError(problems, record="Tolerance")

    @classmethod
    def exact(cls) -> Tolerance:
        """Every element equals the reference; for steps that only move data."""
        return cls(relative=0.0, absolute=0.0, own_error_multiple=0.0)

    @classmethod
    def for_precision(cls, precision: str) -> Tolerance:
        """The named tolerance of an arithmetic: `float32`, `float64` for rewrites checked unrounded, `float16_weights`
        and `int8_experts` for float32 arithmetic with rounded expert banks.

        int8 has none: how far it may be off depends on the network, and the accuracy guard decides.
        Raises InvalidSettingError for any other name.
        """
        if precision not in _LADDER:
            problem = (
                f"no tolerance is named {str(precision)!r}, known are {', '.join(map(repr, _LADDER))}: "
                "give Tolerance(relative=..., absolute=..., own_error_multiple=...)"
            )
            raise InvalidSettingError([problem], record="Tolerance")
        return _LADDER[precision]

    def limits(self, reference: FloatArray, own_float32: npt.NDArray[np.generic] | None) -> RowLimits:
        """The limits of one output whose reference is finite; `own_float32` has the reference's shape."""
        rows = rows_of(reference)
        scale = np.abs(rows).max(axis=1)
        base = self.absolute + self.relative * scale
        own_relative = None if own_float32 is None else self._own_relative(rows, scale, own_float32)
        ill_conditioned = own_relative is not None and own_relative > self.ill_conditioned_above
        limit = base
        if own_relative is not None and not ill_conditioned:
            limit = np.maximum(base, self.own_error_multiple * own_relative * scale)
        return RowLimits(
            scale=scale, base=base, limit=limit, own_relative=own_relative, ill_conditioned=ill_conditioned
        )

    def _own_relative(self, rows: FloatArray, scale: FloatArray, own_float32: npt.NDArray[np.generic]) -> float:
        own = rows_of(np.asarray(own_float32, dtype=np.float64))
        if not np.isfinite(own).all():
            return math.inf
        # A scale so small that the quotient overflows is a row of zeros but for rounding: infinite is right.
        with np.errstate(over="ignore"):
            error = np.abs(own - rows).max(axis=1)
            counted = error > self.absolute
            relative = np.where(counted, np.inf, 0.0)
            np.divide(error, scale, out=relative, where=counted & (scale > 0))
        return float(relative.max())

    def to_dict(self) -> dict[str, float]:
        """Plain data for JSON."""
        return {field.name: float(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_dict(cls, data: object) -> Tolerance:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        names = {field.name: float for field in fields(cls)}
        values = read_fields(data, record="Tolerance", fields=names, schema_version=None)
        return cls(**cast("dict[str, float]", values))


_LADDER = {
    "float32": Tolerance(relative=2e-5, absolute=1e-7, own_error_multiple=4.0),
    # LiteRT's builtin kernels add one product after the other; measured up to 2.2e-5 (condconv_mobilenet_v1, width 0.5)
    # where ONNX Runtime and XNNPACK stay below 2e-5.
    "float32_tflite": Tolerance(relative=5e-5, absolute=1e-7, own_error_multiple=4.0),
    # PyTorch's float32 error says nothing about a float64 result: never widened.
    # Weights rounded to 11 bits, experts to 8, change the kernels themselves; measured on untrained networks: up to
    # 1.2e-3 and 3e-2 of the largest logit. The same file with float32 weights is held to float32 beside them.
    "float16_weights": Tolerance(relative=5e-3, absolute=1e-7, own_error_multiple=4.0),
    "int8_experts": Tolerance(relative=5e-2, absolute=1e-7, own_error_multiple=4.0),
    "float64": Tolerance(relative=1e-12, absolute=1e-15, own_error_multiple=0.0),
}
