"""How far a measurement can be believed: the findings, the gravest first."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from condmix.runtime.bench.fields import NULL, parts
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError
from condmix.runtime.records import read_fields


class Judgement(StrEnum):
    """One word for a measurement, the gravest first."""

    UNVERIFIED = "UNVERIFIED"
    EMULATED = "EMULATED"
    TOO_SHORT = "TOO SHORT"
    THROTTLED = "THROTTLED"
    NOISY = "NOISY"
    VALID = "VALID"


_GRAVITY = {judgement: place for place, judgement in enumerate(Judgement)}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One word and why, with figures."""

    verdict: Judgement
    reason: str

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {"verdict": str(self.verdict), "reason": self.reason}

    @classmethod
    def from_dict(cls, data: object) -> Finding:
        """The record written by `to_dict`. Raises InvalidRecordError."""
        values = read_fields(data, record="Finding", fields={"verdict": str, "reason": str}, schema_version=None)
        known = [str(judgement) for judgement in Judgement]
        if values["verdict"] not in known:
            problem = f"'verdict' must be one of {', '.join(map(repr, known))}, found {values['verdict']!r}"
            raise InvalidRecordError([problem], record="Finding")
        return cls(verdict=Judgement(values["verdict"]), reason=cast(str, values["reason"]))


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """All findings, the gravest first; a measurement without a fault has the one finding VALID.

    machine: words for a machine that is shared or virtual, which belong to the first line; else None.
    """

    findings: tuple[Finding, ...]
    machine: str | None = None

    def __post_init__(self) -> None:
        problems = [] if self.findings else ["findings is empty: a measurement without a fault is VALID"]
        order = [_GRAVITY[finding.verdict] for finding in self.findings]
        if order != sorted(order):
            problems.append(
                f"findings must begin with the gravest, found {[str(one.verdict) for one in self.findings]}"
            )
        if len(self.findings) > 1 and any(finding.verdict is Judgement.VALID for finding in self.findings):
            problems.append("findings has VALID beside a fault")
        if problems:
            raise InvalidSettingError(problems, record="Verdict")

    @classmethod
    def of(cls, findings: list[Finding], *, valid: str, machine: str | None) -> Verdict:
        """The findings in order of gravity; without any, VALID for the reason `valid`."""
        ordered = sorted(findings, key=lambda finding: _GRAVITY[finding.verdict])
        return cls(findings=tuple(ordered) or (Finding(verdict=Judgement.VALID, reason=valid),), machine=machine)

    @property
    def judgement(self) -> Judgement:
        """The gravest."""
        return self.findings[0].verdict

    @property
    def reason(self) -> str:
        """Of the gravest."""
        return self.findings[0].reason

    @property
    def is_valid(self) -> bool:
        """Nothing was found against the figures."""
        return self.judgement is Judgement.VALID

    @property
    def is_emulated(self) -> bool:
        """It was no real CPU: what was computed counts, and there is no latency."""
        return any(finding.verdict is Judgement.EMULATED for finding in self.findings)

    def first_line(self) -> str:
        """`VERDICT: reason`, the first line of every output."""
        others = dict.fromkeys(str(one.verdict) for one in self.findings[1:] if one.verdict is not self.judgement)
        also = f" (also {', '.join(others)})" if others else ""
        machine = "" if self.machine is None else f"; {self.machine}"
        return f"{self.judgement}: {self.reason}{also}{machine}"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {"findings": [finding.to_dict() for finding in self.findings], "machine": self.machine}

    @classmethod
    def from_dict(cls, data: object) -> Verdict:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        wanted: dict[str, type | tuple[type, ...]] = {"findings": (list, tuple), "machine": (str, NULL)}
        values = read_fields(data, record="Verdict", fields=wanted, schema_version=None)
        return cls(findings=parts(values, "findings", Finding.from_dict), machine=cast("str | None", values["machine"]))
