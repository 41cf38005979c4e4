"""What came of several devices: a report of each, or why there is none; one record for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from condmix.deploy.devices.device import DeviceFacts
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.measure.ending import ending
from condmix.runtime.bench.fields import NULL, parts, texts
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError
from condmix.runtime.records import SCHEMA_VERSION_KEY, read_fields

SCHEMA_VERSION = 1
KIND = "condmix-devices"
_GRAVITY = (ExitCode.INTERRUPTED, ExitCode.PARITY, ExitCode.MISSING, ExitCode.INPUT, ExitCode.OK)


@dataclass(frozen=True, kw_only=True)
class DeviceOutcome:
    """One device. facts: None when it was not reached. failure: the whole sentence, None with a report.

    step: in which it failed, None where nobody foresaw it.
    """

    name: str
    address: str
    facts: DeviceFacts | None
    report: BenchReport | None
    failure: str | None
    step: str | None = None

    def __post_init__(self) -> None:
        if (self.report is None) == (self.failure is None):
            raise InvalidSettingError(["give either a report or a failure"], record=f"DeviceOutcome {self.name!r}")

    @property
    def exit_code(self) -> ExitCode:
        """8 without a report, else that of a measurement."""
        return ExitCode.MISSING if self.report is None else ending(self.report, (), with_gates=False)[0]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "address": self.address,
            "facts": None if self.facts is None else self.facts.to_dict(),
            "report": None if self.report is None else self.report.to_dict(),
            "failure": self.failure,
            "step": self.step,
        }

    @classmethod
    def from_dict(cls, data: object) -> DeviceOutcome:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        wanted: dict[str, type | tuple[type, ...]] = {
            "name": str,
            "address": str,
            "facts": (dict, NULL),
            "report": (dict, NULL),
            "failure": (str, NULL),
            "step": (str, NULL),
        }
        values = read_fields(data, record="DeviceOutcome", fields=wanted, schema_version=None)
        return cls(
            name=cast(str, values["name"]),
            address=cast(str, values["address"]),
            facts=None if values["facts"] is None else DeviceFacts.from_dict(values["facts"]),
            report=None if values["report"] is None else BenchReport.from_dict(values["report"]),
            failure=cast("str | None", values["failure"]),
            step=cast("str | None", values["step"]),
        )


@dataclass(frozen=True, kw_only=True)
class DevicesResult:
    """All devices in the order in which they were named. created: UTC, ISO 8601. command: word by word."""

    condmix_version: str
    created: str
    command: tuple[str, ...]
    outcomes: tuple[DeviceOutcome, ...]

    @property
    def reports(self) -> Mapping[str, BenchReport]:
        """By the name of the device, of those that have one."""
        return {one.name: one.report for one in self.outcomes if one.report is not None}

    @property
    def failures(self) -> Mapping[str, str]:
        """By the name of the device, of the others."""
        return {one.name: one.failure for one in self.outcomes if one.failure is not None}

    @property
    def exit_code(self) -> ExitCode:
        """The gravest: interrupted, wrong outputs, a device without a report, a subject that was lost, none."""
        return min((one.exit_code for one in self.outcomes), key=_GRAVITY.index, default=ExitCode.OK)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version` and `kind`."""
        return {
            SCHEMA_VERSION_KEY: SCHEMA_VERSION,
            "kind": KIND,
            "condmix_version": self.condmix_version,
            "created": self.created,
            "command": list(self.command),
            "devices": [one.to_dict() for one in self.outcomes],
        }

    @classmethod
    def from_dict(cls, data: object) -> DevicesResult:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        wanted: dict[str, type | tuple[type, ...]] = {
            "kind": str,
            "condmix_version": str,
            "created": str,
            "command": (list, tuple),
            "devices": (list, tuple),
        }
        values = read_fields(data, record="DevicesResult", fields=wanted, schema_version=SCHEMA_VERSION)
        if values["kind"] != KIND:
            raise InvalidRecordError([f"'kind' must be {KIND!r}, found {values['kind']!r}"], record="DevicesResult")
        return cls(
            condmix_version=cast(str, values["condmix_version"]),
            created=cast(str, values["created"]),
            command=texts(values, "command", record="DevicesResult"),
            outcomes=parts(values, "devices", DeviceOutcome.from_dict),
        )
