"""Proof of a file that was rounded on purpose (int8): it computes what it says, and what it says agrees with PyTorch.

Two questions, kept apart. *Meaning*: every way of running the file (optimised, on more threads, through the delegate)
gives what its own stored numbers say, up to a few steps of the output's grid. *Agreement*: what it says is close to the
float network. A kernel that saturates fails the first; a range that was chosen badly fails the second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from condmix.runtime.agreement import LEAST_SQNR_DB, OutputAgreement, agreement
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.joint_inputs import mapped

if TYPE_CHECKING:
    from condmix.exporters.verify.rounded_sizes import RoundedSizes

Run = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""From images (count, channels, height, width) to outputs by name, each (count, ...), as real numbers."""

MOST_STEPS = 8.0
"""Of an output's grid. Kernels round halves differently, by one step a layer at a few places; a few steps reach the
end of a deep network. A saturating kernel is off by tens."""
OWN_MULTIPLE = 4.0
"""Times what the file itself makes of a few input pixels that are rounded differently: some networks amplify a single
step, in whatever kernel it happens, as others amplify float32 rounding."""
NUDGE = 0.05
"""Of a step of the input's grid, at random: one pixel in forty is then rounded to its neighbour."""
SEEDS = (1, 2)
STEPS = 255
"""Of an 8-bit grid over an input."""


@dataclass(frozen=True, kw_only=True)
class RoundedLimits:
    """What a rounded file has to reach."""

    most_steps: float = MOST_STEPS
    own_multiple: float = OWN_MULTIPLE
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
    own_steps: float
    """What the plain file makes of a few pixels that are rounded differently."""
    limit_steps: float

    @property
    def passed(self) -> bool:
        return self.nonfinite_count == 0 and self.worst_steps <= self.limit_steps

    def sentence(self) -> str:
        """One line for a summary."""
        if self.nonfinite_count:
            return f"{self.way}: {self.nonfinite_count} values of '{self.output}' are not finite"
        worst, limit, own = map(_shown, (self.worst_steps, self.limit_steps, self.own_steps))
        return (
            f"{self.way}: off by up to {worst} steps of '{self.output}', limit {limit} "
            f"(a few pixels rounded differently: {own})"
        )


@dataclass(frozen=True, kw_only=True)
class RoundedVerification:
    """The whole proof of a rounded file. `passed` decides about its name, together with any accuracy guard."""

    meaning: tuple[MeaningCheck, ...]
    agreement: tuple[OutputAgreement, ...]
    limits: RoundedLimits
    stored: tuple[str, ...] = ()
    """What is wrong with its stored numbers, where they were compared with those they were rounded from."""
    sizes: RoundedSizes | None = None
    """Only of a file for any height and width."""

    @property
    def passed(self) -> bool:
        return not self.problems()

    def problems(self) -> tuple[str, ...]:
        """One sentence for each thing that is wrong."""
        found = list(self.stored)
        found += [
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
        found += [] if self.sizes is None else self.sizes.problems()
        return tuple(found)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "passed": self.passed,
            "meaning": [{**asdict(check), "passed": check.passed} for check in self.meaning],
            "agreement": [item.to_dict() for item in self.agreement],
            "limits": asdict(self.limits),
            **({"stored": list(self.stored)} if self.stored else {}),
            **({} if self.sizes is None else {"sizes": self.sizes.to_dict()}),
        }


def verify_rounded(
    meaning: Run,
    ways: Sequence[Way],
    images_nchw: np.ndarray,
    reference: Mapping[str, np.ndarray],
    *,
    input_step: float,
    output_steps: Mapping[str, float],
    limits: RoundedLimits,
    kinds: Mapping[str, str] | None = None,
) -> RoundedVerification:
    """Run the file in every way on all images, there and back: a runtime once kept the first image's kernel.

    meaning: the file in its plainest form (no optimisation, no delegate). reference: the float network's outputs on the
    last so many of the images, on which agreement is judged. input_step, output_steps: the size of a step of the
    input's grid, and of each output's. kinds: what the outputs are.
    """
    said = meaning(images_nchw)
    own = _own_steps(meaning, said, images_nchw, input_step, output_steps)
    order = [*range(len(images_nchw)), *reversed(range(len(images_nchw)))]
    checks = []
    for way in ways:
        actual = way.run(images_nchw[order])
        checks += [
            _meaning_check(way.name, name, rows[order], actual[name], output_steps[name], own[name], limits)
            for name, rows in said.items()
        ]
    shown = {name: said[name][-len(rows) :].reshape(rows.shape) for name, rows in reference.items()}
    return RoundedVerification(meaning=tuple(checks), agreement=agreement(reference, shown, kinds), limits=limits)


def _meaning_check(
    way: str, output: str, said: np.ndarray, actual: np.ndarray, step: float, own_steps: float, limits: RoundedLimits
) -> MeaningCheck:
    bad = int((~np.isfinite(actual)).sum())
    return MeaningCheck(
        way=way,
        output=output,
        worst_steps=_largest(actual, said, step),
        nonfinite_count=bad,
        own_steps=own_steps,
        limit_steps=max(limits.most_steps, limits.own_multiple * own_steps if np.isfinite(own_steps) else 0.0),
    )


def _own_steps(
    meaning: Run,
    said: Mapping[str, np.ndarray],
    images_nchw: np.ndarray,
    input_step: float,
    output_steps: Mapping[str, float],
) -> dict[str, float]:
    """By output, how far a few pixels that are rounded to their neighbours move it, in its steps; worst of draws."""
    found = dict.fromkeys(said, 0.0)
    for seed in SEEDS:
        moved = meaning(_nudged(images_nchw, np.random.default_rng(seed), input_step))
        for name, rows in said.items():
            found[name] = max(found[name], _largest(moved[name], rows, output_steps[name]))
    return found


def _nudged(images_nchw: np.ndarray, generator: np.random.Generator, input_step: float) -> np.ndarray:
    """A little noise on every number; of several inputs each by a share of what it was seen to be."""

    def moved(part: np.ndarray) -> np.ndarray:
        step = input_step if part is images_nchw else float(np.ptp(part)) / STEPS
        noisy: np.ndarray = (part + generator.uniform(-NUDGE, NUDGE, part.shape) * step).astype(np.float32)
        return noisy

    return mapped(images_nchw, moved)


def _largest(actual: np.ndarray, said: np.ndarray, step: float) -> float:
    steps = np.abs(actual.astype(np.float64) - said.astype(np.float64)) / step
    return float(np.nan_to_num(steps, nan=np.inf).max(initial=0.0))


def _shown(steps: float) -> str:
    return f"{steps:.0f}" if steps >= 10 else f"{steps:.2g}"
