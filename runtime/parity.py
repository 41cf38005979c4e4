"""Whether a result is PyTorch's: names first, then shapes, then numbers, and all of it on record.

Nothing is scrubbed, rounded or changed: a NaN or an infinity anywhere is a failure, and inputs are only read.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from condmix.runtime.errors import ComparisonImpossibleError
from condmix.runtime.output_kind import CLASSES
from condmix.runtime.parity_report import ElementError, OutputParity, ParityReport
from condmix.runtime.signature import Tensor
from condmix.runtime.tolerance import FloatArray, RowLimits, Tolerance, rows_of


def compare(
    reference: Mapping[str, FloatArray],
    actual: Mapping[str, Tensor],
    *,
    tolerance: Tolerance,
    own_float32: Mapping[str, Tensor] | None,
    context: Mapping[str, str],
    kinds: Mapping[str, str] | None = None,
) -> ParityReport:
    """The record of how far `actual` is from `reference`, output by output.

    reference: PyTorch in float64. own_float32: PyTorch's own float32 result on the same images, or None.
    context: what is compared (stage, file hash, inputs); it goes into the record as it is. kinds: what outputs are,
    in the words of `output_kind`; rows of scores are of classes unless told.
    A difference, whatever its kind, is a verdict and not an exception.

    Raises ComparisonImpossibleError when the question itself is wrong: no outputs, no elements, a
    reference that is not float64, an `actual` without real numbers, or an `own_float32` that does not fit.
    """
    if problems := _question_problems(reference, actual, own_float32):
        raise ComparisonImpossibleError(problems)
    return ParityReport(
        outputs=tuple(
            _compare_output(
                name,
                expected,
                actual[name],
                None if own_float32 is None else own_float32[name],
                tolerance,
                scores_classes=(kinds or {}).get(name, CLASSES) == CLASSES,
            )
            for name, expected in reference.items()
            if name in actual
        ),
        missing_outputs=tuple(name for name in reference if name not in actual),
        unexpected_outputs=tuple(name for name in actual if name not in reference),
        tolerance=tolerance,
        context=tuple(sorted(context.items())),
    )


def _question_problems(
    reference: Mapping[str, FloatArray],
    actual: Mapping[str, Tensor],
    own_float32: Mapping[str, Tensor] | None,
) -> list[str]:
    problems = [] if reference else ["the reference has no outputs: comparing nothing proves nothing"]
    for name, expected in reference.items():
        if not isinstance(expected, np.ndarray) or expected.dtype != np.float64:
            problems.append(f"reference {name!r} must be a float64 array, found {_kind(expected)}")
        elif expected.size == 0:
            problems.append(f"reference {name!r} has no elements (shape {list(expected.shape)})")
    for side, arrays in (("result", actual), ("own_float32", own_float32 or {})):
        problems += [
            f"{side} {name!r} must be an array of real numbers, found {_kind(array)}"
            for name, array in arrays.items()
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub"
        ]
    if own_float32 is not None:
        for name, expected in reference.items():
            if name not in own_float32:
                problems.append(f"own_float32 lacks the output {name!r}")
            elif np.shape(own_float32[name]) != np.shape(expected):
                found = list(np.shape(own_float32[name]))
                problems.append(f"own_float32 {name!r} must have shape {list(np.shape(expected))}, found {found}")
    return problems


def _kind(value: object) -> str:
    return str(value.dtype) if isinstance(value, np.ndarray) else type(value).__name__


def _compare_output(
    name: str,
    reference: FloatArray,
    actual: Tensor,
    own_float32: Tensor | None,
    tolerance: Tolerance,
    *,
    scores_classes: bool,
) -> OutputParity:
    values = np.asarray(actual, dtype=np.float64)
    reference_bad, actual_bad = (int(array.size - np.isfinite(array).sum()) for array in (reference, values))
    if reference.shape != values.shape or reference_bad or actual_bad:
        return OutputParity(
            name=name,
            reference_shape=reference.shape,
            actual_shape=values.shape,
            reference_nonfinite_count=reference_bad,
            actual_nonfinite_count=actual_bad,
            tolerance=tolerance,
        )
    limits = tolerance.limits(reference, own_float32)
    error = _row_errors(values, reference)
    own_error = None
    if own_float32 is not None and np.isfinite(own_float32).all():
        own = _row_errors(np.asarray(own_float32, dtype=np.float64), reference)
        own_error = _furthest_out(own, limits.base, limits, reference.shape)
    return OutputParity(
        name=name,
        reference_shape=reference.shape,
        actual_shape=values.shape,
        reference_nonfinite_count=0,
        actual_nonfinite_count=0,
        tolerance=tolerance,
        worst=_furthest_out(error, limits.limit, limits, reference.shape),
        own_float32=own_error,
        own_relative=limits.own_relative,
        ill_conditioned=limits.ill_conditioned,
        share_outside=float((error > limits.limit[:, np.newaxis]).mean()),
        worst_cosine=_worst_cosine(rows_of(reference), rows_of(values)),
        top1_agreement=_top1_agreement(reference, values) if scores_classes else None,
    )


def _row_errors(values: FloatArray, reference: FloatArray) -> FloatArray:
    """|values - reference| as [rows, elements]."""
    # Two huge numbers of opposite sign differ by infinity: a failure like any other, not a warning.
    with np.errstate(over="ignore"):
        return np.abs(rows_of(values) - rows_of(reference))


def _furthest_out(error: FloatArray, limit: FloatArray, limits: RowLimits, shape: tuple[int, ...]) -> ElementError:
    """The element whose error is the largest multiple of its row's limit; `error` is [rows, elements]."""
    excess = np.where(error > 0, np.inf, 0.0)
    column = np.broadcast_to(limit[:, np.newaxis], error.shape)
    with np.errstate(over="ignore"):
        np.divide(error, column, out=excess, where=column > 0)
    flat = int(excess.argmax())
    row = flat // error.shape[1]
    return ElementError(
        index=tuple(int(axis) for axis in np.unravel_index(flat, shape)) if shape else (),
        absolute=float(error.flat[flat]),
        scale=float(limits.scale[row]),
        limit_absolute=float(limit[row]),
    )


def _worst_cosine(reference: FloatArray, actual: FloatArray) -> float:
    """The least cosine over the rows of [rows, elements]; two rows of zeros agree, one alone does not."""
    units = []
    for rows in (reference, actual):
        scale = np.abs(rows).max(axis=1, keepdims=True)
        scaled = np.divide(rows, scale, out=np.zeros_like(rows), where=scale > 0)
        norm = np.linalg.norm(scaled, axis=1, keepdims=True)
        units.append(np.divide(scaled, norm, out=np.zeros_like(rows), where=norm > 0))
    cosine = (units[0] * units[1]).sum(axis=1).clip(-1.0, 1.0)
    both_zero = ~(units[0].any(axis=1) | units[1].any(axis=1))
    return float(np.where(both_zero, 1.0, cosine).min())


def _top1_agreement(reference: FloatArray, actual: FloatArray) -> float | None:
    if reference.ndim != 2 or reference.shape[1] < 2:
        return None
    return float((reference.argmax(axis=1) == actual.argmax(axis=1)).mean())
