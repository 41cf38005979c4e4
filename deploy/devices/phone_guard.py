"""A shell that stays on the phone during a session: it keeps others out, and undoes what was changed, come what may.

It waits for the end of its input. Whether the session ends, fails, is interrupted, or the cable is pulled out: then it
undoes everything and ends. What it is to undo is also written down on the phone, for the next session to undo should
the phone itself lose its power.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
from pathlib import PurePosixPath
from typing import IO, cast

from condmix.deploy.devices.adb_client import AdbClient, last_words
from condmix.deploy.devices.errors import DeviceError

_SECONDS = 30.0
_BUSY = "busy"
_SCRIPT = r"""
trap '' HUP PIPE INT
lock=@LOCK@
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
if ! mkdir "$lock" 2>/dev/null; then
  [ -d "$lock" ] || { echo "failed cannot make $lock"; exit 1; }
  [ -f "$lock/holder" ] || sleep 1
  read -r pid then < "$lock/holder" 2>/dev/null
  if [ -n "$pid" ] && [ "$then" = "$boot" ] && kill -0 "$pid" 2>/dev/null; then echo "busy $pid"; exit 1; fi
  mv "$lock" "$lock.$$" 2>/dev/null && { sh "$lock.$$/undo" >/dev/null 2>&1; rm -rf "$lock.$$"; }
  mkdir "$lock" 2>/dev/null || { echo "busy another one"; exit 1; }
fi
echo "$$ $boot" > "$lock/holder" || { rm -rf "$lock"; echo "failed no space for a lock"; exit 1; }
: > "$lock/undo"
echo held
while read -r line; do
  [ "$line" = end ] && break
  { printf '%s\n' "$line"; cat "$lock/undo"; } > "$lock/new" && mv "$lock/new" "$lock/undo" && echo noted || echo failed
done
sh "$lock/undo" >/dev/null 2>&1
rm -rf "$lock"
echo undone
"""


class PhoneGuard:
    """The lock of a phone is held until `release`. Raises DeviceError when another session holds it."""

    def __init__(self, client: AdbClient, lock: PurePosixPath) -> None:
        self._client = client
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            client.command("shell", _SCRIPT.replace("@LOCK@", str(lock))),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C is for this process: the guard ends after what it guards
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            found = self._hear("lock")
            if found != "held":
                word, _, rest = found.partition(" ")
                raise self._refusal(word, rest or found, lock)
        except BaseException:
            self._end()
            raise

    def remember(self, undo: str) -> None:
        """This line of shell runs when the session ends, before those remembered earlier. Raises DeviceError."""
        if "\n" in undo:
            text = f"one line of shell, found {undo!r}"
            raise ValueError(text)
        self._tell(undo)
        found = self._hear("lock")
        if found != "noted":
            raise DeviceError(self._client.device, "lock", f"the phone answered {found!r}", "Run it again.")

    def release(self) -> None:
        """Everything is undone and the phone is free. Raises DeviceError when that was not confirmed."""
        try:
            self._tell("end")
            found = self._hear("restore")
            if found != "undone":
                raise DeviceError(self._client.device, "restore", f"the phone answered {found!r}", "Restart the phone.")
        finally:
            self._end()

    def abandon(self) -> None:
        """The link is gone or nobody wants to hear more: the guard on the phone notices and undoes everything."""
        self._end()

    def _refusal(self, word: str, rest: str, lock: PurePosixPath) -> DeviceError:
        device = self._client.device
        if word == _BUSY:
            found = f"another session measures on this phone (process {rest} there)"
            next_step = f"Wait for it; if there is none any more: adb shell rm -r {lock}"
            return DeviceError(device, "lock", found, next_step)
        return DeviceError(device, "lock", last_words(rest), "Free space on /data of the phone, and run it again.")

    def _tell(self, line: str) -> None:
        stream = cast("IO[str]", self._process.stdin)
        try:
            stream.write(line + "\n")
            stream.flush()
        except (OSError, ValueError) as error:
            step = "lock"
            raise self._client.link_error(step) from error

    def _hear(self, step: str) -> str:
        try:
            line = self._lines.get(timeout=_SECONDS)
        except queue.Empty:
            raise self._client.link_error(step, f"no answer within {_SECONDS:g} s") from None
        if line is None:
            raise self._client.link_error(step)
        word = line.partition(" ")[0]
        if word in ("held", "noted", "undone", "failed", _BUSY):
            return line
        raise self._client.link_error(step, line)

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in cast("IO[str]", self._process.stdout):
                if line.strip():
                    self._lines.put(line.strip())
        self._lines.put(None)

    def _end(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            cast("IO[str]", self._process.stdin).close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5.0)
        with contextlib.suppress(OSError, ValueError):
            cast("IO[str]", self._process.stdout).close()
