"""The group `condmix` with its commands."""

from __future__ import annotations

import difflib

import click

from condmix.deploy.commands.audit import audit
from condmix.deploy.commands.bench import bench
from condmix.deploy.commands.bundle import bundle
from condmix.deploy.commands.compare import compare
from condmix.deploy.commands.detect import detect
from condmix.deploy.commands.detection_set import detection_set
from condmix.deploy.commands.diff import diff
from condmix.deploy.commands.doctor import doctor
from condmix.deploy.commands.eval import evaluate
from condmix.deploy.commands.export import export
from condmix.deploy.commands.inspect import inspect
from condmix.deploy.commands.report import report
from condmix.deploy.commands.train import train
from condmix.deploy.commands.verify import verify
from condmix.deploy.commands.zoo import zoo
from condmix.deploy.parameters import exit_code_epilog, version_option

__all__ = ["condmix", "export"]


class SuggestingGroup(click.Group):
    """A group that answers an unknown command with the nearest one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` begin with. Raises UsageError with the nearest name and all names."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            names = self.list_commands(ctx)
            nearest = difflib.get_close_matches(args[0], names, n=1, cutoff=0.4)
            hint = f"did you mean {nearest[0]!r}? " if nearest else ""
            message = f"{args[0]!r} is not a command: {hint}valid: {', '.join(names)}"
            raise click.UsageError(message, ctx=ctx)
        return super().resolve_command(ctx, args)


@click.group(
    "condmix",
    cls=SuggestingGroup,
    epilog=exit_code_epilog(
        "condmix train condconv_digits -o digits.pt",
        "condmix export digits.pt --format onnx,tflite",
        "condmix inspect digits.onnx",
        "condmix audit digits.onnx",
        "condmix bench digits.onnx digits.tflite -o report",
        "condmix zoo --counts",
        "condmix doctor",
    ),
)
@version_option
def condmix() -> None:
    """Trained CondConv and MixNet networks from PyTorch to verified ONNX and TFLite files."""


_COMMANDS = (
    audit,
    bench,
    bundle,
    compare,
    detect,
    detection_set,
    diff,
    doctor,
    evaluate,
    export,
    inspect,
    report,
    train,
    verify,
    zoo,
)
for _command in _COMMANDS:
    condmix.add_command(_command)
