"""One record for all devices, and its exit code."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from condmix.deploy.devices.device import DeviceFacts
from condmix.deploy.devices.result import DeviceOutcome, DevicesResult
from condmix.deploy.exit_codes import ExitCode
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError
from tests.deploy.devices.boards import FACTS
from tests.runtime.bench.reports import AGREEMENT, make_report


def outcome(report: BenchReport | None = None, *, failure: str | None = None) -> DeviceOutcome:
    facts = DeviceFacts.from_dict(FACTS)
    step = None if failure is None else "push"
    return DeviceOutcome(name="pi", address="ssh://pi", facts=facts, report=report, failure=failure, step=step)


def result(*outcomes: DeviceOutcome) -> DevicesResult:
    return DevicesResult(
        condmix_version="0.1.0", created="2026-11-22T10:00:00+00:00", command=("condmix", "bench"), outcomes=outcomes
    )


def changed(**changes: object) -> BenchReport:
    report = make_report()
    return replace(report, subjects=(replace(report.subjects[0], **changes), *report.subjects[1:]))


def test_it_comes_back_as_it_was():
    one = result(outcome(make_report()), outcome(failure="pi: push: gone. Mend it."))
    assert DevicesResult.from_dict(json.loads(json.dumps(one.to_dict()))) == one


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((), ExitCode.OK),
        ((outcome(make_report()),), ExitCode.OK),
        ((outcome(make_report()), outcome(failure="gone")), ExitCode.MISSING),
        ((outcome(changed(agreement=replace(AGREEMENT, passed=False))), outcome(failure="gone")), ExitCode.PARITY),
        ((outcome(changed(failure="killed")), outcome(make_report())), ExitCode.INPUT),
        ((outcome(replace(make_report(), interrupted="Ctrl-C")), outcome(failure="gone")), ExitCode.INTERRUPTED),
    ],
)
def test_the_gravest_decides(outcomes: tuple[DeviceOutcome, ...], expected: ExitCode):
    assert result(*outcomes).exit_code is expected


def test_either_a_report_or_a_failure():
    with pytest.raises(InvalidSettingError, match="either a report or a failure"):
        outcome()
    with pytest.raises(InvalidSettingError, match="either a report or a failure"):
        outcome(make_report(), failure="gone")


def test_another_kind_and_another_schema_are_refused():
    data = result().to_dict()
    with pytest.raises(InvalidRecordError, match="'kind' must be 'condmix-devices'"):
        DevicesResult.from_dict({**data, "kind": "condmix-latency"})
    with pytest.raises(InvalidRecordError, match="'schema_version' is 2"):
        DevicesResult.from_dict({**data, "schema_version": 2})
