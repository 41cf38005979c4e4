"""condmix doctor: which engines work here, what is missing for the others, and on what machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained
from condmix.deploy.json_text import to_json
from condmix.deploy.parameters import NearestChoice, exit_code_epilog, output_options
from condmix.deploy.terminal import stage_progress
from condmix.deploy.tflite_site import default_site

if TYPE_CHECKING:
    from condmix.runtime.cpu import CpuFacts
    from condmix.runtime.doctor import EngineFacts

PREPARED = ("tflite-runtime",)


@click.command(
    "doctor",
    short_help="Tell which engines work here and what is missing.",
    epilog=exit_code_epilog("condmix doctor", "condmix doctor --prepare tflite-runtime", "condmix doctor --json"),
)
@click.option(
    "--prepare",
    type=NearestChoice(PREPARED),
    help="Download that engine (85 MB) into a folder of its own in your cache, by pip.",
)
@output_options
@explained
def doctor(*, prepare: str | None, as_json: bool, quiet: bool, verbose: bool) -> ExitCode:
    """Try every engine on a small file and tell which work, what is missing, and about this machine.

    Nothing is installed or changed without --prepare. An engine that is missing is no failure: the exit code is 0.
    """
    del verbose  # read by the boundary
    with stage_progress(quiet=quiet) as report_progress:
        site = default_site()
        if prepare is not None:
            report_progress(f"prepare {prepare}")
            from condmix.runtime.tflite_runtime_session import prepare as make_site

            make_site(site)
        report_progress("try every engine")
        from condmix.runtime.doctor import examine

        facts = examine(site)
    if as_json:
        click.echo(to_json(facts.to_dict()), nl=False)
    else:
        click.echo(
            "\n".join((*(line for engine in facts.engines for line in _engine_lines(engine)), *_cpu_lines(facts.cpu)))
        )
    return ExitCode.OK


def _engine_lines(engine: EngineFacts) -> list[str]:
    version = "" if engine.version is None else f" {engine.version}"
    if engine.reason is None:
        return [f"[ok]      {engine.name}{version}: {engine.gives}"]
    reason, _, line = engine.reason.partition(" Install it with: ")
    lines = [f"[missing] {engine.name}{version}: {engine.gives}", f"          {reason}"]
    lines.append(f"          install: {line or engine.install_line}")
    if engine.name in PREPARED:
        lines.append(f"          or: condmix doctor --prepare {engine.name}")
    return lines


def _cpu_lines(cpu: CpuFacts) -> list[str]:
    cores = f"{cpu.usable_cores or 'unknown'} of {cpu.logical_cores or 'unknown'} cores usable"
    return [
        f"cpu: {', '.join(cpu.model_names) or 'name not told'}; {cores}; {cpu.system} {cpu.architecture}",
        f"instructions: {', '.join(cpu.features) or 'not told by the system'}",
        "packages: " + ", ".join(f"{name} {version}" for name, version in cpu.versions),
    ]
