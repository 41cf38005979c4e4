"""The record of a comparison: what was measured, what was allowed, and the verdict that follows from both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from condmix.runtime.tolerance import Tolerance

SCHEMA_VERSION = 1


class Verdict(StrEnum):
    """What a comparison came to, from best to worst."""

    PASS = "pass"
    ILL_CONDITIONED = "ill_conditioned"
    FAIL = "fail"
    NOT_FINITE = "not_finite"
    SHAPE_MISMATCH = "shape_mismatch"
    NAME_MISMATCH = "name_mismatch"


_SEVERITY = tuple(Verdict)


def json_number(value: float) -> float | str:
    """The number, or its name where JSON has none for it."""
    return value if math.isfinite(value) else str(value)


def ratio_or_infinity(part: float, whole: float) -> float:
    """part / whole, where nothing of nothing is 0 and something of nothing is infinite."""
    if whole == 0:
        return math.inf if part else 0.0
    return part / whole


@dataclass(frozen=True, kw_only=True)
class ElementError:
    """One element: how far it is off, absolutely and relative to its row's scale, and what was allowed.

    relative: absolute / scale; infinite where a row of zeros was missed.
    """

    index: tuple[int, ...]
    absolute: float
    scale: float
    limit_absolute: float

    @property
    def relative(self) -> float:
        """The error over the largest magnitude of the reference row."""
        return ratio_or_infinity(self.absolute, self.scale)

    @property
    def limit_relative(self) -> float:
        """The limit over the largest magnitude of the reference row."""
        return ratio_or_infinity(self.limit_absolute, self.scale)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "index": list(self.index),
            "absolute": json_number(self.absolute),
            "relative": json_number(self.relative),
            "scale": json_number(self.scale),
            "limit_absolute": json_number(self.limit_absolute),
            "limit_relative": json_number(self.limit_relative),
        }


@dataclass(frozen=True, kw_only=True)
class OutputParity:
    """One output compared. The measured fields are None when shapes differ or numbers are not finite.

    worst: the element that is furthest out, measured in its own row's limits.
    own_float32: the same for PyTorch's float32 result, against the limit that is not widened.
    own_relative: PyTorch's own error as `RowLimits.own_relative` counts it.
    share_outside: share of elements beyond their limit.
    worst_cosine: cosine between reference row and row, of the row where it is least.
    top1_agreement: share of rows whose largest element is at the same place; None unless [rows, classes].
    """

    name: str
    reference_shape: tuple[int, ...]
    actual_shape: tuple[int, ...]
    reference_nonfinite_count: int
    actual_nonfinite_count: int
    tolerance: Tolerance
    worst: ElementError | None = None
    own_float32: ElementError | None = None
    own_relative: float | None = None
    ill_conditioned: bool = False
    share_outside: float | None = None
    worst_cosine: float | None = None
    top1_agreement: float | None = None

    @property
    def all_finite(self) -> bool:
        """Neither side holds a NaN or an infinity."""
        return self.reference_nonfinite_count == 0 and self.actual_nonfinite_count == 0

    @property
    def verdict(self) -> Verdict:
        """Derived from the numbers; PASS only when everything was measured and lies within."""
        if self.reference_shape != self.actual_shape:
            return Verdict.SHAPE_MISMATCH
        if not self.all_finite:
            return Verdict.NOT_FINITE
        if self.ill_conditioned:
            return Verdict.ILL_CONDITIONED
        if self.share_outside is None or not self.share_outside <= self.tolerance.outlier_fraction:
            return Verdict.FAIL
        return Verdict.PASS

    def badness(self) -> tuple[int, float]:
        """Orders outputs from best to worst: by verdict, then by the worst error in units of its limit."""
        excess = 0.0 if self.worst is None else ratio_or_infinity(self.worst.absolute, self.worst.limit_absolute)
        return _SEVERITY.index(self.verdict), excess

    def sentence(self) -> str:
        """What was found, in one line."""
        verdict = self.verdict
        if verdict is Verdict.SHAPE_MISMATCH:
            return f"shape {list(self.reference_shape)} expected, found {list(self.actual_shape)}"
        if verdict is Verdict.NOT_FINITE or self.worst is None:
            in_reference, in_result = self.reference_nonfinite_count, self.actual_nonfinite_count
            return f"values that are not finite: {in_reference} in the reference, {in_result} in the result"
        if self.worst.scale:
            limit = self.worst.limit_relative
            text = f"max|d| {self.worst.relative:.1e} of the largest value, limit {limit:.1e}"
        else:
            text = f"max|d| {self.worst.absolute:.1e} where all is 0, limit {self.worst.limit_absolute:.1e}"
        if verdict is Verdict.ILL_CONDITIONED:
            own, threshold = self.own_relative, self.tolerance.ill_conditioned_above
            return (
                f"ill-conditioned: PyTorch's own float32 error is {own:.1e} of the largest value "
                f"(above {threshold:.1e}), so the limit was not widened; {text}"
            )
        if verdict is Verdict.FAIL:
            return f"{text}, at {list(self.worst.index)}; {self.share_outside:.2%} of the elements outside"
        return text

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "verdict": str(self.verdict),
            "reference_shape": list(self.reference_shape),
            "actual_shape": list(self.actual_shape),
            "reference_nonfinite_count": self.reference_nonfinite_count,
            "actual_nonfinite_count": self.actual_nonfinite_count,
            "worst": None if self.worst is None else self.worst.to_dict(),
            "own_float32": None if self.own_float32 is None else self.own_float32.to_dict(),
            "own_relative": None if self.own_relative is None else json_number(self.own_relative),
            "ill_conditioned": self.ill_conditioned,
            "share_outside": self.share_outside,
            "worst_cosine": self.worst_cosine,
            "top1_agreement": self.top1_agreement,
        }


@dataclass(frozen=True, kw_only=True)
class ParityReport:
    """All outputs compared under one tolerance.

    context: what was compared (stage, file hash, inputs), as sorted pairs.
    """

    outputs: tuple[OutputParity, ...]
    missing_outputs: tuple[str, ...]
    unexpected_outputs: tuple[str, ...]
    tolerance: Tolerance
    context: tuple[tuple[str, str], ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all outputs."""
        if self.missing_outputs or self.unexpected_outputs or not self.outputs:
            return Verdict.NAME_MISMATCH
        return max((output.verdict for output in self.outputs), key=_SEVERITY.index)

    @property
    def passed(self) -> bool:
        """The verdict is PASS."""
        return self.verdict is Verdict.PASS

    @property
    def worst_output(self) -> OutputParity | None:
        """The output with the worst verdict, among equals the one furthest out; None without outputs."""
        return max(self.outputs, key=OutputParity.badness, default=None)

    def sentence(self) -> str:
        """The result in one line; with several outputs it is about the worst and names it."""
        worst = self.worst_output
        if worst is None or self.verdict is Verdict.NAME_MISMATCH:
            missing = ", ".join(map(repr, self.missing_outputs)) or "none"
            unexpected = ", ".join(map(repr, self.unexpected_outputs)) or "none"
            return f"outputs differ by name: missing {missing}; unexpected {unexpected}"
        return worst.sentence() if len(self.outputs) == 1 else f"{worst.name}: {worst.sentence()}"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`; what is not finite is the string inf or nan."""
        return {
            "schema_version": SCHEMA_VERSION,
            "verdict": str(self.verdict),
            "sentence": self.sentence(),
            "tolerance": self.tolerance.to_dict(),
            "missing_outputs": list(self.missing_outputs),
            "unexpected_outputs": list(self.unexpected_outputs),
            "outputs": [output.to_dict() for output in self.outputs],
            "context": dict(self.context),
        }
