"""One device over `adb`: shell commands, files to it and from it. Every failure of the link is a DeviceError."""

from __future__ import annotations

import contextlib
import re
import secrets
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from condmix.deploy.devices.errors import DeviceError

PLUG_IN = "Check the cable and that the phone is awake, see `adb devices`, and run it again."
_NO_SPACE = "no space left on device"
_LAST_WORDS = 300
_SECONDS = 60.0
_SECONDS_TO_END = 5.0


@dataclass(frozen=True, kw_only=True)
class ShellResult:
    """What a command on the device ended with; texts have \\n at the end of lines."""

    code: int
    stdout: str
    stderr: str


class AdbClient:
    """adb: the program. serial: of the device; None for the one that adb chooses. device: its name in errors."""

    def __init__(self, adb: Path, serial: str | None, *, device: str) -> None:
        self.device = device
        self._command = [str(adb), *(() if serial is None else ("-s", serial))]

    def command(self, *words: str) -> list[str]:
        """The words that run `adb` for this device."""
        return [*self._command, *words]

    def shell(self, script: str, *, step: str, timeout_seconds: float = _SECONDS) -> ShellResult:
        """The result of a shell script on the device, whatever its exit code is.

        Raises DeviceError when the link was lost or there was no answer in time.
        """
        # Old devices carry no exit codes, and a lost link has one too: only this line proves that the script ended.
        end = f"condmix-{secrets.token_hex(6)}"
        done = self._run(["shell", f"(\n{script}\n)\necho {end} $?"], step=step, timeout_seconds=timeout_seconds)
        stdout = done.stdout.replace("\r\n", "\n")
        found = re.search(rf"^(.*?){end} (\d+)\n?\Z", stdout, re.S)
        if found is None:
            raise self.link_error(step, done.stderr or stdout, done.returncode)
        return ShellResult(code=int(found[2]), stdout=found[1], stderr=done.stderr.replace("\r\n", "\n"))

    def demand(self, script: str, *, step: str, next_step: str, timeout_seconds: float = _SECONDS) -> str:
        """What the script printed. Raises DeviceError also when its exit code is not 0."""
        done = self.shell(script, step=step, timeout_seconds=timeout_seconds)
        if done.code != 0:
            words = last_words(done.stderr or done.stdout)
            raise DeviceError(self.device, step, f"exit code {done.code}: {words or 'it said nothing'}", next_step)
        return done.stdout

    def push(self, source: Path, target: PurePosixPath, *, step: str, timeout_seconds: float) -> None:
        """The file lies on the device, as far as adb knows. Raises DeviceError."""
        self._transfer(["push", str(source), str(target)], step, timeout_seconds)

    def pull(self, source: PurePosixPath, target: Path, *, step: str, timeout_seconds: float = _SECONDS) -> None:
        """The file of the device lies here. Raises DeviceError."""
        self._transfer(["pull", str(source), str(target)], step, timeout_seconds)

    def link_error(self, step: str, words: str = "", code: int = 1) -> DeviceError:
        """In the words of adb, which names the reason at the end."""
        said = last_words(words)
        how = f"adb was ended by {signal.Signals(-code).name}" if code < 0 else "the link to the phone was lost"
        return DeviceError(self.device, step, f"{how}: {said}" if said else how, PLUG_IN)

    def _transfer(self, words: Sequence[str], step: str, timeout_seconds: float) -> None:
        done = self._run(words, step=step, timeout_seconds=timeout_seconds)
        if done.returncode == 0:
            return
        said = done.stderr or done.stdout
        if _NO_SPACE in said.lower():
            found = "no space left on the device"
            raise DeviceError(self.device, step, found, "Free space on /data of the phone, and run it again.")
        raise self.link_error(step, said, done.returncode)

    def _run(self, words: Sequence[str], *, step: str, timeout_seconds: float) -> subprocess.CompletedProcess[str]:
        try:
            process = subprocess.Popen(
                self.command(*words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            found = f"{self._command[0]!r} does not start: {error.strerror}"
            raise DeviceError(self.device, step, found, "Check the program `adb` on PATH.") from error
        try:
            stdout, stderr = process.communicate(timeout=timeout_seconds)
        except BaseException as error:
            process.kill()
            # A server that this adb started may hold the pipes open for ever.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=_SECONDS_TO_END)
            if isinstance(error, subprocess.TimeoutExpired):
                found = f"no answer within {timeout_seconds:g} s"
                raise DeviceError(self.device, step, found, PLUG_IN) from error
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def last_words(text: str) -> str:
    """The last line that says something, without adb's own prefixes."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith("* daemon")] or [""]
    return re.sub(r"^(?:adb: |error: )+", "", said[-1])[-_LAST_WORDS:]
