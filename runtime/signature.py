"""What goes into a model file and what comes out, and whether given arrays fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from condmix.runtime.errors import InvalidSettingError, SignatureMismatchError
from condmix.runtime.records import read_fields, unknown_name

Tensor: TypeAlias = npt.NDArray[np.generic]
"""An array of any dtype, as it goes into or comes out of a session."""


def _dtype_problem(dtype: str) -> str | None:
    try:
        canonical = np.dtype(dtype).name
    except TypeError:
        return f"dtype {dtype!r} is not a numpy dtype"
    return None if canonical == dtype else f"dtype {dtype!r} must be written {canonical!r}"


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One input or output: its name, shape, dtype and the meaning of its axes.

    shape: a whole number is a fixed axis; a string is a free axis, and the same string means the same length.
    dtype: the canonical numpy name, as in `numpy.dtype(...).name`.
    layout: one capital letter an axis (`NCHW`, `NC`), or None where the file does not say.
    usual: what the file says its free axes are when nobody asks for others; None where it says nothing. No part of the
    record.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str
    layout: str | None = None
    usual: tuple[int, ...] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        problems = [] if self.name else ["name is empty"]
        for axis, length in enumerate(self.shape):
            if isinstance(length, str) and not length:
                problems.append(f"shape[{axis}] is an empty string: give the free axis a name")
            if isinstance(length, int) and length < 1:
                problems.append(f"shape[{axis}] is {length}: a fixed axis is at least 1")
        if (dtype_problem := _dtype_problem(self.dtype)) is not None:
            problems.append(dtype_problem)
        if self.layout is not None:
            letters = set(self.layout)
            if len(self.layout) != len(self.shape) or len(letters) != len(self.layout):
                problems.append(f"layout {self.layout!r} needs one distinct letter for each axis of {self.shape}")
            elif not all(letter.isascii() and letter.isupper() for letter in letters):
                problems.append(f"layout {self.layout!r} must be capital letters")
        if problems:
            raise InvalidSettingError(problems, record=f"TensorSpec {self.name!r}")

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {"name": self.name, "shape": list(self.shape), "dtype": self.dtype, "layout": self.layout}

    @classmethod
    def from_dict(cls, data: object) -> TensorSpec:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        fields: dict[str, type | tuple[type, ...]] = {
            "name": str,
            "shape": (list, tuple),
            "dtype": str,
            "layout": (str, type(None)),
        }
        values = read_fields(data, record="TensorSpec", fields=fields, schema_version=None)
        shape = tuple(cast("list[int | str]", values["shape"]))
        wrong = [
            f"shape[{axis}] must be int or str, found {length!r}"
            for axis, length in enumerate(shape)
            if isinstance(length, bool) or not isinstance(length, int | str)
        ]
        if wrong:
            raise InvalidSettingError(wrong, record=f"TensorSpec {values['name']!r}")
        return cls(
            name=cast(str, values["name"]),
            shape=shape,
            dtype=cast(str, values["dtype"]),
            layout=cast("str | None", values["layout"]),
        )


@dataclass(frozen=True, kw_only=True)
class Signature:
    """All inputs and outputs of a model, each name once on its side."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def __post_init__(self) -> None:
        problems = [] if self.outputs else ["outputs is empty: a model without outputs computes nothing"]
        for side, specs in (("inputs", self.inputs), ("outputs", self.outputs)):
            names = [spec.name for spec in specs]
            twice = sorted({name for name in names if names.count(name) > 1})
            problems += [f"{side} has the name {name!r} twice" for name in twice]
        if problems:
            raise InvalidSettingError(problems, record="Signature")

    def problems(self, feeds: Mapping[str, Tensor]) -> tuple[str, ...]:
        """One line for every way in which `feeds` does not fit the inputs; empty when it fits."""
        known = tuple(spec.name for spec in self.inputs)
        found = [unknown_name(name, known) for name in feeds if name not in known]
        lengths: dict[str, tuple[int, str]] = {}
        for spec in self.inputs:
            if spec.name not in feeds:
                found.append(f"{spec.name!r} is missing: expected {spec.dtype} {_shape_text(spec.shape)}")
                continue
            found += _array_problems(spec, feeds[spec.name], lengths)
        return tuple(found)

    def check(self, feeds: Mapping[str, Tensor]) -> None:
        """The feeds fit: names, dtypes, ranks, fixed axes, and free axes of one name have one length.

        Raises SignatureMismatchError with every mismatch at once.
        """
        if found := self.problems(feeds):
            raise SignatureMismatchError(found)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "inputs": [spec.to_dict() for spec in self.inputs],
            "outputs": [spec.to_dict() for spec in self.outputs],
        }

    @classmethod
    def from_dict(cls, data: object) -> Signature:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        fields = {"inputs": (list, tuple), "outputs": (list, tuple)}
        values = read_fields(data, record="Signature", fields=fields, schema_version=None)
        return cls(
            inputs=tuple(TensorSpec.from_dict(item) for item in cast("list[object]", values["inputs"])),
            outputs=tuple(TensorSpec.from_dict(item) for item in cast("list[object]", values["outputs"])),
        )


def _shape_text(shape: tuple[int | str, ...]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


def _array_problems(spec: TensorSpec, array: object, lengths: dict[str, tuple[int, str]]) -> list[str]:
    """What is wrong with one array; `lengths` collects the free axes seen so far: name -> (length, input)."""
    if not isinstance(array, np.ndarray):
        return [f"{spec.name!r} must be a numpy array, found {type(array).__name__}"]
    found = []
    # str, not name: it also tells a byte order that is not the machine's own.
    if array.dtype != np.dtype(spec.dtype):
        found.append(f"{spec.name!r} must be {spec.dtype}, found {array.dtype}")
    if array.ndim != len(spec.shape):
        wanted_text, found_text = _shape_text(spec.shape), _shape_text(array.shape)
        return [*found, f"{spec.name!r} must have shape {wanted_text}, found {found_text}"]
    for axis, (wanted, length) in enumerate(zip(spec.shape, array.shape, strict=True)):
        if isinstance(wanted, int):
            if length != wanted:
                found.append(f"{spec.name!r} axis {axis} must be {wanted}, found {length}")
            continue
        if length == 0:
            found.append(f"{spec.name!r} axis {axis} ({wanted!r}) is empty")
        first_length, first_input = lengths.setdefault(wanted, (length, spec.name))
        if length != first_length:
            found.append(
                f"{spec.name!r} axis {axis} ({wanted!r}) is {length}, "
                f"but {wanted!r} is {first_length} in {first_input!r}"
            )
    return found
