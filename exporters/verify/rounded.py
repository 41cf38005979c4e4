"""Proof of a file that was rounded on purpose (int8): it computes what it says, and what it says agrees with PyTorch.

Two questions, kept apart. *Meaning*: every way of running the file (optimised, on more threads, through the delegate)
gives what its own stored numbers say, up to a few steps of the output's grid. *Agreement*: what it says is close to the
float network. A kernel that saturates fails the first; a range that was chosen badly fails the second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from condmix.runtime.agreement import OutputAgreement, agreement
from condmix.runtime.errors import InvalidSettingError

Run = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""From images (count, channels, height, width) to outputs by name, each (count, ...), as real numbers."""

MOST_STEPS = 8.0
"""Of an output's grid. Kernels round halves differently, by one step a layer at a few places; a few steps reach the
end of a deep network. A saturating kernel is off by tens."""
LEAST_SQNR_DB = 10.0
"""Median over images: noise a tenth of the signal. What tools ruin silently lies around 0 dB."""


@dataclass(frozen=True, kw_only=True)
class RoundedLimits:
    """What a rounded file has to reach."""

    most_steps: float = MOST_STEPS
    least_sqnr_db: float = LEAST_SQNR_DB

    def __post_init__(self) -> None:
        if not self.most_steps > 0:
            raise InvalidSettingError([f"most_steps is {self.most_steps}: expected above 0"], record="RoundedLimits")


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way of running the file."""

    name: str
    run: Run


@dataclass(frozen=True, kw_only=True)
class MeaningCheck:
    """One way against what the file says: the largest difference of any output, in steps of its grid."""

    way: str
    output: str
    worst_steps: float
    nonfinite_count: int
    limit_steps: float

    @property
    def passed(self) -> bool:
        return self.nonfinite_count == 0 and self.worst_steps <= self.limit_steps

    def sentence(self) -> str:
        """One line for a summary."""
        if self.nonfinite_count:
            return f"{self.way}: {self.nonfinite_count} values of '{self.output}' are not finite"
        return f"{self.way}: at most {self.worst_steps:.2g} steps of '{self.output}', limit {self.limit_steps:g}"


@dataclass(frozen=True, kw_only=True)
class RoundedVerification:
    """The whole proof of a rounded file. `passed` decides about its name, together with any accuracy guard."""

    meaning: tuple[MeaningCheck, ...]
    agreement: tuple[OutputAgreement, ...]
    limits: RoundedLimits

    @property
    def passed(self) -> bool:
        return not self.problems()

    def problems(self) -> tuple[str, ...]:
        """One sentence for each thing that is wrong."""
        found = [
            f"it does not compute what its own numbers say: {check.sentence()}"
            for check in self.meaning
            if not check.passed
        ]
        for item in self.agreement:
            if item.nonfinite_count or item.sqnr_db_median < self.limits.least_sqnr_db:
                found.append(
                    f"output '{item.name}' is too far from the float network: {item.sentence()}, "
                    f"expected at least {self.limits.least_sqnr_db:g} dB"
                )
        return tuple(found)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "passed": self.passed,
            "meaning": [{**asdict(check), "passed": check.passed} for check in self.meaning],
            "agreement": [item.to_dict() for item in self.agreement],
            "limits": asdict(self.limits),
        }


def verify_rounded(
    meaning: Run,
    ways: Sequence[Way],
    images_nchw: np.ndarray,
    reference: Mapping[str, np.ndarray],
    *,
    output_steps: Mapping[str, float],
    limits: RoundedLimits,
) -> RoundedVerification:
    """Run the file in every way on all images, there and back: a runtime once kept the first image's kernel.

    meaning: the file in its plainest form (no optimisation, no delegate). reference: the float network's outputs on the
    last so many of the images, on which agreement is judged. output_steps: by output, the size of a step of its grid.
    """
    said = meaning(images_nchw)
    order = [*range(len(images_nchw)), *reversed(range(len(images_nchw)))]
    checks = []
    for way in ways:
        actual = way.run(images_nchw[order])
        checks += [
            _meaning_check(way.name, name, rows[order], actual[name], output_steps[name], limits)
            for name, rows in said.items()
        ]
    shown = {name: said[name][-len(rows) :].reshape(rows.shape) for name, rows in reference.items()}
    return RoundedVerification(meaning=tuple(checks), agreement=agreement(reference, shown), limits=limits)


def _meaning_check(
    way: str, output: str, said: np.ndarray, actual: np.ndarray, step: float, limits: RoundedLimits
) -> MeaningCheck:
    bad = int((~np.isfinite(actual)).sum())
    steps = np.abs(actual.astype(np.float64) - said.astype(np.float64)) / step
    return MeaningCheck(
        way=way,
        output=output,
        worst_steps=float(np.nan_to_num(steps, nan=np.inf).max(initial=0.0)),
        nonfinite_count=bad,
        limit_steps=limits.most_steps,
    )
