"""A headless Chromium spoken to over two pipes, without any package: what a page does, and how it looks."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
# Chromium reads from file 3 and writes to file 4: this puts our pipes there.
TRAMPOLINE = """
import fcntl, os, sys
read, write, *command = sys.argv[1:]
one, other = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in (read, write))
os.dup2(one, 3)
os.dup2(other, 4)
os.execvp(command[0], command)
"""


def program() -> str | None:
    """The path of a Chromium; None where none is installed."""
    found = (shutil.which(name) for name in PROGRAMS)
    return next((path for path in found if path is not None), None)


class Page:
    """One page. `requests` are the addresses it asked for, `complaints` what it wrote to the console or threw."""

    def __init__(self, reading: BinaryIO, writing: BinaryIO) -> None:
        self._reading = reading
        self._writing = writing
        self._number = 0
        self._session: str | None = None
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._loaded = False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> Mapping[str, Any]:
        """What Chromium answers to a command of the DevTools protocol."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._writing.write(json.dumps(message).encode() + b"\0")
        self._writing.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def show(self, path: Path, *, width: int, dark: bool = False) -> None:
        """The file is loaded and laid out at that width, in light or dark."""
        self._loaded = False
        self.requests.clear()
        self.complaints.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not self._loaded:
            self._next()

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is in the page, as plain data."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self) -> bytes:
        """A PNG of the whole page."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"])

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=False)["data"])

    def _next(self) -> dict[str, Any]:
        """The next message; what it tells of the page is noted."""
        message = _message(self._reading)
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        elif method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.complaints.append(json.dumps(parameters))
        elif method == "Page.loadEventFired":
            self._loaded = True
        return message


@contextmanager
def open_page(chromium: str, profile: Path) -> Iterator[Page]:
    """A page of a Chromium of its own, with a fresh profile in that folder; it has ended afterwards."""
    to_chromium, ours = os.pipe()
    theirs, from_chromium = os.pipe()
    command = [sys.executable, "-c", TRAMPOLINE, str(to_chromium), str(from_chromium), chromium]
    process = subprocess.Popen(
        [*command, *FLAGS, f"--user-data-dir={profile}"],
        pass_fds=(to_chromium, from_chromium),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_chromium)
    os.close(from_chromium)
    try:
        with os.fdopen(theirs, "rb") as reading, os.fdopen(ours, "wb") as writing:
            page = Page(reading, writing)
            try:
                yield page
            finally:
                page._session = None
                page.call("Browser.close")
        process.wait(timeout=20)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _message(stream: BinaryIO) -> dict[str, Any]:
    """The next message of the pipe, which ends with a zero byte."""
    collected = bytearray()
    while True:
        byte = stream.read(1)
        if not byte:
            message = "Chromium has gone: it closed its pipe"
            raise AssertionError(message)
        if byte == b"\0":
            return dict(json.loads(collected))
        collected += byte
