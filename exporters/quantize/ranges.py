"""What calibration found: the range of every value, and the routing of every image. One set serves all formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from condmix.exporters.errors import CalibrationError


@dataclass(frozen=True, kw_only=True)
class Range:
    """The numbers a value takes, or those that are kept of them. Zero always belongs: padding and ReLU need it."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low <= 0 <= self.high):
            message = f"a range from {self.low} to {self.high}: expected finite ends around zero"
            raise CalibrationError(message)

    @classmethod
    def around(cls, low: float, high: float) -> Range:
        """The smallest range that holds both ends and zero."""
        return cls(low=min(float(low), 0.0), high=max(float(high), 0.0))

    @property
    def largest(self) -> float:
        """The largest magnitude."""
        return max(-self.low, self.high)

    def joined(self, other: Range) -> Range:
        """The smallest range that holds both."""
        return Range(low=min(self.low, other.low), high=max(self.high, other.high))


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranges:
    """All ranges of one network over one calibration set.

    values: by value name of the `rewritten` graph, at one image a call.
    inner: by format ("onnx", "tflite"), then by tensor name: values that only that format's forms have.
    routing: by name of the routing value, rows (images, experts); kernel ranges follow from them and the experts.
    channel_means: by value name, (channels,): the mean over images and positions, for bias correction.
    """

    method: str
    image_count: int
    images_sha256: str
    values: Mapping[str, Range]
    inner: Mapping[str, Mapping[str, Range]] = field(default_factory=lambda: MappingProxyType({}))
    routing: Mapping[str, np.ndarray] = field(default_factory=lambda: MappingProxyType({}))
    channel_means: Mapping[str, np.ndarray] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, name: str, form: str | None = None) -> Range:
        """The range of a value, or of a tensor of the format `form`. Raises CalibrationError when there is none."""
        found = self.values.get(name)
        if found is None and form is not None:
            found = self.inner.get(form, {}).get(name)
        if found is None:
            where = f"in the {form} file" if form else "in the graph"
            message = f"no range is known for '{name}' {where}: these ranges belong to another network or version"
            raise CalibrationError(message)
        return found

    def holds(self, name: str, form: str | None = None) -> bool:
        """Whether `of` would answer."""
        return name in self.values or (form is not None and name in self.inner.get(form, {}))
