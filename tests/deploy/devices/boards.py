"""Boards for tests: a fake `ssh` that runs its shell line here, in a folder with a HOME of its own, and tiny plans."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from condmix.deploy.devices import agent_device
from condmix.deploy.devices.address import parse_address
from condmix.deploy.devices.agent_device import AgentDevice
from condmix.deploy.devices.ssh import ssh_device
from condmix.deploy.measure.plan import BenchPlan
from condmix.runtime.bench.reference import Limit, Reference
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import ONNXRUNTIME, BenchSubject
from tests.runtime.conftest import build

WEIGHT = np.random.default_rng(3).standard_normal((4, 5)).astype(np.float32)
IMAGES = np.random.default_rng(4).standard_normal((3, 4)).astype(np.float32)
BRIEF = BenchSettings(
    warmup_runs=1, warmup_seconds=0.0, minimum_runs=30, minimum_seconds=0.0, block=1, openings=1, settling_runs=0
)


def onnx_plan(folder: Path, *, expected: np.ndarray | None = None) -> BenchPlan:
    """One ONNX file of one MatMul, with its reference."""
    path = folder / "model.onnx"
    path.write_bytes(
        build(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            inputs={"x": ["n", 4]},
            outputs={"y": ["n", 5]},
            constants={"w": WEIGHT},
        )
    )
    reference = Reference(
        inputs={"x": IMAGES},
        outputs={"y": IMAGES @ WEIGHT if expected is None else expected},
        outputs_are="numpy",
        limits={path.name: Limit(max_abs_difference=1e-5)},
    )
    subject = BenchSubject(name="model", file=path, engine=ONNXRUNTIME)
    return BenchPlan(subjects=(subject,), inputs={}, references={"model": reference}, notes=())


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board behind the fake `ssh`. home: its home folder. said: the arguments of every ssh, one line each."""

    home: Path
    said: Path
    cache: Path
    program: Path

    @property
    def folder(self) -> Path:
        """Where it keeps what it is brought."""
        return self.home / ".cache/condmix-device"

    def left(self) -> set[str]:
        """Everything there but packages that are whole."""
        return {one.name for one in self.folder.glob("*")} - {"lock", "packages"}

    def partials(self) -> list[Path]:
        """Half-written files and packages."""
        whole = [one / ".condmix-sizes.json" for one in (self.folder / "packages").glob("*")]
        return [*self.home.rglob("*.partial"), *(one for one in whole if not one.is_file())]

    def device(self, **changes: object) -> AgentDevice:
        """A new session with it."""
        arguments: dict[str, object] = {"name": "pi", "cache": self.cache, "python": sys.executable}
        return ssh_device(parse_address("ssh://pi@board"), **{**arguments, **changes})  # type: ignore[arg-type]

    def behave(self, text: str) -> None:
        """What the fake does with the shell line "$line"; it is the last argument."""
        self.program.write_text(
            f'#!/bin/sh\necho "$@" >> {self.said}\nfor line; do :; done\n'
            f"export HOME={self.home}\nunset XDG_CACHE_HOME\ncd {self.home}\n{text}\n"
        )
        self.program.chmod(0o755)


_RELAY = """
import os, subprocess, sys
left, command = int(sys.argv[1]), sys.argv[2]
board = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE)
while left > 0 and (chunk := os.read(0, min(left, 65536))):
    left -= os.write(board.stdin.fileno(), chunk)
sys.exit(255)
"""


def link(folder: Path, *, byte_count: int = 1 << 40) -> str:
    """What the fake does as sshd does: another process passes so many bytes on; with its end the board has none."""
    program = folder / "relay.py"
    program.write_text(_RELAY)
    return f'exec {sys.executable} -S {program} {byte_count} "$line"'


def make_board(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    """The board, whose Python is this one, with the engines that it has: nothing is fetched."""
    programs = folder / "bin"
    programs.mkdir()
    board = Board(home=folder / "home", said=folder / "said", cache=folder / "cache", program=programs / "ssh")
    board.home.mkdir()
    board.behave('exec sh -c "$line"')
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr(agent_device, "fetch", lambda *_: ())
    return board


def fake_job(monkeypatch: pytest.MonkeyPatch, measure: str) -> None:
    """In place of the job: what it tries is well, and to measure it does `measure`, without condmix or numpy."""
    source = f"import os, shutil, signal, sys, threading, time\nif sys.argv[1] == 'try': sys.exit(0)\n{measure}\n"
    monkeypatch.setattr(agent_device, "_job_source", lambda: source.encode())


def patched_facts(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """What boards say of themselves is changed."""
    greeting: Callable[[object], object] = agent_device.DeviceFacts.from_dict
    monkeypatch.setattr(
        agent_device.DeviceFacts,
        "from_dict",
        staticmethod(lambda data: greeting({**data, **changes})),
    )


FACTS: dict[str, object] = {
    "machine": "aarch64",
    "bits": 64,
    "system": "Linux 6.1",
    "kernel_machine": "aarch64",
    "model": "Raspberry Pi 5",
    "python": "/usr/bin/python3",
    "python_version": [3, 11, 2],
    "implementation": "CPython",
    "libc": "glibc",
    "libc_version": "2.36",
    "numpy": None,
    "free_bytes": 1 << 33,
    "clock": 1e9,
    "folder": "/home/pi/.cache/condmix-device",
}
"""Of a sound board, as its agent sends them."""
