"""Everything condmix.deploy raises. The text of each names the place, the finding and the next step."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path


class DeployError(RuntimeError):
    """Base of all errors of this folder."""


class PlanError(DeployError):
    """What was asked for cannot be done together, or not without permission; `problems` says all of it."""

    def __init__(self, summary: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join((summary, *(f"  - {problem}" for problem in self.problems))))


class OutputError(DeployError):
    """A file could not be written; nothing half-written remains and older files are as they were."""

    def __init__(self, path: Path, error: OSError) -> None:
        self.path = path
        super().__init__(f"{path}: cannot be written: {_reason(error)}. {_next_step(path, error)}")


class ImagesError(DeployError):
    """The images given for verification or calibration cannot be used; `problems` names every one."""

    def __init__(self, path: Path | str, problems: Sequence[str], *, purpose: str = "verification") -> None:
        self.problems = tuple(problems)
        heading = f"{path}: cannot be used for {purpose}"
        super().__init__("\n".join((heading, *(f"  - {problem}" for problem in self.problems))))


class UnreadableFileError(DeployError):
    """A file to be inspected is not there, is damaged, or is of another kind."""


def missing_package(error: ModuleNotFoundError) -> str:
    """What to install when that import failed."""
    package = (error.name or "").partition(".")[0]
    return f"the package {package!r} is not installed, this command needs it: pip install 'condmix[export]'"


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


def _next_step(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"Free space on the disk of {path.parent}, or choose another folder with -o."
    if error.errno == errno.ENOENT and not path.parent.exists():
        return f"Create the folder (mkdir -p {path.parent}), or choose another one with -o."
    return "Choose a folder you can write to with -o."
