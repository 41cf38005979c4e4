"""Speaking to the agent on a device over the pipes of a process, such as ssh: messages, files, and how it ended."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.resources
import json
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, cast

from condmix.deploy.devices.errors import DeviceError

PROTOCOL = 1
_AGENT_FILES = ("agent_facts.py", "agent_packages.py", "agent.py")
_FUTURE = "from __future__ import annotations"
SILENCE_SECONDS = 45.0
"""The agent shows every five seconds that it lives; this long without a word is a link that is gone."""
_CHUNK_BYTES = 1 << 18
_SECONDS_TO_END = 10.0
_SECONDS_AFTER_END = 2.0
_TAIL_BYTES = 4096
_MOST_NOISE_LINES = 200
Message = Mapping[str, object]


def agent_source() -> bytes:
    """What the device is to run, as one text: the agent's files without what only this side needs."""
    folder = importlib.resources.files("condmix.deploy.devices")
    texts = [folder.joinpath(name).read_text(encoding="utf-8") for name in _AGENT_FILES]
    kept = [line for text in texts for line in text.splitlines() if not line.startswith(("from condmix", _FUTURE))]
    return "\n".join([_FUTURE, *kept, ""]).encode()


def loader(base: str) -> str:
    """The line of Python that reads the agent from its input and starts it: no `'` or `!` in it, for any shell."""
    place = base.encode().hex()
    return (
        f'import sys;exec(compile(sys.stdin.buffer.read({len(agent_source())}),"condmix-agent","exec"));'
        f'main(bytes.fromhex("{place}").decode())'
    )


class Channel:
    """A started agent. Made with the command that starts a Python with the loader on the device."""

    def __init__(
        self,
        device: str,
        command: Sequence[str],
        *,
        explain: Callable[[int, str], tuple[str, str]],
        environment: Mapping[str, str] | None = None,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        """explain: what an exit code and the last words of the process mean, and the next step."""
        self.lost = False
        self._device = device
        self._explain = explain
        self._silence_seconds = silence_seconds
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._messages: queue.SimpleQueue[tuple[Message, bytes] | None] = queue.SimpleQueue()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=None if environment is None else dict(environment),
                start_new_session=True,  # Ctrl-C is for this process, which then asks the device for what it has
            )
        except OSError as error:
            self._errors.close()
            found = f"{command[0]!r} does not start: {error.strerror or error}"
            raise DeviceError(device, "connect", found, "Install it, or put it on the PATH.") from error
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.step = "connect"
        try:
            self._write(agent_source())
            self.facts = self._greeting()
        except BaseException:
            self.close()
            raise

    def ask(self, step: str, head: Message, payload: Sequence[bytes] = ()) -> tuple[Message, bytes]:
        """The answer to a request; the payload follows it in chunks. Raises DeviceError."""
        self.send(step, head, payload)
        return self.answer()

    def send(self, step: str, head: Message, payload: Sequence[bytes] = ()) -> None:
        """The request is on its way. Raises DeviceError."""
        self.step = step
        self._write(json.dumps(head).encode() + b"\n")
        for chunk in payload:
            self._write(json.dumps({"kind": "chunk", "size": len(chunk)}).encode() + b"\n" + chunk)

    def answer(
        self,
        *,
        on_progress: Callable[[str], None] | None = None,
        stop: threading.Event | None = None,
    ) -> tuple[Message, bytes]:
        """The next message that is an answer. `stop` sends an interruption, once. Raises DeviceError."""
        heard, stopped = time.monotonic(), False
        while True:
            if stop is not None and stop.is_set() and not stopped:
                self._write(b'{"kind": "interrupt"}\n')
                stopped = True
            try:
                found = self._messages.get(timeout=0.2)
            except queue.Empty:
                if self._process.poll() is not None and time.monotonic() - heard > _SECONDS_AFTER_END:
                    raise self._lost(None) from None  # something else still holds its pipes
                if time.monotonic() - heard > self._silence_seconds:
                    self._process.kill()
                    silence = f"nothing was heard for {self._silence_seconds:g} s"
                    raise self._lost(silence) from None
                continue
            heard = time.monotonic()
            if found is None:
                raise self._lost(None)
            head, payload = found
            if head["kind"] == "progress" and on_progress is not None:
                on_progress(str(head["text"]))
            if head["kind"] == "failed":
                self.step = str(head["step"])
                raise self.error(str(head["reason"]))
            if head["kind"] not in ("progress", "alive"):
                return head, payload

    def put(self, step: str, name: str, content: bytes) -> None:
        """The file is in the session's folder of the device, with this content. Raises DeviceError."""
        head = {"kind": "put", "name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        chunks = [content[start : start + _CHUNK_BYTES] for start in range(0, len(content), _CHUNK_BYTES)]
        self.ask(step, head, chunks)

    def error(self, found: str, next_step: str | None = None) -> DeviceError:
        """What failed on the device, in this step."""
        return DeviceError(self._device, self.step, found, next_step or _next_step(self.step, found))

    def close(self) -> None:
        """The agent was told to end by the end of its input, and has ended, or its link is cut."""
        with contextlib.suppress(OSError):
            cast("IO[bytes]", self._process.stdin).close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_SECONDS_TO_END)
        with contextlib.suppress(OSError, ValueError):
            cast("IO[bytes]", self._process.stdout).close()
        self._errors.close()

    def _write(self, content: bytes) -> None:
        stream = cast("IO[bytes]", self._process.stdin)
        try:
            stream.write(content)
            stream.flush()
        except (OSError, ValueError) as error:
            raise self._lost(None) from error

    def _greeting(self) -> Message:
        head, _ = self.answer()
        if head["kind"] != "ready" or head.get("protocol") != PROTOCOL:
            found = f"it answered {dict(head)!r} instead of its facts"
            raise self.error(found)
        return cast("Message", head["facts"])

    def _read(self) -> None:
        """Messages; before the first one there may be what a login shell prints."""
        stream, noise, begun = cast("IO[bytes]", self._process.stdout), 0, False
        try:
            while line := stream.readline():
                try:
                    head = json.loads(line)
                    size = int(head["size"])
                except (ValueError, KeyError, TypeError):
                    noise += 1
                    if begun or noise > _MOST_NOISE_LINES:
                        break
                    continue
                begun = True
                payload = stream.read(size)
                if len(payload) < size:
                    break
                self._messages.put((head, payload))
        except (OSError, ValueError):
            pass
        self._messages.put(None)

    def _lost(self, reason: str | None) -> DeviceError:
        """The error for a process that is no more."""
        self.lost = True
        try:
            code = self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._errors.seek(max(0, self._errors.seek(0, 2) - _TAIL_BYTES))
        words = self._errors.read().decode(errors="replace").strip()
        found, next_step = self._explain(code, words)
        return DeviceError(self._device, self.step, reason or found, next_step)


def _next_step(step: str, found: str) -> str:
    if "No space left" in found:
        return "Free space there, or remove what condmix keeps there with --clean; nothing half-written is left."
    if step == "lock":
        return "Wait for it to end, or end that process on the device."
    if step == "push":
        return "Run it again; nothing half-written is left on the device."
    return "Run it again with --verbose, and look at the device itself."
