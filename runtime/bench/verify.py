"""Whether a subject computed, in this very measurement, what its reference says."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from condmix.runtime.agreement import LEAST_SQNR_DB, OutputAgreement, agreement
from condmix.runtime.bench.reference import Limit, Reference
from condmix.runtime.bench.samples import Agreement
from condmix.runtime.signature import Tensor
from condmix.runtime.tolerance import FloatArray, Tolerance

ONNX_TOLERANCE, TFLITE_TOLERANCE = "float32", "float32_tflite"


def verify(
    outputs: Mapping[str, Tensor],
    reference: Reference,
    *,
    image_of_row: np.ndarray,
    file_name: str,
    tolerance: str,
    scales: Mapping[str, tuple[float, int]] | None = None,
    is_rounded: bool = False,
) -> Agreement:
    """What the outputs, [K, batch, ...] each, are against those of the images that were fed.

    file_name: its limit in the reference is what counts; a file without one is held to the named tolerance, or where
    it is rounded on purpose to what our own rounded files must keep.
    scales: (scale, zero point) of outputs that the file stores as integers.
    """
    problems = []
    actual: dict[str, FloatArray] = {}
    expected: dict[str, FloatArray] = {}
    images = image_of_row.reshape(-1)
    alone = len(outputs) == 1 and len(reference.outputs) == 1
    for name, rows in reference.outputs.items():
        found = next(iter(outputs.values())) if alone else outputs.get(name)
        if found is None:
            problems.append(f"there is no output {name!r}, but {', '.join(map(repr, outputs)) or 'none'}")
            continue
        expected[name] = np.asarray(rows, dtype=np.float64)[images]
        value = found.astype(np.float64)
        if scales is not None and name in scales:
            value = scales[name][0] * (value - scales[name][1])
        if value.size != expected[name].size:
            problems.append(
                f"output {name!r} is {found.shape[1:]} a run, expected {(image_of_row.shape[1], *rows.shape[1:])}"
            )
            continue
        actual[name] = value.reshape(expected[name].shape)
    if problems:
        return cannot_verify(reference, "it cannot be compared: " + "; ".join(problems))
    compared = agreement(expected, actual, reference.kinds)
    difference = max(_difference(expected[name], actual[name]) for name in expected)
    limit = reference.limits.get(file_name)
    if limit is None and is_rounded:
        limit = Limit(sqnr_db=LEAST_SQNR_DB)
    if limit is None:
        return _by_tolerance(reference, expected, actual, compared, difference, file_name, tolerance)
    return _by_limit(reference, compared, difference, limit)


def _difference(expected: FloatArray, actual: FloatArray) -> float:
    if not np.isfinite(actual).all():
        return math.inf
    return float(np.abs(expected - actual).max())


def _by_limit(
    reference: Reference, compared: tuple[OutputAgreement, ...], difference: float, limit: Limit
) -> Agreement:
    top1, sqnr_db = _kept(compared)
    said, broken = [], []
    checks = (
        ("largest difference", difference, limit.max_abs_difference, "at most", "{:.3g}", 1.0),
        ("top-1 agreement", top1, limit.top1_agreement, "at least", "{:.1%}", -1.0),
        ("SQNR in dB", sqnr_db, limit.sqnr_db, "at least", "{:.1f}", -1.0),
    )
    for words, found, bound, side, form, sign in checks:
        if bound is None:
            continue
        text = f"{words} {'none' if found is None else form.format(found)}, {side} {form.format(bound)}"
        said.append(text)
        if found is None or not sign * found <= sign * bound:
            broken.append(text)
    if not math.isfinite(difference):
        broken.append("an output is not finite")
    return Agreement(
        source=reference.outputs_are,
        images=reference.images,
        max_abs_difference=difference,
        limit=limit.max_abs_difference,
        top1_agreement=top1,
        sqnr_db=sqnr_db,
        passed=not broken,
        detail="; ".join(broken or said),
    )


def _by_tolerance(
    reference: Reference,
    expected: Mapping[str, FloatArray],
    actual: Mapping[str, FloatArray],
    compared: tuple[OutputAgreement, ...],
    difference: float,
    file_name: str,
    tolerance: str,
) -> Agreement:
    """A file that the reference does not know, of somebody else or renamed."""
    inside = True
    for name, rows in expected.items():
        limits = Tolerance.for_precision(tolerance).limits(rows, None).limit
        off = np.abs(rows - actual[name]).reshape(len(rows), -1).max(axis=1)
        inside = inside and bool((off <= limits).all())  # not a number is never below anything
    top1, sqnr_db = _kept(compared)
    held = f"the reference has no limit for {file_name!r}, which is held to the {tolerance} tolerance"
    return Agreement(
        source=reference.outputs_are,
        images=reference.images,
        max_abs_difference=difference,
        limit=None,
        top1_agreement=top1,
        sqnr_db=sqnr_db,
        passed=inside,
        detail=f"largest difference {difference:.3g} is {'within' if inside else 'outside'}: {held}",
    )


def _kept(compared: tuple[OutputAgreement, ...]) -> tuple[float | None, float]:
    tops = [one.top1_agreement for one in compared if one.top1_agreement is not None]
    return min(tops, default=None), min(one.sqnr_db_median for one in compared)


def cannot_verify(reference: Reference, detail: str) -> Agreement:
    """On record: there is a reference, and it could not be compared with."""
    return Agreement(
        source=reference.outputs_are,
        images=reference.images,
        max_abs_difference=math.inf,
        limit=None,
        top1_agreement=None,
        sqnr_db=None,
        passed=False,
        detail=detail,
    )
