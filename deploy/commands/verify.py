"""condmix verify: a bundle is undamaged, and its models compute here what PyTorch computed there."""

from __future__ import annotations

import re
from pathlib import Path

import click

from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained
from condmix.deploy.json_text import to_json
from condmix.deploy.parameters import exit_code_epilog, output_options
from condmix.deploy.terminal import print_summary, stage_progress


class DigestText(click.ParamType[str]):
    """64 hexadecimal digits."""

    name = "sha256"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The digits in lower case."""
        if not re.fullmatch(r"[0-9a-fA-F]{64}", value):
            self.fail(f"{value!r} is not a digest: expected the 64 digits that condmix bundle printed", param, ctx)
        return value.lower()


@click.command(
    "verify",
    short_help="Check a bundle, and run its models against PyTorch's outputs.",
    epilog=exit_code_epilog(
        "condmix verify digits.condmix.zip",
        "condmix verify digits/ --threads 4",
        "condmix verify digits.condmix.zip --json",
        "condmix verify digits.condmix.zip --digest SHA256",
    ),
)
@click.argument("path", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of the engine.")
@click.option("--digest", type=DigestText(), help="Refuse any other bundle than the one of which this was printed.")
@output_options
@explained
def verify(*, path: Path, threads: int, digest: str | None, as_json: bool, quiet: bool, verbose: bool) -> ExitCode:
    """Check every hash of BUNDLE, a file of condmix bundle or the folder it was unpacked to, then run each model on
    the inputs in it and compare with the outputs of PyTorch.

    Needs numpy and the runtimes of the models, neither torch nor onnx. Nothing is written but to a temporary folder.
    """
    from condmix.deploy.bundle.verification_text import verification_code, verification_lines
    from condmix.runtime.bundle.verify import verify_bundle

    with stage_progress(quiet=quiet) as report_progress:
        found = verify_bundle(path, threads=threads, digest=digest, report_progress=report_progress)
    if as_json:
        click.echo(to_json(found.to_dict()), nl=False)
    else:
        print_summary("\n".join(verification_lines(found, in_detail=verbose)))
    return verification_code(found)
