"""The record of a file for any height and width that was run at sizes of many shapes."""

from __future__ import annotations

from dataclasses import dataclass

from condmix.exporters.sizes.choice import FreeSize, Sides, shown
from condmix.runtime.parity_report import ParityReport


@dataclass(frozen=True, kw_only=True)
class SizeCase:
    """One size, so many images a call, on so many threads. parity: None when the file did not run, `failure` is why."""

    sides: Sides
    batch: int
    threads: int
    parity: ParityReport | None
    failure: str | None = None

    @property
    def passed(self) -> bool:
        """The results are the network's own."""
        return self.parity is not None and self.parity.passed

    def sentence(self) -> str:
        """What was found, in one line."""
        found = self.failure if self.parity is None else self.parity.sentence()
        return f"{shown(self.sides)}, batch {self.batch}, {self.threads} thread{'s' * (self.threads > 1)}: {found}"

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "size": shown(self.sides),
            "batch": self.batch,
            "threads": self.threads,
            "passed": self.passed,
            "parity": None if self.parity is None else self.parity.to_dict(),
            "failure": self.failure,
        }


@dataclass(frozen=True, kw_only=True)
class SizeReport:
    """All cases of a file for any height and width."""

    sizes: FreeSize
    cases: tuple[SizeCase, ...]

    @property
    def passed(self) -> bool:
        """Every case holds."""
        return bool(self.cases) and all(case.passed for case in self.cases)

    def sentence(self) -> str:
        """The result in one line: how much was checked, or the first case that does not hold."""
        wrong = [case for case in self.cases if not case.passed]
        if wrong or not self.cases:
            first = wrong[0].sentence() if wrong else "no case was run"
            return f"{len(wrong)} of {len(self.cases)} cases do not hold; {first}"
        listed = ", ".join(dict.fromkeys(shown(case.sides) for case in self.cases))
        return f"{self.sizes.sentence()}: {len(self.cases)} cases at {listed} hold"

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "passed": self.passed,
            "sentence": self.sentence(),
            **self.sizes.to_dict(),
            "not_run": list(self.sizes.not_run),
            "cases": [case.to_dict() for case in self.cases],
        }
