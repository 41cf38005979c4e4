"""How a ratio of one report compares with the same ratio of another: the only figure that may cross machines.

A report's median belongs to its machine and its hour. The ratio to a model that was measured beside it, in the same
rounds, does so far less: what slowed one slowed the other.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from condmix.runtime.bench.report import BenchReport
    from condmix.runtime.bench.statistics import Ratio


@dataclass(frozen=True, kw_only=True)
class RatioChange:
    """A subject over the baseline, in two reports.

    change: new ratio over old ratio. low, high: what it may be when each ratio is anywhere in its interval.
    floor: the larger noise floor of the two reports. All None where one of the ratios has no interval.
    """

    name: str
    denominator: str
    old: Ratio
    new: Ratio
    change: float | None
    low: float | None
    high: float | None
    floor: float | None

    @property
    def is_different(self) -> bool:
        """The intervals of both lie apart, and by more than either report's noise floor."""
        if self.change is None or self.low is None or self.high is None or self.floor is None:
            return False
        return not self.low <= 1 <= self.high and abs(self.change - 1) > self.floor

    @property
    def is_known(self) -> bool:
        """Both ratios have an interval and both reports a noise floor, so that a difference could be told."""
        return None not in (self.change, self.low, self.high, self.floor)

    def sentence(self) -> str:
        """Both ratios and what follows, in one line."""
        pair = f"{self.name} / {self.denominator}: {_said(self.old)} then, {_said(self.new)} now"
        if self.change is None or self.low is None or self.high is None:
            return f"{pair}: too few rounds to compare"
        span = f"{percent_change(self.change)} ({percent_change(self.low)} to {percent_change(self.high)})"
        return f"{pair}: {span}{'' if self.is_different else ', no difference'}"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {**asdict(self), "is_different": self.is_different}


def ratio_change(old: BenchReport, new: BenchReport, name: str) -> RatioChange:
    """The ratio of `name` to the first subject, in both; both reports have the name and the same first subject."""
    denominator = new.subject_names[0]
    before, now = old.ratio(name, denominator), new.ratio(name, denominator)
    floors = old.noise_floor(), new.noise_floor()
    change = low = high = None
    if before.ratio and now.ratio is not None:
        change = now.ratio / before.ratio
        if before.low and before.high and now.low is not None and now.high is not None:
            low, high = now.low / before.high, now.high / before.low
    return RatioChange(
        name=name,
        denominator=denominator,
        old=before,
        new=now,
        change=change,
        low=low,
        high=high,
        floor=None if floors[0] is None or floors[1] is None else max(floors[0], floors[1]),
    )


def percent_change(factor: float) -> str:
    """A factor as a signed percentage."""
    return f"{100 * (factor - 1):+.1f} %"


def _said(ratio: Ratio) -> str:
    if ratio.ratio is None:
        return "not known"
    if ratio.low is None or ratio.high is None:
        return f"{ratio.ratio:.3f}"
    return f"{ratio.ratio:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"
