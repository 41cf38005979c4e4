"""The machine of a report in one line, and all that could not be read of it in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from condmix.runtime.bench.environment import Core, Environment

ENGINE_PACKAGES = ("onnxruntime", "ai-edge-litert")


def environment_line(before: Environment, after: Environment) -> str:
    """What it is and how it was at the start, with an arrow to the end where that is worth it."""
    cpu = before.cpu
    usable = "unknown" if cpu.usable_cores is None else str(cpu.usable_cores)
    parts = [
        ", ".join(cpu.model_names) or f"CPU not named ({cpu.architecture})",
        f"{usable} of {cpu.logical_cores or 'unknown'} cores",
        _governors(before.cores),
        _frequencies(before.cores),
        _temperatures(before, after),
        _load(before, after),
    ]
    if before.power is not None:
        parts.append(before.power)
    versions = [f"{name} {version}" for name, version in cpu.versions if name in ENGINE_PACKAGES]
    return f"machine: {', '.join(part for part in parts if part)}; {', '.join([cpu.system, *versions])}"


def unreadable_lines(before: Environment) -> tuple[str, ...]:
    """What could not be read, with the reason; those of one reason in one line."""
    reasons: dict[str, list[str]] = {}
    for what, reason in before.unreadable.items():
        reasons.setdefault(reason, []).append(what)
    return tuple(f"not readable: {', '.join(items)} ({reason})" for reason, items in reasons.items())


def _governors(cores: Sequence[Core]) -> str:
    known = sorted({core.governor for core in cores if core.governor is not None})
    return f"governor {'/'.join(known)}" if known else "governor not readable"


def _frequencies(cores: Sequence[Core]) -> str:
    for about, values in (
        ("", [core.current_khz for core in cores]),
        ("up to ", [core.maximum_khz for core in cores]),
    ):
        known = sorted({f"{khz / 1e6:.2f}" for khz in values if khz is not None})
        if known:
            span = known[0] if len(known) == 1 else f"{known[0]} to {known[-1]}"
            return f"{about}{span} GHz"
    return ""


def _temperatures(before: Environment, after: Environment) -> str:
    if not before.temperatures_celsius:
        return "temperature not readable"
    warmest = max(before.temperatures_celsius.values())
    if not after.temperatures_celsius:
        return f"{warmest:.0f} °C"
    return f"{warmest:.0f} -> {max(after.temperatures_celsius.values()):.0f} °C"


def _load(before: Environment, after: Environment) -> str:
    if before.load_average is None or after.load_average is None:
        return "load not readable"
    return f"load {before.load_average[0]:.2f} -> {after.load_average[0]:.2f}"
