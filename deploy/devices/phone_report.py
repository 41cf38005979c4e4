"""The report of a phone: what adb alone can tell joins what the measurement read; the first line says experimental."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime

from condmix.deploy.devices.phone_cooling import Cooling
from condmix.deploy.devices.phone_facts import PhoneFacts, PhoneState
from condmix.runtime.bench.environment import Environment
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.verdict import Finding, Judgement, Verdict

EXPERIMENTAL = "EXPERIMENTAL: measuring over adb was never confirmed on a physical phone"
SECTION = "phone"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhoneRun:
    """What was done to the phone around one measurement.

    cores: it ran on; empty when it could not be chosen. core_words: all that the phone has.
    performance: how the request for a fixed clock ended, in words; None when it was not made.
    """

    facts: PhoneFacts
    before: PhoneState
    after: PhoneState
    cooling: Cooling
    cores: tuple[int, ...]
    core_words: str
    performance: str | None


def with_phone(report: BenchReport, run: PhoneRun) -> BenchReport:
    """The report with the phone in its environment, its verdict, and a section of its own."""
    created = report.created
    if run.facts.clock_is_wrong:
        created = datetime.now(UTC).isoformat(timespec="seconds")
    return dataclasses.replace(
        report,
        created=created,
        environment_before=_environment(report.environment_before, run.before),
        environment_after=_environment(report.environment_after, run.after),
        verdict=_verdict(report.verdict, run),
        sections={**report.sections, SECTION: _section(run)},
    )


def _verdict(verdict: Verdict, run: PhoneRun) -> Verdict:
    findings = [one for one in verdict.findings if one.verdict is not Judgement.VALID]
    for when, state in (("before", run.before), ("after", run.after)):
        if state.thermal_status and not verdict.is_emulated:
            reason = f"the phone slowed itself down {when} the measurement: thermal status {state.status_words()}"
            findings.append(Finding(verdict=Judgement.THROTTLED, reason=reason))
            break
    machine = EXPERIMENTAL if verdict.machine is None else f"{EXPERIMENTAL}; {verdict.machine}"
    return Verdict.of(findings, valid=verdict.reason, machine=machine)


def _environment(environment: Environment, state: PhoneState) -> Environment:
    """Sensors by Android's names, where the kernel's own could not be read; its own otherwise."""
    temperatures: Mapping[str, float] = {**environment.temperatures_celsius, **state.temperatures_celsius}
    battery = state.battery
    if battery is not None and battery.temperature_celsius is not None:
        temperatures = {**temperatures, "battery (dumpsys)": battery.temperature_celsius}
    unreadable = dict(environment.unreadable)
    if state.temperatures_celsius:
        unreadable.pop("temperatures", None)
    if battery is not None:
        unreadable.pop("power source", None)
    unreadable |= {f"{name} (adb)": reason for name, reason in state.unreadable.items()}
    return dataclasses.replace(
        environment,
        temperatures_celsius=temperatures,
        power=environment.power if battery is None else battery.words(),
        unreadable=unreadable,
    )


def _section(run: PhoneRun) -> dict[str, object]:
    return {
        "experimental": True,
        "facts": run.facts.to_dict(),
        "before": run.before.to_dict(),
        "after": run.after.to_dict(),
        "cooling": run.cooling.to_dict(),
        "cores": list(run.cores),
        "cores_of_phone": run.core_words,
        "fixed_performance": run.performance,
    }
