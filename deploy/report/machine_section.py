"""The machine before and after, the settings, and what identifies every file and package."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from condmix.deploy.report.numbers import NOT_READ, memory
from condmix.deploy.report.parts import Group, Section, Table
from condmix.deploy.report.view import ReportView
from condmix.runtime.bench.environment import Core, Environment


def machine_section(view: ReportView) -> Section:
    """What the machine is, what changed while measuring, and what could not be read."""
    before, after = view.report.environment_before, view.report.environment_after
    cpu = before.cpu
    facts = [
        ("CPU", ", ".join(cpu.model_names) or NOT_READ),
        ("architecture", cpu.architecture),
        ("features", ", ".join(cpu.features) or NOT_READ),
        ("int8 dot product", "yes" if cpu.has_int8_dot_product else "no"),
        ("cores", f"{_known(cpu.logical_cores)}, usable {_known(cpu.usable_cores)}"),
        ("system", cpu.system),
        ("virtual machine", _truth(before.hypervisor)),
        ("emulated CPU", _truth(before.emulated)),
        ("CPU quota", "none" if before.cpu_quota_cores is None else f"{before.cpu_quota_cores:g} cores"),
        ("memory", memory(before.memory_total_bytes)),
        *((package, version) for package, version in cpu.versions),
    ]
    unreadable = {**before.unreadable, **after.unreadable}
    tables = [
        Table(columns=("fact", "value"), rows=tuple(facts)),
        Table(
            columns=("state", "before", "after"),
            rows=tuple(_side_by_side(_states(before), _states(after))),
            title="Before and after",
        ),
    ]
    if unreadable:
        rows = tuple(sorted(unreadable.items()))
        tables.append(Table(columns=("not readable", "why"), rows=rows, title="What could not be read"))
    return Section(identity="machine", title="Machine", groups=(Group(tables=tables),))


def settings_section(view: ReportView) -> Section:
    """The settings, the exact command, and the hash of each file."""
    report = view.report
    settings = [(name.replace("_", " "), _setting(value)) for name, value in report.settings.to_dict().items()]
    identity = tuple(
        (
            view.label(record.name),
            record.subject.file.name,
            f"{record.format} {record.precision or ''}".strip(),
            "; ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in record.inputs.items()),
            record.input_source,
            record.sha256,
        )
        for record in report.subjects
    )
    tables = (
        Table(
            columns=("setting", "value"),
            rows=(*settings, ("rounds completed", str(report.rounds)), ("duration, s", f"{view.span_s:.1f}")),
        ),
        Table(
            columns=("subject", "file", "kind", "inputs", "arrays from", "sha256"),
            rows=identity,
            title="Files",
            wide=frozenset({"sha256"}),
        ),
    )
    command = shlex.join(report.command) if report.command else "not recorded"
    sentences = [f"Command: {command}", f"condmix {report.condmix_version}, measured {report.created}."]
    if view.extras.unknown:
        listed = ", ".join(view.extras.unknown)
        sentences.append(f"Sections that this version does not show, kept in report.json: {listed}.")
    return Section(identity="settings", title="Settings and files", groups=(Group(sentences=sentences, tables=tables),))


def _states(environment: Environment) -> dict[str, str]:
    """What can change while measuring, in words."""
    load = environment.load_average
    states = {
        "governor": _by_core(environment.cores, [core.governor for core in environment.cores]),
        "frequency now": _by_core(environment.cores, [_gigahertz(core.current_khz) for core in environment.cores]),
        "highest frequency": _by_core(environment.cores, [_gigahertz(core.maximum_khz) for core in environment.cores]),
        "load average": NOT_READ if load is None else ", ".join(f"{one:.2f}" for one in load),
        "memory available": memory(environment.memory_available_bytes),
        "CPU time stolen by the hypervisor": _seconds(environment.stolen_seconds),
        "times stopped by a CPU quota": _known(environment.throttled_periods),
        "stopped by a CPU quota for": _seconds(environment.throttled_seconds),
        "power": environment.power or NOT_READ,
    }
    temperatures = {
        f"temperature {zone}": f"{value:.0f} °C" for zone, value in environment.temperatures_celsius.items()
    }
    return states | (temperatures or {"temperature": NOT_READ})


def _side_by_side(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Every state of either moment; empty where it had none."""
    for name in dict.fromkeys((*before, *after)):
        yield name, before.get(name, ""), after.get(name, "")


def _by_core(cores: tuple[Core, ...], values: list[str | None]) -> str:
    """One value where all cores agree, else core by core."""
    known = [value for value in values if value is not None]
    if not known:
        return NOT_READ
    if len(set(values)) == 1:
        return known[0]
    return ", ".join(f"{core.number}: {value or NOT_READ}" for core, value in zip(cores, values, strict=True))


def _gigahertz(khz: int | None) -> str | None:
    return None if khz is None else f"{khz / 1e6:.2f} GHz"


def _seconds(value: float | None) -> str:
    return NOT_READ if value is None else f"{value:.2f} s"


def _known(value: int | None) -> str:
    return NOT_READ if value is None else f"{value:,}"


def _truth(value: bool | None) -> str:
    return NOT_READ if value is None else "yes" if value else "no"


def _setting(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
