"""A worker process that is spoken to in messages over its pipes: started, asked, and ended whatever happens."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import IO, BinaryIO, cast

from condmix.runtime.signature import Tensor
from condmix.runtime.tflite_environment import last_lines
from condmix.runtime.tflite_worker import Head, read_message, write_message

_SECONDS_TO_END = 5.0
_ERROR_TAIL_BYTES = 8192


class WorkerEndedError(Exception):
    """The worker is no more; the text says how it ended and its last words. Never leaves this folder."""


class PipedProcess:
    """One running worker. It ends with `close`, with this object, or with this process."""

    def __init__(self, command: Sequence[str]) -> None:
        """The process is started. Raises WorkerEndedError when the system cannot start it."""
        # A file, not a pipe: nobody has to empty it while the worker computes. Closed by _end.
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,  # the interrupt key is for this process; the worker then loses its input
            )
        except OSError as error:
            self._errors.close()
            text = f"{command[0]!r} does not start: {error}"
            raise WorkerEndedError(text) from error
        self._finalizer = weakref.finalize(self, _end, self._process, self._errors)

    @property
    def process_number(self) -> int:
        """The system's number of the worker process."""
        return self._process.pid

    def receive(self, *, timeout_seconds: float) -> tuple[Head, dict[str, Tensor]]:
        """The next message of the worker. Raises WorkerEndedError."""
        return self._within(None, {}, timeout_seconds)

    def ask(
        self, head: Mapping[str, object], arrays: Mapping[str, Tensor], *, timeout_seconds: float
    ) -> tuple[Head, dict[str, Tensor]]:
        """The worker's answer to a message. Raises WorkerEndedError when it dies or does not answer in time."""
        return self._within(head, arrays, timeout_seconds)

    def close(self) -> None:
        """The process has ended; closing again does nothing."""
        self._finalizer()

    def _within(
        self, head: Mapping[str, object] | None, arrays: Mapping[str, Tensor], timeout_seconds: float
    ) -> tuple[Head, dict[str, Tensor]]:
        if not self._finalizer.alive:
            text = "the worker process was ended before"
            raise WorkerEndedError(text)
        expired, process = threading.Event(), self._process

        def kill() -> None:  # knows the process, not the worker object: a timer must not keep that alive
            expired.set()
            process.kill()  # wakes whoever waits on its pipes

        timer = threading.Timer(timeout_seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            if head is not None:
                write_message(cast(BinaryIO, self._process.stdin), head, arrays)
            return read_message(cast(BinaryIO, self._process.stdout))
        except (EOFError, OSError) as error:
            late = f"the worker process gave no answer within {timeout_seconds:g} s"
            raise WorkerEndedError(late if expired.is_set() else self._how_it_ended()) from error
        except (ValueError, MemoryError, OverflowError) as error:
            # Whatever printed there before the worker could keep its pipe to itself.
            self.close()
            text = "the worker process wrote something else than a message to its standard output"
            raise WorkerEndedError(text) from error
        except BaseException:
            # Interrupted in the middle of a message: the pipes can no longer be understood.
            self.close()
            raise
        finally:
            timer.cancel()
            if expired.is_set():
                self.close()

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            how = "the worker process closed its pipes"
        else:
            how = f"the worker process ended with {_code_text(code)}"
        size_bytes = self._errors.seek(0, 2)
        self._errors.seek(max(0, size_bytes - _ERROR_TAIL_BYTES))
        lines = self._errors.read().decode(errors="replace").splitlines()
        words = last_lines("\n".join(line for line in lines if not line.startswith("INFO: ")))
        self.close()
        return f"{how}: {words}"


def _code_text(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _end(process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    """The end of its input asks the worker to stop; one that does not is killed."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # of what was still to be written to a dead worker
                pipe.close()
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    errors.close()
