"""The record of a model run at several batch sizes, in several orders, on several numbers of threads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from condmix.runtime.parity_report import ParityReport, Verdict

SCHEMA_VERSION = 1


class BatchProperty(StrEnum):
    """What holds for a model that treats images as strangers to each other."""

    REFERENCE = "reference"  # every row is the expected one
    NEIGHBOURS = "neighbours"  # a row is the same whatever the other images are
    ORDER = "order"  # a permuted batch gives permuted rows


class BatchVerdict(StrEnum):
    """What all cases came to, from best to worst."""

    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    ILL_CONDITIONED = "ill_conditioned"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class BatchCase:
    """One property at one batch size.

    threads: on how many the session computed, None where nobody said.
    parity: the comparison; None when the model could not be run, and `failure` is why.
    """

    batch_property: BatchProperty
    batch_size: int
    threads: int | None
    parity: ParityReport | None
    failure: str | None

    @property
    def verdict(self) -> Verdict:
        """That of the comparison; FAIL when there is none."""
        return Verdict.FAIL if self.parity is None else self.parity.verdict

    def sentence(self) -> str:
        """What was found, in one line."""
        threads = "" if self.threads is None else f" (threads: {self.threads})"
        found = self.failure if self.parity is None else self.parity.sentence()
        return f"batch {self.batch_size}{threads}, {self.batch_property}: {found}"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "batch_property": str(self.batch_property),
            "batch_size": self.batch_size,
            "threads": self.threads,
            "verdict": str(self.verdict),
            "parity": None if self.parity is None else self.parity.to_dict(),
            "failure": self.failure,
        }


@dataclass(frozen=True, kw_only=True)
class BatchReport:
    """All cases of a check.

    indistinct_pairs: images whose expected rows lie within the tolerance of each other: a swap would pass.
    """

    cases: tuple[BatchCase, ...]
    indistinct_pairs: tuple[tuple[int, int], ...]

    @property
    def verdict(self) -> BatchVerdict:
        """FAIL if a case failed; INCONCLUSIVE if all passed on images that cannot be told apart."""
        found = {case.verdict for case in self.cases}
        if found - {Verdict.PASS, Verdict.ILL_CONDITIONED} or not found:
            return BatchVerdict.FAIL
        if Verdict.ILL_CONDITIONED in found:
            return BatchVerdict.ILL_CONDITIONED
        return BatchVerdict.INCONCLUSIVE if self.indistinct_pairs else BatchVerdict.PASS

    @property
    def passed(self) -> bool:
        """The verdict is PASS."""
        return self.verdict is BatchVerdict.PASS

    def sentence(self) -> str:
        """The result in one line: how much was checked, or the first case that did not pass."""
        if (verdict := self.verdict) is BatchVerdict.INCONCLUSIVE:
            first, second = self.indistinct_pairs[0]
            return (
                f"inconclusive: images {first} and {second} have equal expected rows within the tolerance, "
                f"so a swap would pass ({len(self.indistinct_pairs)} such pairs); give images that differ"
            )
        sizes = ", ".join(map(str, sorted({case.batch_size for case in self.cases})))
        if verdict is BatchVerdict.PASS:
            return f"{len(self.cases)} cases at batch sizes {sizes} hold"
        wrong = [case for case in self.cases if case.verdict is not Verdict.PASS]
        if not wrong:
            return "no case was run"
        return f"{len(wrong)} of {len(self.cases)} cases do not hold; {wrong[0].sentence()}"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "verdict": str(self.verdict),
            "sentence": self.sentence(),
            "cases": [case.to_dict() for case in self.cases],
            "indistinct_pairs": [list(pair) for pair in self.indistinct_pairs],
        }
