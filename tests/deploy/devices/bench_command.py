"""`condmix bench` as a user runs it, in a process of its own; while it runs, something may happen to the device."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.devices.result import DevicesResult
from condmix.runtime.bench.report import BenchReport
from tests.deploy.devices.virtual_board import wait_for

BRIEF = ("--runs", "100", "--seconds", "0", "--openings", "1", "--warmup-runs", "0", "--warmup-seconds", "0")
ENDLESS = ("--runs", "1000000000", "--openings", "1", "--warmup-runs", "0", "--warmup-seconds", "0")
_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A command that has ended. stages: what it showed on the way; errors: the lines that begin with its name."""

    code: int
    stdout: str
    stderr: str

    @property
    def result(self) -> DevicesResult:
        """What --json printed."""
        assert self.stdout, self.stderr
        return DevicesResult.from_dict(json.loads(self.stdout))

    @property
    def report(self) -> BenchReport:
        """Of the one device."""
        (report,) = self.result.reports.values()
        return report

    def assert_refused(self, *words: str) -> None:
        """Exit code 8, each of these words in what it said, and nobody sees a traceback."""
        assert self.code == 8, (self.code, self.stdout, self.stderr)
        assert "Traceback" not in self.stderr
        for word in words:
            assert word in self.stderr, self.stderr


class Bench:
    """A command that runs. Its stages are read as they come."""

    def __init__(self, *words: str | Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "condmix.deploy", "bench", *map(str, words), "--json"],
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._said: list[str] = []

    def until(self, word: str) -> Bench:
        """It has just shown a stage with that word. Raises AssertionError when it ended without."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said.append(line)
            if word in line:
                return self
        message = f"it never came to {word!r}: {''.join(self._said)}"
        raise AssertionError(message)

    def interrupt(self) -> Bench:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)
        return self

    def end(self) -> Ended:
        """What came of it."""
        try:
            stdout, stderr = self._process.communicate(timeout=_SECONDS)
        finally:
            self.kill()
        return Ended(code=self._process.returncode, stdout=stdout, stderr="".join(self._said) + stderr)

    def kill(self) -> None:
        """It has ended, whatever it was doing."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()

    def when(self, condition: Callable[[], object], act: Callable[[], object]) -> Ended:
        """What came of it when something was done to the device in a moment that only the device shows."""
        wait_for(lambda: condition() or self._process.poll() is not None, seconds=_SECONDS)
        act()
        return self.end()
