"""The worker process of one tflite-runtime session."""

from __future__ import annotations

from pathlib import Path

from condmix.runtime.piped_process import PipedProcess

WORKER = Path(__file__).with_name("tflite_worker.py")


class WorkerProcess(PipedProcess):
    """A running worker with the engine of the folder `site`."""

    def __init__(self, python: Path, site: Path) -> None:
        """The process is started. Raises WorkerEndedError when the system cannot start it."""
        # -I -S: only the standard library and `site`; a numpy of the user's own is out of sight.
        super().__init__([str(python), "-I", "-S", "-B", str(WORKER), "--site", str(site.absolute())])
