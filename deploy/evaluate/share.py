"""A share of images with its interval: how far the whole could lie from what was counted on these."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Share:
    """`count` of `total` images. low, high: Wilson's score interval (Wilson, JASA 22, 1927), at 95 %."""

    count: int
    total: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.count / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Low and high end; never outside 0 to 1, and never empty, not even at 0 of n."""
        z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
        shrunk = 1 + z * z / self.total
        centre = (self.share + z * z / (2 * self.total)) / shrunk
        spread = self.share * (1 - self.share) / self.total + z * z / (4 * self.total * self.total)
        half = z * math.sqrt(spread) / shrunk
        # At the ends the exact value is 0 or 1; rounding must not leave the interval beside it.
        low = 0.0 if self.count == 0 else max(0.0, centre - half)
        return low, 1.0 if self.count == self.total else min(1.0, centre + half)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        low, high = self.interval
        return {"count": self.count, "total": self.total, "share": self.share, "low": low, "high": high}
