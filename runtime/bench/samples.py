"""What was measured of one subject: its openings, every timed run, and whether its outputs were right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from condmix.runtime.bench.fields import NULL, parts, shapes_by_name, whole_numbers
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.records import read_fields

INPUT_SOURCES = ("reference", "given", "random")


@dataclass(frozen=True, kw_only=True)
class Opening:
    """One process: the file opened, run for the first time, and warmed up. Bytes are None where not readable.

    load_ns: from the path to a session that can be run; the import of the engine is not in it.
    warmup_wall_ns: the runs between the first inference and the first timed run.
    memory_before_bytes: resident before the engine was imported; memory_loaded_bytes: after the file was opened;
    peak_memory_bytes: the most that was ever resident, the timed runs included.
    """

    load_ns: int
    first_inference_ns: int
    warmup_wall_ns: tuple[int, ...]
    memory_before_bytes: int | None
    memory_loaded_bytes: int | None
    peak_memory_bytes: int | None

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {**asdict(self), "warmup_wall_ns": list(self.warmup_wall_ns)}

    @classmethod
    def from_dict(cls, data: object) -> Opening:
        """The record written by `to_dict`. Raises InvalidRecordError."""
        wanted: dict[str, type | tuple[type, ...]] = {
            "load_ns": int,
            "first_inference_ns": int,
            "warmup_wall_ns": (list, tuple),
            "memory_before_bytes": (int, NULL),
            "memory_loaded_bytes": (int, NULL),
            "peak_memory_bytes": (int, NULL),
        }
        values = read_fields(data, record="Opening", fields=wanted, schema_version=None)
        values["warmup_wall_ns"] = whole_numbers(values, "warmup_wall_ns", record="Opening")
        return cls(**cast("dict[str, Any]", values))


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Every timed run in order of time; one run has the same place in each tuple. None is ever left out.

    start_ns: since the start of the measurement.
    wall_ns: what a user waits for. cpu_ns: of the worker process, all threads of the engine together.
    round: its round; runs of an unfinished round have the number of complete rounds.
    opening: which process of the subject ran it. input: which of the inputs was fed.
    """

    start_ns: tuple[int, ...] = ()
    wall_ns: tuple[int, ...] = ()
    cpu_ns: tuple[int, ...] = ()
    round: tuple[int, ...] = ()
    opening: tuple[int, ...] = ()
    input: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        lengths = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise InvalidSettingError([f"all must be of one length, found {listed}"], record="Samples")

    def __len__(self) -> int:
        return len(self.wall_ns)

    def wall_array(self) -> npt.NDArray[np.int64]:
        """[runs] wall_ns."""
        return np.array(self.wall_ns, dtype=np.int64)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {field.name: list(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_dict(cls, data: object) -> Samples:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        names = {field.name: (list, tuple) for field in fields(cls)}
        values = read_fields(data, record="Samples", fields=names, schema_version=None)
        return cls(**{name: whole_numbers(values, name, record="Samples") for name in names})


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """The outputs of this very run against what the reference says they must be.

    source: the reference. images: compared. max_abs_difference: over all outputs, infinite when not finite.
    limit: what max_abs_difference may be; None when top-1 and SQNR decide.
    detail: one sentence, with the reason when `passed` is False.
    """

    source: str
    images: int
    max_abs_difference: float
    limit: float | None
    top1_agreement: float | None
    sqnr_db: float | None
    passed: bool
    detail: str

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, which has no infinity: null stands for it."""
        difference = self.max_abs_difference if math.isfinite(self.max_abs_difference) else None
        return {**asdict(self), "max_abs_difference": difference}

    @classmethod
    def from_dict(cls, data: object) -> Agreement:
        """The record written by `to_dict`. Raises InvalidRecordError."""
        wanted: dict[str, type | tuple[type, ...]] = {
            "source": str,
            "images": int,
            "max_abs_difference": (float, NULL),
            "limit": (float, NULL),
            "top1_agreement": (float, NULL),
            "sqnr_db": (float, NULL),
            "passed": bool,
            "detail": str,
        }
        values = read_fields(data, record="Agreement", fields=wanted, schema_version=None)
        if values["max_abs_difference"] is None:
            values["max_abs_difference"] = math.inf
        return cls(**cast("dict[str, Any]", values))


@dataclass(frozen=True, kw_only=True)
class SubjectRecord:
    """All that is known of one subject after the measurement.

    format: "onnx" or "tflite". precision: "float32" or "int8", None when not known.
    inputs: name -> shape of one run. input_source: where the arrays came from.
    delegate_coverage: `DelegateCoverage.to_dict()`, None without a delegate.
    failure: a sentence when the subject was lost, its samples up to then kept; fields that were not found out until
    then are empty, 0 or None.
    """

    subject: BenchSubject
    format: str
    precision: str | None
    sha256: str
    size_bytes: int
    engine_version: str
    inputs: Mapping[str, tuple[int, ...]]
    input_source: str
    openings: tuple[Opening, ...]
    samples: Samples
    agreement: Agreement | None
    delegate_coverage: Mapping[str, object] | None
    failure: str | None

    def __post_init__(self) -> None:
        if self.input_source not in INPUT_SOURCES:
            problem = f"input_source must be one of {', '.join(map(repr, INPUT_SOURCES))}, found {self.input_source!r}"
            raise InvalidSettingError([problem], record="SubjectRecord")

    @property
    def name(self) -> str:
        """Of its subject."""
        return self.subject.name

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "subject": self.subject.to_dict(),
            "format": self.format,
            "precision": self.precision,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "engine_version": self.engine_version,
            "inputs": {name: list(shape) for name, shape in self.inputs.items()},
            "input_source": self.input_source,
            "openings": [opening.to_dict() for opening in self.openings],
            "samples": self.samples.to_dict(),
            "agreement": None if self.agreement is None else self.agreement.to_dict(),
            "delegate_coverage": None if self.delegate_coverage is None else dict(self.delegate_coverage),
            "failure": self.failure,
        }

    @classmethod
    def from_dict(cls, data: object) -> SubjectRecord:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        wanted: dict[str, type | tuple[type, ...]] = {
            "subject": dict,
            "format": str,
            "precision": (str, NULL),
            "sha256": str,
            "size_bytes": int,
            "engine_version": str,
            "inputs": dict,
            "input_source": str,
            "openings": (list, tuple),
            "samples": dict,
            "agreement": (dict, NULL),
            "delegate_coverage": (dict, NULL),
            "failure": (str, NULL),
        }
        values = read_fields(data, record="SubjectRecord", fields=wanted, schema_version=None)
        values["subject"] = BenchSubject.from_dict(values["subject"])
        values["inputs"] = shapes_by_name(values, "inputs", record="SubjectRecord")
        values["openings"] = parts(values, "openings", Opening.from_dict)
        values["samples"] = Samples.from_dict(values["samples"])
        values["agreement"] = None if values["agreement"] is None else Agreement.from_dict(values["agreement"])
        return cls(**cast("dict[str, Any]", values))
