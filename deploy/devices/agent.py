"""What works on the device: it takes files and runs jobs for whoever holds its standard input, and leaves nothing.

This file is sent to the device as text, with the other agent_*.py, and needs Python 3.7 and the standard library there.
A message is a line of JSON, followed by `size` bytes where it has that key. The agent begins with `ready` and its
facts; then, each answered once by what stands behind the arrow, or by `failed` with step and reason:

    lock                       -> locked                    nobody else's agent works in this folder until this one ends
    check     packages         -> checked   missing, damaged (removed)
    put       name, bytes, sha256, then `chunk`s            -> stored      a file of this session
    install   package, name    -> installed                 the archive `name` is unpacked as that package, by its hash
    forget    packages         -> forgotten                 they are no longer there
    run       python, arguments, packages, answer           -> progress*, ended code, errors, and the file `answer`
    clean                      -> cleaned   bytes           nothing of condmix remains, and the agent ends
    interrupt                  (not answered)               the running job gets SIGINT

Its folder has `packages/HASH`, kept between sessions, and `session-*`, removed when a session begins and ends.
The end of the input ends everything at once: a link that is cut leaves no process and no half-written file.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Dict, Optional, TextIO, Tuple  # noqa: UP035 - for Python 3.7

from condmix.deploy.devices.agent_facts import facts
from condmix.deploy.devices.agent_packages import is_whole, unpack_whole

PROTOCOL = 1
_ALIVE_SECONDS = 5.0
_TAIL_BYTES = 4096
Head = Dict[str, Any]  # noqa: UP006 - for Python 3.7
Message = Tuple[Optional[Head], bytes]  # noqa: UP006, UP045 - for Python 3.7


class StepError(Exception):
    """A step that failed, for the other side to tell."""

    def __init__(self, reason: str, step: str) -> None:
        super().__init__(reason)
        self.step = step


class Agent:
    """One session."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes], base: str) -> None:
        self._requests = requests
        self._answers = answers
        self._sending = threading.Lock()
        # Bounded: what comes faster than the disk takes it waits in the pipe.
        self._messages: queue.Queue[Message] = queue.Queue(maxsize=8)
        cache = os.environ.get("XDG_CACHE_HOME", "")
        home = Path(cache) if cache.startswith("/") else Path.home() / ".cache"
        self._base = Path(base) if base else home / "condmix-device"
        # A name of its own: what a job of an earlier session still removes is not this one's.
        self._session = self._base / f"session-{os.getpid()}-{time.time_ns()}"
        self._packages = self._base / "packages"
        self._lock: TextIO | None = None
        self._job: subprocess.Popen[bytes] | None = None

    def serve(self) -> None:
        """Requests are answered until their end; then nothing of this session is left."""
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._show_life, daemon=True).start()
        try:
            self._send({"kind": "ready", "protocol": PROTOCOL, "facts": facts(self._base)})
            while True:
                head, _ = self._messages.get()
                if head is None:
                    return
                try:
                    self._answer(head)
                except StepError as error:
                    self._send({"kind": "failed", "step": error.step, "reason": str(error)})
                except OSError as error:
                    self._send({"kind": "failed", "step": head["kind"], "reason": error.strerror or str(error)})
                if head["kind"] == "clean":
                    return
        except BrokenPipeError:
            pass
        finally:
            self._end_job()
            if self._lock is not None:
                shutil.rmtree(str(self._session), ignore_errors=True)

    def _answer(self, head: Head) -> None:
        kind = head["kind"]
        if kind == "lock":
            self._take_lock()
            self._send({"kind": "locked"})
        elif kind == "interrupt":
            return  # of a job that has ended meanwhile
        elif self._lock is None:
            message = "the session has no lock"
            raise StepError(message, kind)
        elif kind == "check":
            self._check(head["packages"])
        elif kind == "put":
            self._put(head)
        elif kind == "install":
            self._install(head["package"], self._inside(head["name"]))
        elif kind == "forget":
            for name in head["packages"]:
                shutil.rmtree(str(self._packages / name), ignore_errors=True)
            self._send({"kind": "forgotten"})
        elif kind == "run":
            self._run(head)
        elif kind == "clean":
            size = sum(path.stat().st_size for path in self._base.rglob("*") if path.is_file())
            shutil.rmtree(str(self._base))
            self._send({"kind": "cleaned", "bytes": size})
        else:
            message = "this agent does not know it"
            raise StepError(message, kind)

    def _read(self) -> None:
        """Everything that comes, in order; None at the end of the input, cut or not."""
        while True:
            head, payload = None, b""
            with contextlib.suppress(OSError, ValueError):
                line = self._requests.readline()
                head = json.loads(line.decode()) if line.endswith(b"\n") else None
                payload = self._requests.read(head["size"]) if head and head.get("size") else b""
            if head is None or len(payload) < head.get("size", 0):
                self._messages.put((None, b""))
                return
            job = self._job
            if head["kind"] == "interrupt" and job is not None:
                with contextlib.suppress(OSError):
                    job.send_signal(signal.SIGINT)
                continue
            self._messages.put((head, payload))

    def _show_life(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while True:
                time.sleep(_ALIVE_SECONDS)
                self._send({"kind": "alive"})

    def _send(self, head: Head, payload: bytes = b"") -> None:
        line = json.dumps(dict(head, size=len(payload))).encode() + b"\n"
        with self._sending:
            self._answers.write(line + payload)
            self._answers.flush()

    def _take_lock(self) -> None:
        self._base.mkdir(parents=True, exist_ok=True)
        path = self._base / "lock"
        while True:
            lock = path.open("a+", encoding="utf-8")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.seek(0)
                message = "in use by " + (lock.read().strip() or "another session")
                lock.close()
                raise StepError(message, "lock") from None
            # A session that cleaned the device removed the file that was locked.
            with contextlib.suppress(OSError):
                if os.fstat(lock.fileno()).st_ino == path.stat().st_ino:
                    break
            lock.close()
        lock.truncate(0)
        lock.write("process {} since {}".format(os.getpid(), time.strftime("%Y-%m-%d %H:%M:%S")))
        lock.flush()
        self._lock = lock
        for killed in self._base.glob("session-*"):
            shutil.rmtree(str(killed), ignore_errors=True)
        self._session.mkdir()
        self._packages.mkdir(exist_ok=True)

    def _inside(self, name: str) -> Path:
        parts = name.split("/")
        if not all(part and part not in (".", "..") and "\\" not in part for part in parts):
            message = f"a name that leads out of the session: {name!r}"
            raise StepError(message, "push")
        return self._session.joinpath(*parts)

    def _check(self, packages: Sequence[str]) -> None:
        """What is there and is not as it was unpacked is removed."""
        missing = [name for name in packages if not (self._packages / name).is_dir()]
        damaged = [name for name in packages if name not in missing and not is_whole(self._packages / name)]
        for name in damaged:
            shutil.rmtree(str(self._packages / name), ignore_errors=True)
        self._send({"kind": "checked", "missing": [*missing, *damaged], "damaged": damaged})

    def _put(self, head: Head) -> None:
        """Either the file has the promised content or it is not there; its chunks are taken in any case."""
        path, left, digest, problem = self._inside(head["name"]), head["bytes"], hashlib.sha256(), None
        partial = path.with_name(path.name + ".partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb", buffering=0) as stream:  # unbuffered: closing has nothing left to fail with
            while left > 0:
                chunk, payload = self._messages.get()
                if chunk is None:
                    self._messages.put((None, b""))
                    message = "the input ended within the file"
                    raise StepError(message, "push")
                left -= len(payload)
                digest.update(payload)
                try:
                    while payload and problem is None:
                        payload = payload[stream.write(payload) :]
                except OSError as error:
                    problem = error.strerror or str(error)
        if problem is None and digest.hexdigest() != head["sha256"]:
            problem = "{} arrived with another content than was sent".format(head["name"])
        if problem is not None:
            partial.unlink()
            raise StepError(problem, "push")
        partial.replace(path)
        self._send({"kind": "stored"})

    def _install(self, package: str, archive: Path) -> None:
        """The folder of the package appears whole or not at all."""
        partial = self._session / ("unpack-" + package)
        try:
            unpack_whole(archive, partial)
            partial.replace(self._packages / package)
        except zipfile.BadZipFile as error:
            raise StepError(str(error), "unpack") from None
        finally:
            shutil.rmtree(str(partial), ignore_errors=True)
            archive.unlink()
        self._send({"kind": "installed"})

    def _run(self, head: Head) -> None:
        """The job runs in the session's folder and is told of the end of the session by the end of its input."""
        environment = dict(os.environ, PYTHONNOUSERSITE="1", PYTHONUNBUFFERED="1")
        # Engines write into the user's folders (ONNX Runtime an identity of the device): that goes with the session.
        environment.update({"HOME": str(self._session), "XDG_CACHE_HOME": str(self._session / "cache")})
        environment["PYTHONPATH"] = os.pathsep.join(str(self._packages / name) for name in head["packages"])
        errors = self._session / "errors.txt"
        with errors.open("wb") as stream:
            job = self._job = subprocess.Popen(
                [head["python"], *head["arguments"]],
                cwd=str(self._session),
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                start_new_session=True,
            )
        assert job.stdout is not None
        teller = threading.Thread(target=self._tell, args=(job.stdout,), daemon=True)
        teller.start()
        while job.poll() is None:
            with contextlib.suppress(queue.Empty):
                if self._messages.get(timeout=0.1)[0] is None:
                    self._messages.put((None, b""))
                    return  # whoever asked is gone
        self._end_job()
        teller.join(_ALIVE_SECONDS)
        answer = self._inside(head["answer"])
        content = answer.read_bytes() if answer.is_file() else b""
        words = errors.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace")
        self._send({"kind": "ended", "code": job.returncode, "errors": words}, content)

    def _tell(self, lines: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in lines:
                self._send({"kind": "progress", "text": line.decode("utf-8", "replace").strip()[:200]})

    def _end_job(self) -> None:
        job, self._job = self._job, None
        if job is None:
            return
        if job.poll() is None:
            with contextlib.suppress(OSError):
                os.killpg(job.pid, signal.SIGKILL)
        job.wait()
        if job.stdin is not None:
            job.stdin.close()


def main(base: str) -> None:
    """The standard output has messages only: whatever prints is sent to the standard error."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(1))
    signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which a job would inherit
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    Agent(sys.stdin.buffer, answers, base).serve()
