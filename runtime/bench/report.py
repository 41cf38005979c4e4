"""The record of a bench: every sample of every subject, the machine around them, and what may be said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from condmix.runtime.bench.environment import Environment
from condmix.runtime.bench.fields import NULL, parts, texts
from condmix.runtime.bench.samples import SubjectRecord
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.statistics import Array, Ratio, Summary, blocks, compare_blocks, summarize
from condmix.runtime.bench.verdict import Verdict
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError, one_line
from condmix.runtime.records import SCHEMA_VERSION_KEY, read_fields

SCHEMA_VERSION = 1
KIND = "condmix-latency"
_RECORD = "BenchReport"


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """All subjects of one measurement; the first is the baseline, and `control` is its second name.

    created: UTC, ISO 8601. command: as it was given, word by word.
    rounds: complete ones, in which every subject that was not lost had its turn.
    interrupted: why the measurement was ended early, in words; None when it was not.
    sections: what else was found out, as plain JSON data: "profile", "routing", "batch_curve" and so on.
    """

    condmix_version: str
    created: str
    command: tuple[str, ...]
    settings: BenchSettings
    subjects: tuple[SubjectRecord, ...]
    control: str
    environment_before: Environment
    environment_after: Environment
    rounds: int
    interrupted: str | None
    verdict: Verdict
    sections: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    _computed: dict[tuple[str, ...], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = []
        names = self.subject_names
        if len(set(names)) != len(names):
            problems.append(f"subjects have one name twice: {list(names)}")
        if len(names) < 2 or names[0] == self.control or self.control not in names:
            problems.append(f"control {self.control!r} must be a later subject than the first of {list(names)}")
        if self.rounds < 0:
            problems.append(f"rounds must be at least 0, found {self.rounds}")
        if problems:
            raise InvalidSettingError(problems, record=_RECORD)

    @property
    def subject_names(self) -> tuple[str, ...]:
        """In order, the control among them."""
        return tuple(record.name for record in self.subjects)

    @property
    def baseline(self) -> str:
        """The name of the first subject, that of the A/A pair."""
        return self.subjects[0].name

    def subject(self, name: str) -> SubjectRecord:
        """The subject of that name. Raises InvalidSettingError listing the names there are."""
        for record in self.subjects:
            if record.name == name:
                return record
        known = ", ".join(map(repr, self.subject_names))
        raise InvalidSettingError([f"no subject is named {name!r}, there are {known}"], record="report")

    def steady(self, name: str) -> Summary | None:
        """The steady state of that subject; None when it was lost before its first timed run."""
        key = ("steady", name)
        if key not in self._computed:
            self._computed[key] = summarize(
                self.subject(name).samples,
                rounds=self.rounds,
                block=self.settings.block,
                seed=self.settings.seed,
            )
        return cast("Summary | None", self._computed[key])

    def ratio(self, numerator: str, denominator: str) -> Ratio:
        """median(numerator) / median(denominator) over their common rounds, the same at every call."""
        key = ("ratio", numerator, denominator)
        if key not in self._computed:
            self._computed[key] = compare_blocks(
                self._blocks(numerator),
                self._blocks(denominator),
                numerator=numerator,
                denominator=denominator,
                seed=self.settings.seed,
            )
        return cast(Ratio, self._computed[key])

    def noise_floor(self) -> float | None:
        """How far from 1 the interval of the baseline against itself reaches; None without an interval."""
        control = self.ratio(self.control, self.baseline)
        if control.low is None or control.high is None:
            return None
        return max(abs(control.low - 1), abs(control.high - 1))

    def is_different(self, ratio: Ratio) -> bool:
        """Whether the interval excludes 1 and the ratio lies beyond the noise floor."""
        floor = self.noise_floor()
        if ratio.ratio is None or ratio.low is None or ratio.high is None or floor is None:
            return False
        return not ratio.low <= 1 <= ratio.high and abs(ratio.ratio - 1) > floor

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version` and `kind`."""
        return {
            SCHEMA_VERSION_KEY: SCHEMA_VERSION,
            "kind": KIND,
            "condmix_version": self.condmix_version,
            "created": self.created,
            "command": list(self.command),
            "settings": self.settings.to_dict(),
            "subjects": [record.to_dict() for record in self.subjects],
            "control": self.control,
            "environment_before": self.environment_before.to_dict(),
            "environment_after": self.environment_after.to_dict(),
            "rounds": self.rounds,
            "interrupted": self.interrupted,
            "verdict": self.verdict.to_dict(),
            "sections": dict(self.sections),
        }

    @classmethod
    def from_dict(cls, data: object) -> BenchReport:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        _check_kind(data)
        wanted: dict[str, type | tuple[type, ...]] = {
            "kind": str,
            "condmix_version": str,
            "created": str,
            "command": (list, tuple),
            "settings": dict,
            "subjects": (list, tuple),
            "control": str,
            "environment_before": dict,
            "environment_after": dict,
            "rounds": int,
            "interrupted": (str, NULL),
            "verdict": dict,
            "sections": dict,
        }
        values = read_fields(data, record=_RECORD, fields=wanted, schema_version=SCHEMA_VERSION)
        del values["kind"]
        values["command"] = texts(values, "command", record=_RECORD)
        values["settings"] = BenchSettings.from_dict(values["settings"])
        values["subjects"] = parts(values, "subjects", SubjectRecord.from_dict)
        values["environment_before"] = Environment.from_dict(values["environment_before"])
        values["environment_after"] = Environment.from_dict(values["environment_after"])
        values["verdict"] = Verdict.from_dict(values["verdict"])
        return cls(**cast("dict[str, Any]", values))

    def _blocks(self, name: str) -> dict[int, Array]:
        key = ("blocks", name)
        if key not in self._computed:
            self._computed[key] = blocks(self.subject(name).samples, rounds=self.rounds, block=self.settings.block)
        return cast("dict[int, Array]", self._computed[key])


def read_report(path: Path) -> BenchReport:
    """The report in the file at `path`.

    Raises InvalidRecordError naming the file: missing, no JSON, of another kind, of a newer schema, damaged.
    """
    record = f"report {str(path)!r}"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRecordError([error.strerror or one_line(error)], record=record) from error
    except (ValueError, RecursionError) as error:
        raise InvalidRecordError([f"it is not JSON: {one_line(error)}"], record=record) from error
    try:
        return BenchReport.from_dict(data)
    except (InvalidRecordError, InvalidSettingError) as error:
        inner = "" if error.record == _RECORD else f"{error.record}: "
        raise InvalidRecordError([inner + problem for problem in error.problems], record=record) from error


def _check_kind(data: object) -> None:
    """A file of something else is told at once, not by the list of all its keys; so is one of a later condmix."""
    if not isinstance(data, Mapping):
        return
    if data.get("kind") != KIND:
        problem = f"'kind' must be {KIND!r}, found {data.get('kind')!r}: this is not a report of condmix bench"
        raise InvalidRecordError([problem], record=_RECORD)
    version = data.get(SCHEMA_VERSION_KEY)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        problem = (
            f"{SCHEMA_VERSION_KEY!r} is {version}, this condmix reads up to {SCHEMA_VERSION}: "
            "it was written by a newer condmix, which can read it"
        )
        raise InvalidRecordError([problem], record=_RECORD)
