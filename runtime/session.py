"""What an engine has to offer, so that parity, batches and latency know none of them by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from condmix.runtime.signature import Signature, Tensor


class Session(Protocol):
    """A model that is open and can be run as often as wanted; a run leaves no trace in the next one."""

    @property
    def signature(self) -> Signature:
        """What `run` takes and gives."""
        ...

    def run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All outputs by name.

        Raises SignatureMismatchError when the feeds do not fit, SessionFailedError when the engine gives up.
        """
        ...


class Backend(Protocol):
    """An engine that opens model files."""

    @property
    def name(self) -> str:
        """The engine's name in reports."""
        ...

    def available(self) -> str | None:
        """None when the engine can be used here, else the reason why not, with the line that installs it."""
        ...

    def open(self, model: Path | bytes, *, threads: int) -> Session:
        """A session on the model, computing on `threads` threads.

        Raises EngineMissingError, ModelUnreadableError or InvalidSettingError.
        """
        ...
