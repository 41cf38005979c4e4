"""The flags of tuning: what can be typed, and which of them contradict each other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from condmix.deploy.errors import PlanError, UnreadableFileError
from condmix.deploy.parameters import Command, with_options
from condmix.deploy.tune.plan import DEFAULT_SECONDS, TunePlan
from condmix.exporters.tune.finisher import BLOCKED
from condmix.exporters.tune.forms_file import FormsFile, read_forms_file

_ABOUT_TUNING = ("device", "tune_threads", "tune_seconds", "tune_cache")
_CONTRADICTED = (("condconv", "auto"), ("mixconv", "auto"), ("stage", "final"), ("experts", "float32"))
_TOGETHER = ("forms", "condconv", BLOCKED)
"""A file laid out for one machine still takes the forms of its other layers."""


@dataclass(frozen=True, kw_only=True)
class TuneFlags:
    """As typed."""

    tune: bool = False
    device: str | None = None
    tune_threads: int = 1
    tune_seconds: float = DEFAULT_SECONDS
    tune_cache: Path | None = None
    forms: Path | None = None


def take_tune_flags(values: dict[str, Any]) -> TuneFlags:
    """The flags as click parsed them, by name; they are taken out of `values`."""
    return TuneFlags(**{name: values.pop(name) for name in TuneFlags.__dataclass_fields__})


def check_tune_flags(flags: TuneFlags, typed: Collection[str], others: Mapping[str, object], *, int8: bool) -> None:
    """Nothing happens when the flags agree with each other. Raises PlanError naming all that do not.

    others: values of the flags about forms, by name.
    """
    problems = []
    if not flags.tune:
        problems += [
            f"--{name.replace('_', '-')} is about tuning: add --tune" for name in _ABOUT_TUNING if name in typed
        ]
    if flags.tune and flags.forms is not None:
        problems.append("--tune finds the forms, --forms brings them: leave one of them out")
    given = [name for name, there in (("tune", flags.tune), ("forms", flags.forms is not None)) if there]
    for name in given:
        if int8:
            problems.append(f"--{name} is about float files: leave it out, or leave out --int8")
        problems += [
            f"--{name} decides the form of every layer: it contradicts --{other} {others[other]}"
            for other, only in _CONTRADICTED
            if others.get(other) not in (None, only) and (name, other, others[other]) != _TOGETHER
        ]
    if problems:
        summary = "these flags contradict each other:"
        raise PlanError(summary, problems)


def tune_plan(flags: TuneFlags) -> TunePlan | None:
    """How to tune, None without --tune. Raises DeviceAddressError or PlanError for a device that cannot be measured."""
    if not flags.tune:
        return None
    from condmix.deploy.devices.address import Kind
    from condmix.deploy.devices.run import named_devices
    from condmix.deploy.tune.cache import default_cache

    (device,) = named_devices([flags.device] if flags.device else [])
    reasons = {
        Kind.EMULATED: "an emulated CPU has no latency to choose by: tune on a real one, or bring its --forms",
        Kind.BROWSER: "a browser runs one page of measurements, tuning needs dozens: use local, ssh:// or adb",
    }
    if device.address.kind in reasons:
        summary = "--tune cannot measure there:"
        raise PlanError(summary, [f"--device {device.address.text}: {reasons[device.address.kind]}"])
    return TunePlan(
        device=device,
        cache=flags.tune_cache or default_cache(),
        threads=flags.tune_threads,
        seconds=flags.tune_seconds,
    )


def forms_of(flags: TuneFlags) -> FormsFile | None:
    """The file of --forms, None without. Raises UnreadableFileError or FormsFileError."""
    if flags.forms is None:
        return None
    try:
        content = flags.forms.read_bytes()
    except OSError as error:
        message = f"{flags.forms}: cannot be read: {error.strerror}. Give a file that --tune has written."
        raise UnreadableFileError(message) from error
    return read_forms_file(content, str(flags.forms))


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--tune", is_flag=True, help="Choose the ONNX file's forms by measuring them on --device."),
    click.option(
        "--device",
        metavar="ADDRESS",
        help="Where --tune measures: local (the default), ssh://USER@HOST or adb[:SERIAL].",
    ),
    click.option(
        "--tune-threads",
        type=click.IntRange(min=1),
        metavar="N",
        default=1,
        show_default=True,
        help="Threads that --tune measures with.",
    ),
    click.option(
        "--tune-seconds",
        type=click.FloatRange(min=1),
        metavar="S",
        default=DEFAULT_SECONDS,
        show_default=True,
        help="After so many no new measurement begins.",
    ),
    click.option(
        "--tune-cache",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Measurements made before, kept between runs; in ~/.cache/condmix/tune if left out.",
    ),
    click.option(
        "--forms",
        metavar="FILE.json",
        type=click.Path(path_type=Path),
        help="Forms that --tune has found before, from the NAME.forms.json it writes.",
    ),
)


def tune_options(command: Command) -> Command:
    """Adds the flags about tuning."""
    return with_options(command, _OPTIONS)
