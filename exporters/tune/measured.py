"""What a measurement of candidates says: every ratio with its interval, and the noise floor of its run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from condmix.exporters.errors import TuningDataError
from condmix.runtime.errors import InvalidRecordError
from condmix.runtime.records import read_fields

_NULL = type(None)


@dataclass(frozen=True, kw_only=True)
class Timed:
    """One candidate. ratio: its median over that of the first candidate of the run; low, high hold it with 95 %.

    failure: why there is no ratio.
    """

    name: str
    ratio: float | None
    low: float | None
    high: float | None
    failure: str | None = None

    def words(self) -> str:
        """`0.82 (0.80 to 0.84)`, or why not."""
        if self.ratio is None:
            return self.failure or "not measured"
        if self.low is None or self.high is None:
            return f"{self.ratio:.2f} (too few rounds for an interval)"
        return f"{self.ratio:.2f} ({self.low:.2f} to {self.high:.2f})"

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: object) -> Timed:
        """The record written by `to_dict`. Raises InvalidRecordError."""
        number = (float, _NULL)
        wanted: Mapping[str, type | tuple[type, ...]] = {
            "name": str,
            "ratio": number,
            "low": number,
            "high": number,
            "failure": (str, _NULL),
        }
        return cls(**read_fields(data, record="Timed", fields=wanted, schema_version=None))  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class TimedRun:
    """One interleaved run; the first candidate is the one that the others are compared with.

    noise_floor: how far the first one against itself reaches from 1. median_ms: of the first one.
    """

    candidates: tuple[Timed, ...]
    noise_floor: float | None
    median_ms: float | None

    def __post_init__(self) -> None:
        if not self.candidates:
            message = "a run has at least one candidate"
            raise TuningDataError(message)

    def of(self, name: str) -> Timed:
        """The candidate of that name. Raises TuningDataError."""
        for one in self.candidates:
            if one.name == name:
                return one
        message = f"{name!r} was not measured: {', '.join(one.name for one in self.candidates)} were"
        raise TuningDataError(message)

    def updated(self, later: TimedRun | None) -> TimedRun:
        """The same with the figures of a longer run of some of its candidates, and the noise floor of that."""
        if later is None:
            return self
        newer = {one.name: one for one in later.candidates}
        candidates = tuple(newer.get(one.name, one) for one in self.candidates)
        return TimedRun(candidates=candidates, noise_floor=later.noise_floor, median_ms=later.median_ms)

    def is_faster(self, one: Timed) -> bool:
        """Its interval lies below 1, and its ratio below 1 by more than the noise floor."""
        if one.ratio is None or one.high is None or self.noise_floor is None:
            return False
        return one.high < 1 and one.ratio < 1 - self.noise_floor

    def fastest(self) -> Timed:
        """The lowest ratio of those that are faster than the first; the first when none is."""
        faster = [one for one in self.candidates[1:] if self.is_faster(one)]
        return min(faster, key=_ratio, default=self.candidates[0])

    def fastest_of(self, names: Collection[str], *, unless: Collection[str] = ()) -> Timed:
        """The fastest of `names`, or one of `unless` whose whole interval lies below that one's ratio."""
        faster = [one for one in self.candidates[1:] if one.name in names and self.is_faster(one)]
        best = min(faster, key=_ratio, default=self.candidates[0])
        special = [one for one in self.candidates[1:] if one.name in unless and self.is_faster(one)]
        special = [one for one in special if one.high is not None and one.high < (best.ratio or 1.0)]
        return min(special, key=_ratio, default=best)

    def lowest(self) -> Timed:
        """The lowest ratio, noise or not."""
        return min((one for one in self.candidates if one.ratio is not None), key=_ratio, default=self.candidates[0])

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "candidates": [one.to_dict() for one in self.candidates],
            "noise_floor": self.noise_floor,
            "median_ms": self.median_ms,
        }

    @classmethod
    def from_dict(cls, data: object) -> TimedRun:
        """The record written by `to_dict`. Raises InvalidRecordError."""
        wanted: Mapping[str, type | tuple[type, ...]] = {
            "candidates": (list, tuple),
            "noise_floor": (float, _NULL),
            "median_ms": (float, _NULL),
        }
        values = read_fields(data, record="TimedRun", fields=wanted, schema_version=None)
        listed = values["candidates"]
        assert isinstance(listed, Sequence)
        if not listed:
            raise InvalidRecordError(["'candidates' is empty"], record="TimedRun")
        values["candidates"] = tuple(Timed.from_dict(one) for one in listed)
        return cls(**values)  # type: ignore[arg-type]


def _ratio(one: Timed) -> float:
    assert one.ratio is not None
    return one.ratio
