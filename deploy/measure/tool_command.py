"""condmix bench --tool: what was typed is checked, measured and told, apart from the protocol of other measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.invocation import current_invocation
from condmix.deploy.measure.bundle_files import model_files
from condmix.deploy.measure.elsewhere import PhoneFlags, named_elsewhere
from condmix.deploy.measure.own_tool import ToolRequest, check_tool_devices, measure_with_tool, tool_runs
from condmix.deploy.measure.own_tool_text import require_room_for_tool, tell_tool
from condmix.deploy.measure.together import Checks
from condmix.deploy.terminal import stage_progress

_FOLLOWED = (
    "files", "threads", "runs", "devices", "fleet", "cores", "cool_to", "cool_seconds", "no_fixed_performance",
    "tool", "tool_libraries", "tool_args", "output", "overwrite", "as_json", "quiet", "verbose",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ToolFlags:
    """As typed. phones: the fields of PhoneFlags."""

    tool: Path
    libraries: tuple[Path, ...]
    arguments: str | None
    files: tuple[Path, ...]
    threads: tuple[int, ...]
    runs: int
    devices: Sequence[str]
    fleet: Path | None
    phones: tuple[str | None, float | None, float | None, bool]


def bench_with_tool(flags: ToolFlags, *, output: Path | None, overwrite: bool, as_json: bool, quiet: bool) -> ExitCode:
    """The figures are printed and written. Raises PlanError with all that is wrong, OutputError."""
    checks = Checks()
    checks.run(_refuse_others)
    with stage_progress(quiet=quiet) as say, model_files(flags.files) as files:
        request = ToolRequest(
            tool=flags.tool,
            files=files,
            threads=flags.threads,
            runs=flags.runs,
            libraries=flags.libraries,
            arguments=flags.arguments,
        )
        planned = checks.run(lambda: tool_runs(request, flags.files))
        where = checks.run(
            lambda: check_tool_devices(named_elsewhere(flags.devices, flags.fleet, phones=PhoneFlags(*flags.phones)))
        )
        checks.run(lambda: require_room_for_tool(output, overwrite=overwrite))
        checks.raise_if_any()
        assert planned is not None
        assert where is not None
        found = measure_with_tool(where, *planned, command=current_invocation().command_line, say=say)
    return tell_tool(found, output, overwrite=overwrite, as_json=as_json)


def _refuse_others() -> None:
    """Nothing was typed that a tool, which measures by its own rules, would not follow. Raises PlanError."""
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    others = [
        one.opts[-1]
        for one in context.command.params
        if one.name and one.name not in _FOLLOWED and context.get_parameter_source(one.name) is not default
    ]
    if others:
        summary = "--tool measures by the rules of that tool:"
        raise PlanError(summary, [f"leave {flag} out: the tool knows nothing of it" for flag in others])
