"""The proof of a rounded file at other heights and widths than the one it was calibrated at."""

from __future__ import annotations

from dataclasses import dataclass

from condmix.exporters.sizes.choice import FreeSize, Sides, shown
from condmix.exporters.verify.rounded import RoundedVerification


@dataclass(frozen=True, kw_only=True)
class RoundedSize:
    """One size. verification: None when the file did not run there, `failure` is why."""

    sides: Sides
    verification: RoundedVerification | None
    failure: str | None = None

    def problems(self) -> tuple[str, ...]:
        """One sentence for each thing that is wrong, with the size."""
        found = (self.failure or "it was not run",) if self.verification is None else self.verification.problems()
        return tuple(f"at {shown(self.sides)}: {problem}" for problem in found)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        verification = None if self.verification is None else self.verification.to_dict()
        return {"size": shown(self.sides), "verification": verification, "failure": self.failure}


@dataclass(frozen=True, kw_only=True)
class RoundedSizes:
    """Every size that an int8 file for any height and width was run at."""

    sizes: FreeSize
    cases: tuple[RoundedSize, ...]

    def problems(self) -> tuple[str, ...]:
        """Of all sizes; a file that was run at none has proven nothing."""
        if not self.cases:
            return ("it was run at no other size",)
        return tuple(problem for case in self.cases for problem in case.problems())

    def sentence(self) -> str:
        """The result in one line."""
        worst = min(
            (item.sqnr_db_median for case in self.cases if case.verification for item in case.verification.agreement),
            default=float("nan"),
        )
        listed = ", ".join(shown(case.sides) for case in self.cases)
        return f"{self.sizes.sentence()}: at {listed} in every way of running, SQNR {worst:.1f} dB or more"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            **self.sizes.to_dict(),
            "not_run": list(self.sizes.not_run),
            "cases": [case.to_dict() for case in self.cases],
        }
