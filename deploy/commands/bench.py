"""condmix bench: latency one can believe, of any number of files in ONNX Runtime and LiteRT on this CPU."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained
from condmix.deploy.invocation import current_invocation
from condmix.deploy.json_text import to_json
from condmix.deploy.measure.bundle_files import model_files
from condmix.deploy.measure.flags import bench_options
from condmix.deploy.parameters import exit_code_epilog, output_options
from condmix.deploy.terminal import stage_progress
from condmix.deploy.tflite_site import default_site

if TYPE_CHECKING:
    from condmix.deploy.measure.gate_result import GateResult
    from condmix.runtime.bench.report import BenchReport
    from condmix.runtime.profile.records import Profile


@click.command(
    "bench",
    short_help="Measure the latency of ONNX and TFLite files.",
    epilog=exit_code_epilog(
        "condmix bench model.onnx model_int8.onnx model.tflite",
        "condmix bench model.onnx --threads 1,4 -o report",
        "condmix bench other.onnx --shape images=1x3x320x320 --profile -o report",
        'condmix bench stock.onnx model.onnx --fail-if "p90(model)>12ms" --fail-if "ratio(model)>0.9"',
        "condmix bench stock.onnx model.onnx --baseline old/report.json --max-regression 5% --github",
        "condmix bench model.onnx --device ssh://pi@board --device local -o report",
        "condmix bench model.condmix.zip --device browser --bind 0.0.0.0",
        "condmix bench model.tflite --device adb --tool benchmark_model -o report",
        "condmix bench --write-runner condmix-runner.pyz",
    ),
)
@click.argument("files", metavar="FILE...", nargs=-1, type=click.Path(path_type=Path))
@bench_options
@output_options
@explained
def bench(
    *,
    files: tuple[Path, ...],
    threads: tuple[int, ...],
    runs: int,
    seconds: float,
    most_seconds: float | None,
    warmup_runs: int,
    warmup_seconds: float,
    block: int,
    openings: int,
    seed: int,
    reference: Path | None,
    inputs: Path | None,
    batches: tuple[int, ...] | None,
    shapes: Sequence[tuple[str, tuple[int, ...]]],
    engines: tuple[str, ...],
    no_delegate: bool,
    profile: bool,
    devices: Sequence[str],
    fleet: Path | None,
    tool: Path | None,
    tool_libraries: Sequence[Path],
    tool_args: str | None,
    clean: bool,
    cores: str | None,
    cool_to: float | None,
    cool_seconds: float | None,
    no_fixed_performance: bool,
    bind: str,
    port: int,
    output: Path | None,
    overwrite: bool,
    fail_if: Sequence[str],
    baseline: Path | None,
    max_regression: float,
    junit: Path | None,
    github: bool,
    write_runner: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> ExitCode:
    """Measure every FILE, .onnx or .tflite of anybody or a bundle, in turns, and say how far that can be believed.

    The first FILE is the one that others are compared with; it is measured twice, and what the two differ by is the
    noise. Outputs are checked against the reference beside each file in the same run. Without -o a table is printed.
    """
    if write_runner is not None:
        from condmix.deploy.measure.runner_command import lay_down_runner

        return lay_down_runner(write_runner, files, overwrite=overwrite)
    if clean:
        from condmix.deploy.measure.elsewhere import clean_elsewhere

        return clean_elsewhere(devices, fleet, files)
    if not files:
        message = "give at least one .onnx or .tflite file to measure"
        raise click.UsageError(message, ctx=click.get_current_context())
    phones = (cores, cool_to, cool_seconds, no_fixed_performance)
    if tool is not None:
        from condmix.deploy.measure.tool_command import ToolFlags, bench_with_tool

        asked = ToolFlags(
            tool=tool,
            libraries=tuple(tool_libraries),
            arguments=tool_args,
            files=files,
            threads=threads,
            runs=runs,
            devices=devices,
            fleet=fleet,
            phones=phones,
        )
        return bench_with_tool(asked, output=output, overwrite=overwrite, as_json=as_json, quiet=quiet)
    if tool_libraries or tool_args is not None:
        summary = "--tool-library and --tool-args are about a tool:"
        raise PlanError(summary, ["name it with --tool, or leave them out"])
    if baseline is None and _typed("max_regression"):
        summary = "--max-regression needs a report to compare with:"
        raise PlanError(summary, ["give --baseline OLD.json, or leave it out"])
    if most_seconds is not None and most_seconds < seconds:
        summary = "no measurement could be long enough:"
        raise PlanError(summary, [f"--most-seconds {most_seconds:g} is less than --seconds {seconds:g}"])
    with stage_progress(quiet=quiet) as say, model_files(files) as models:
        say("look into the files")
        from condmix.deploy.measure.elsewhere import (
            Outputs,
            PhoneFlags,
            check_gates_elsewhere,
            measure_elsewhere,
            named_elsewhere,
            require_room_elsewhere,
            tell_elsewhere,
        )
        from condmix.deploy.measure.gates import read_gates
        from condmix.deploy.measure.plan import BenchRequest, make_plan
        from condmix.deploy.measure.profiles import Profiles
        from condmix.deploy.measure.progress import told
        from condmix.deploy.measure.sections import ALWAYS, known_routing, with_sections
        from condmix.deploy.measure.together import Checks
        from condmix.runtime.bench.run import run_bench
        from condmix.runtime.bench.settings import BenchSettings

        checks = Checks()
        gates = checks.run(lambda: read_gates(fail_if, baseline, max_regression))
        checks.run(lambda: _require_room(output, junit, overwrite=overwrite))
        settings = BenchSettings(
            warmup_runs=warmup_runs,
            warmup_seconds=warmup_seconds,
            minimum_runs=runs,
            minimum_seconds=seconds,
            maximum_seconds=most_seconds,
            block=block,
            openings=openings,
            seed=seed,
        )
        request = BenchRequest(
            files=models,
            threads=threads,
            batches=batches or (),
            shapes=dict(shapes),
            delegate=not no_delegate,
            engines=engines,
            site=default_site(),
            inputs=inputs,
            reference=reference,
            seed=seed,
        )
        plan = checks.run(lambda: make_plan(request))
        gated = bool(fail_if) or baseline is not None or junit is not None or github
        where = checks.run(
            lambda: named_elsewhere(
                devices,
                fleet,
                phones=PhoneFlags(*phones),
                bind=bind,
                port=port,
                engines=engines,
                profile=profile,
                gated=gated,
            )
        )
        if where is not None:
            checks.run(lambda: require_room_elsewhere(where, output, overwrite=overwrite))
            if gates is not None:
                checks.run(lambda: check_gates_elsewhere(where, gates))
        if gates is not None and plan is not None and (where is None or not where.renames):
            checks.run(lambda: gates.check(plan.names))
        checks.raise_if_any()
        assert gates is not None
        assert plan is not None
        command = current_invocation().command_line
        if where is not None:
            found = measure_elsewhere(where, plan, settings, command=command, say=say)
            outputs = Outputs(folder=output, overwrite=overwrite, junit=junit, github=github, as_json=as_json)
            return tell_elsewhere(found, gates, outputs)
        report = run_bench(
            plan.subjects,
            settings,
            inputs=plan.inputs,
            references=plan.references,
            report_progress=told(say),
            command=command,
            start=plan.start,
        )
        profiles = Profiles(say)
        images = {**{name: one.inputs for name, one in plan.references.items()}, **plan.inputs}
        wanted = {**ALWAYS, "routing": lambda found: known_routing(found, images)}
        if profile:
            wanted["profile"] = profiles.make
        if report.verdict.is_emulated:
            wanted = {name: make for name, make in wanted.items() if name in ("int8", "routing")}  # others are times
        report = with_sections(report, wanted, say)
        results = gates.judge(report)
        if results:
            report = dataclasses.replace(
                report, sections={**report.sections, "gates": [result.to_dict() for result in results]}
            )
    return _tell(
        report,
        results,
        (*plan.notes, *profiles.notes),
        profiles.found,
        output=output,
        overwrite=overwrite,
        junit=junit,
        github=github,
        as_json=as_json,
        in_detail=verbose,
    )


def _typed(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is not click.core.ParameterSource.DEFAULT


def _require_room(output: Path | None, junit: Path | None, *, overwrite: bool) -> None:
    """What will be written can be, as far as that can be known before minutes of measuring."""
    from condmix.deploy.measure.outputs import check_junit, check_report_folder

    if output is not None:
        check_report_folder(output, overwrite=overwrite)
    if junit is not None:
        check_junit(junit)


def _tell(
    report: BenchReport,
    gates: Sequence[GateResult],
    notes: Sequence[str],
    profiles: Mapping[str, Profile],
    *,
    output: Path | None,
    overwrite: bool,
    junit: Path | None,
    github: bool,
    as_json: bool,
    in_detail: bool,
) -> ExitCode:
    """The result is on stdout first, then in files: what cannot be written is not lost."""
    from condmix.deploy.measure.ending import ending
    from condmix.deploy.measure.next_steps import next_steps
    from condmix.deploy.measure.outputs import tell_github, write_junit
    from condmix.deploy.measure.printed import print_profiles, print_report

    if as_json:
        click.echo(to_json(report.to_dict()), nl=False)
        for note in notes:
            click.echo(f"condmix: note: {note}", err=True)
    else:
        print_report(report, notes, gates, in_detail=in_detail)
        print_profiles(profiles)
    if junit is not None:
        write_junit(junit, report, gates)
    if github:
        tell_github(report, gates)
    if output is not None:
        from condmix.deploy.report.write import write_report

        written = write_report(report, output, overwrite=overwrite)
        click.echo(f"report: {written.html}", err=as_json)
    if not as_json:
        for line in next_steps(report, written=output is not None):
            click.echo(line)
    code, lines = ending(report, gates, with_gates=as_json)
    for line in lines:
        click.echo(f"condmix: {line}", err=True)
    return code
