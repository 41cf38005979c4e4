"""Why a benchmark stopped. Each text names the place, the finding and the next step; each error has its exit code."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from condmix.deploy.errors import DeployError
from condmix.deploy.exit_codes import ExitCode


class BenchError(DeployError):
    """Base of the errors of this folder."""

    exit_code: ClassVar[ExitCode] = ExitCode.UNEXPECTED


class ConverterMissingError(BenchError):
    """There is no environment with litert-torch where one was expected."""

    exit_code = ExitCode.MISSING

    def __init__(self, environment: Path, reason: str, steps: tuple[str, ...]) -> None:
        self.environment = environment
        lines = "\n".join(f"    {step}" for step in steps)
        super().__init__(
            f"{environment}: expected an environment with litert-torch, found {reason}. `make bench-tflite` makes it; "
            f"by hand (about 2 GB):\n{lines}"
        )


class ConverterFailedError(BenchError):
    """A tool of the converter's environment ended without a file; the text carries its last lines."""

    def __init__(self, network: str, exit_status: int, log: str, *, tool: str = "litert-torch") -> None:
        said = log.strip().splitlines()
        self.last_line = said[-1] if said else f"exit status {exit_status}"
        lines = "\n".join(f"    {line}" for line in said[-8:])
        super().__init__(
            f"{network}: expected a file from {tool}, found exit status {exit_status}. Its last words:\n{lines}\n"
            "  Check the environment's versions, or measure the other networks (--network)."
        )


class WrongAnswerError(BenchError):
    """A file does not compute what PyTorch computes: its speed would say nothing."""

    exit_code = ExitCode.PARITY

    def __init__(self, network: str, problems: tuple[str, ...]) -> None:
        self.problems = problems
        heading = f"{network}: not measured, for files do not compute what PyTorch computes"
        super().__init__("\n".join((heading, *(f"  - {problem}" for problem in problems))))


class EnvironmentFailedError(BenchError):
    """The environment of a peer cannot be made or is not what was expected; its rows carry the reason."""

    exit_code = ExitCode.MISSING

    def __init__(self, peer: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{peer}: expected an environment with it, found none that works: {reason}")


class NotPreparedError(BenchError):
    """Converting or measuring was asked for alone, and there are no files."""

    exit_code = ExitCode.USAGE

    def __init__(self, network: str, folder: Path) -> None:
        super().__init__(
            f"{network}: expected its files in {folder}, found none. Leave out --step, or add --step export."
        )
