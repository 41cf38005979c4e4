"""How long a bench measures, and in what order."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, cast

from condmix.runtime.bench.fields import NULL
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.records import read_fields

_RECORD = "BenchSettings"


@dataclass(frozen=True, kw_only=True)
class BenchSettings:
    """A measurement stops when the count and the duration are met, for every subject.

    warmup_runs, warmup_seconds: of every opening before its first timed run, both met; recorded, in no median.
    minimum_runs, minimum_seconds: timed runs, and the sum of their wall time, of each subject.
    maximum_seconds: of all rounds together; a measurement that it ends is TOO SHORT. None: no limit.
    block: consecutive runs of one subject within a round.
    settling_runs: at the start of each turn, not among the samples: they find the caches as another subject left
        them, which is a cost of measuring in turns and none of the model.
    openings: processes of each subject, which have their turns in turn; the file lies elsewhere in the memory of each.
    seed: of the order of subjects in each round, of random inputs, and of the bootstrap.
    """

    warmup_runs: int = 5
    warmup_seconds: float = 0.5
    minimum_runs: int = 100
    minimum_seconds: float = 2.0
    maximum_seconds: float | None = None
    block: int = 5
    settling_runs: int = 1
    openings: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        lowest = {"warmup_runs": 0, "minimum_runs": 1, "block": 1, "settling_runs": 0, "openings": 1, "seed": 0}
        problems = [
            f"{name} must be at least {least}, found {getattr(self, name)}"
            for name, least in lowest.items()
            if getattr(self, name) < least
        ]
        problems += [
            f"{name} must be finite and at least 0, found {getattr(self, name)}"
            for name in ("warmup_seconds", "minimum_seconds")
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0)
        ]
        if self.maximum_seconds is not None and not (math.isfinite(self.maximum_seconds) and self.maximum_seconds > 0):
            problems.append(f"maximum_seconds must be finite and above 0, found {self.maximum_seconds}")
        elif self.maximum_seconds is not None and self.maximum_seconds < self.minimum_seconds:
            problems.append(
                f"maximum_seconds is {self.maximum_seconds:g}, below minimum_seconds {self.minimum_seconds:g}: "
                "no measurement could be long enough"
            )
        if problems:
            raise InvalidSettingError(problems, record=_RECORD)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: object) -> BenchSettings:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        fields: dict[str, type | tuple[type, ...]] = {
            "warmup_runs": int,
            "warmup_seconds": float,
            "minimum_runs": int,
            "minimum_seconds": float,
            "maximum_seconds": (float, NULL),
            "block": int,
            "settling_runs": int,
            "openings": int,
            "seed": int,
        }
        return cls(**cast("dict[str, Any]", read_fields(data, record=_RECORD, fields=fields, schema_version=None)))
