"""What condmix.deploy.evaluate raises besides the errors of condmix.deploy: the shards, the finding, the next step."""

from __future__ import annotations

from collections.abc import Sequence

from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.errors import DeployError
from condmix.runtime.errors import EngineMissingError, InferenceError

MOST_SHOWN = 10
"""Failures that a text lists."""


class NotTheSameError(DeployError):
    """What was read is not there any more, or is not what it was when it was hashed; the text names it."""


class DaskMissingError(EngineMissingError):
    """Several processes were asked for and Dask is not installed; `install_line` is the command that installs it."""

    def __init__(self, reason: str) -> None:
        self.engine = "dask"
        self.install_line = 'pip install "condmix[eval]"'
        # Not the constructor of EngineMissingError: Dask runs no model.
        InferenceError.__init__(
            self,
            f"evaluation on several processes or machines needs Dask, which cannot be imported: {reason}. Install it "
            f"with: {self.install_line}, or add --scheduler serial, which does without",
        )


class ShardsFailedError(DeployError):
    """Some shards were not measured, not at a second try either; the others are kept. `problems` names each."""

    def __init__(self, problems: Sequence[str], *, failed: int, total: int, next_step: str) -> None:
        self.problems = tuple(problems)
        super().__init__(_listed(f"{failed} of {total} shards failed; the others are kept:", problems, next_step))


class WorkersFailedError(DeviceError):
    """Workers or the scheduler were lost, or cannot do what is asked; shards that are finished are kept."""

    def __init__(self, scheduler: str, problems: Sequence[str], next_step: str) -> None:
        self.problems = tuple(problems)
        self.device, self.step, self.next_step = scheduler, "measure", next_step
        self.found, self.expected = "; ".join(problems), None
        # Not the constructor of DeviceError: there may be many findings.
        DeployError.__init__(self, _listed(f"{scheduler}: workers failed:", problems, next_step))


def _listed(heading: str, problems: Sequence[str], next_step: str) -> str:
    more = len(problems) - MOST_SHOWN
    lines = [f"  - {problem}" for problem in problems[:MOST_SHOWN]]
    if more > 0:
        lines.append(f"  - and {more} more")
    return "\n".join((heading, *lines, next_step))
