"""Inputs to run a file of anybody with: the shapes it states, the free ones as asked for, numbers from a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.records import unknown_name
from condmix.runtime.signature import Signature, Tensor, TensorSpec


def example_inputs(signature: Signature, shapes: Mapping[str, tuple[int, ...]], *, seed: int = 0) -> dict[str, Tensor]:
    """One array for each input, the same at every call: floats in [0, 1), any int8 or uint8, else zeros.

    shapes: input name -> shape, for inputs with free axes. A free first axis, the batch, is 1 without being asked for.

    Raises InvalidSettingError naming every shape that is missing or does not fit.
    """
    known = tuple(spec.name for spec in signature.inputs)
    problems = [unknown_name(name, known) for name in shapes if name not in known]
    generator = np.random.default_rng(seed)
    feeds = {}
    for spec in signature.inputs:
        shape = shapes.get(spec.name, _stated(spec))
        fits = len(shape) == len(spec.shape) and all(
            isinstance(length, int) and length > 0 and (isinstance(stated, str) or stated == length)
            for stated, length in zip(spec.shape, shape, strict=True)
        )
        if not fits:
            asked = f", asked for {_text(shape)}" if spec.name in shapes else ""
            problems.append(f"the shape of {spec.name!r} is {_text(spec.shape)} in the file{asked}: give one that fits")
            continue
        feeds[spec.name] = _values(spec, tuple(int(length) for length in shape), generator)
    if problems:
        raise InvalidSettingError(problems, record="example input")
    return feeds


def _stated(spec: TensorSpec) -> tuple[int | str, ...]:
    """The shape in the file, a free first axis taken as a batch of one, others as long as the file was made for."""
    if spec.usual is not None:
        return spec.usual
    return tuple(1 if axis == 0 and isinstance(length, str) else length for axis, length in enumerate(spec.shape))


def _text(shape: Sequence[int | str]) -> str:
    return "x".join(map(str, shape))


def _values(spec: TensorSpec, shape: tuple[int, ...], generator: np.random.Generator) -> Tensor:
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "f":
        return generator.random(shape).astype(dtype)
    if dtype in (np.dtype(np.int8), np.dtype(np.uint8)):
        limits = np.iinfo(dtype)
        return generator.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    # Indices, lengths and conditions: nothing but zero is always within range.
    return np.zeros(shape, dtype)
