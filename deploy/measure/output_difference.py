"""What two model files of anybody answer to the same seeded inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from condmix.runtime.agreement import OutputAgreement, agreement
from condmix.runtime.audit.example_inputs import example_inputs
from condmix.runtime.session import Session
from condmix.runtime.signature import Tensor, TensorSpec

IMAGES = 4
_LAST = (0, 2, 3, 1)  # NCHW -> NHWC
_FIRST = (0, 3, 1, 2)  # NHWC -> NCHW


@dataclass(frozen=True, kw_only=True)
class OutputDifference:
    """One output over all inputs that were fed. largest: absolute value of the first file's output.

    max_abs_difference: infinite where either is not finite.
    """

    name_a: str
    name_b: str
    max_abs_difference: float
    largest: float
    agreement: OutputAgreement

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON; what is infinite is null."""
        finite = np.isfinite(self.max_abs_difference)
        return {
            "name_a": self.name_a,
            "name_b": self.name_b,
            "max_abs_difference": self.max_abs_difference if finite else None,
            "largest": self.largest if np.isfinite(self.largest) else None,
            "agreement": self.agreement.to_dict(),
        }


@dataclass(frozen=True, kw_only=True)
class OutputComparison:
    """All outputs that could be compared, and what could not or was done to compare them."""

    images: int
    outputs: tuple[OutputDifference, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        outputs = [output.to_dict() for output in self.outputs]
        return {"images": self.images, "outputs": outputs, "notes": list(self.notes)}


def compare_outputs(
    a: Session, b: Session, shapes: Mapping[str, tuple[int, ...]], kinds: Mapping[str, str] | None = None
) -> OutputComparison:
    """Both run on the same random inputs, IMAGES of them, channels moved where one wants them last.

    shapes: input name -> shape, for inputs with free axes. kinds: what the outputs of a are.
    Raises InvalidSettingError, SessionFailedError.
    """
    feeds_a, feeds_b = (
        example_inputs(session.signature, {k: v for k, v in shapes.items() if k in _names(session.signature.inputs)})
        for session in (a, b)
    )
    notes: list[str] = []
    inputs = _pairs(a.signature.inputs, b.signature.inputs, "input", notes)
    for one, other in inputs or ():
        first, second = feeds_a[one], feeds_b[other]
        if first.dtype != second.dtype:
            notes.append(f"outputs are not compared: input {one!r} is {first.dtype} in a, {second.dtype} in b")
            inputs = None
        elif _order(first.shape, second.shape) is None:
            shape_a, shape_b = ("x".join(map(str, shape)) for shape in (first.shape, second.shape))
            notes.append(f"outputs are not compared: input {one!r} is {shape_a} in a, {shape_b} in b")
            inputs = None
    outputs = _pairs(a.signature.outputs, b.signature.outputs, "output", notes)
    if inputs is None or outputs is None:
        return OutputComparison(images=0, outputs=(), notes=tuple(notes))
    answers_a, answers_b = [], []
    for seed in range(IMAGES):
        drawn = _drawn(feeds_a, seed)
        answers_a.append(a.run(drawn))
        moved = {other: _moved(drawn[one], feeds_b[other].shape) for one, other in inputs}
        answers_b.append(b.run(moved))
    found = [_difference(one, other, answers_a, answers_b, notes, kinds or {}) for one, other in outputs]
    return OutputComparison(images=IMAGES, outputs=tuple(one for one in found if one is not None), notes=tuple(notes))


def _names(specs: Sequence[TensorSpec]) -> list[str]:
    return [spec.name for spec in specs]


def _pairs(
    a: Sequence[TensorSpec], b: Sequence[TensorSpec], role: str, notes: list[str]
) -> list[tuple[str, str]] | None:
    """Names that belong together: the same ones, else in order; None when there are more in one file."""
    names_a, names_b = _names(a), _names(b)
    if set(names_a) == set(names_b):
        return [(name, name) for name in names_a]
    if len(names_a) != len(names_b):
        notes.append(f"outputs are not compared: a has {len(names_a)} {role}s, b has {len(names_b)}")
        return None
    pairs = list(zip(names_a, names_b, strict=True))
    notes.append(f"{role}s have other names and are taken in order: {', '.join(f'{x} = {y}' for x, y in pairs)}")
    return pairs


def _order(shape: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...] | None:
    """How to turn an array of that shape into the wanted one; None where neither channel order does it."""
    if shape == wanted:
        return tuple(range(len(shape)))
    if len(shape) == len(wanted) == 4:
        for order in (_LAST, _FIRST):
            if tuple(shape[axis] for axis in order) == wanted:
                return order
    return None


def _moved(array: Tensor, wanted: tuple[int, ...]) -> Tensor:
    order = _order(array.shape, wanted)
    assert order is not None
    return np.ascontiguousarray(array.transpose(order))


def _drawn(feeds: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Arrays like `feeds` with other values: floats in [-1, 1), any 8-bit integers; others stay as they are."""
    generator = np.random.default_rng(seed)
    drawn: dict[str, Tensor] = {}
    for name, like in feeds.items():
        if like.dtype.kind == "f":
            drawn[name] = generator.uniform(-1, 1, like.shape).astype(like.dtype)
        elif like.dtype.itemsize == 1 and like.dtype.kind in "iu":
            eight_bits = np.dtype(np.int8 if like.dtype.kind == "i" else np.uint8)
            limits = np.iinfo(eight_bits)
            drawn[name] = generator.integers(limits.min, limits.max, like.shape, dtype=eight_bits, endpoint=True)
        else:
            drawn[name] = like
    return drawn


def _difference(
    one: str,
    other: str,
    a: Sequence[Mapping[str, Tensor]],
    b: Sequence[Mapping[str, Tensor]],
    notes: list[str],
    kinds: Mapping[str, str],
) -> OutputDifference | None:
    shape_a, shape_b = a[0][one].shape, b[0][other].shape
    if _order(shape_b, shape_a) is None:
        said = "x".join(map(str, shape_a)), "x".join(map(str, shape_b))
        notes.append(f"output {one!r} is not compared: its shape is {said[0]} in a, {said[1]} in b")
        return None
    # Rows of one image each: where the first axis counts images they are joined along it.
    join = np.concatenate if len(shape_a) > 1 else np.stack
    first = np.asarray(join([answer[one] for answer in a]))
    second = np.asarray(join([_moved(answer[other], shape_a) for answer in b]))
    with np.errstate(invalid="ignore"):
        apart = np.abs(first.astype(np.float64) - second.astype(np.float64))
    return OutputDifference(
        name_a=one,
        name_b=other,
        max_abs_difference=float(apart.max(initial=0.0)) if np.isfinite(apart).all() else float("inf"),
        largest=float(np.abs(first.astype(np.float64)).max(initial=0.0)),
        agreement=agreement({one: first}, {one: second}, kinds)[0],
    )
