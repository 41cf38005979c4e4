"""Boards of 64 and 32 bits behind a real sshd, all their programs emulated: what `condmix bench` says, and faults."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from condmix.deploy.devices.device import DeviceFacts
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.requirements import requirements
from condmix.deploy.devices.wheels import device_cache, fetch
from condmix.runtime.bench.subject import LITERT, ONNXRUNTIME
from tests.deploy.devices.bench_command import BRIEF, ENDLESS, Bench, Ended
from tests.deploy.devices.boards import FACTS
from tests.deploy.devices.exported import export_all
from tests.deploy.devices.virtual_board import (
    AARCH64,
    ARMV7,
    BoardKind,
    VirtualBoard,
    make_board,
    missing_piece,
    ssh_program,
    userland,
    wait_for,
)  # fmt: skip

pytestmark = pytest.mark.device
_MIB = 1 << 20
# Another name of the same board, where it keeps nothing yet, and one with little room.
FLEET = """
[device.empty]
address = "ssh://pi4"
folder = "/home/pi/empty"
[device.small]
address = "ssh://pi4"
folder = "/home/pi/small/condmix"
[device.mistaken]
address = "ssh://pi4"
architecture = "armv7l"
[device.pi4]
address = "ssh://pi4"
[device.pi2]
address = "ssh://pi2"
architecture = "armv7l"
[device.gone]
address = "ssh://gone"
"""


@dataclass(frozen=True, kw_only=True)
class Boards:
    """The boards, and how to measure on them. files: by suffix of the name. fleet: the file above."""

    pi4: VirtualBoard
    pi2: VirtualBoard
    fleet: Path
    files: tuple[Path, ...]
    environment: dict[str, str]
    started: list[Bench] = field(default_factory=list)

    @property
    def onnx(self) -> Path:
        """The least to measure."""
        return self.files[0]

    @property
    def tflite(self) -> tuple[Path, ...]:
        """All that run on 32 bits."""
        return tuple(path for path in self.files if path.suffix == ".tflite")

    def start(self, *words: str | Path) -> Bench:
        """The command."""
        self.started.append(Bench(*words, environment=self.environment))
        return self.started[-1]

    def on(self, name: str, *files: Path, settings: tuple[str, ...] = BRIEF) -> Bench:
        """On one of the fleet."""
        return self.start(*(files or (self.onnx,)), "--fleet", self.fleet, "--device", name, *settings)


def _wheels(bits: int, *engines: str, **facts: object) -> None:
    wanted = DeviceFacts.from_dict({**FACTS, "bits": bits, **facts})
    try:
        fetch("pi", requirements("pi", wanted, engines), device_cache())
    except DeviceError as error:
        pytest.skip(f"no virtual board: no wheels can be fetched: {error}")


def _userland(kind: BoardKind) -> Path:
    if reason := missing_piece(kind):
        pytest.skip(f"no virtual board: {reason}")
    try:
        return userland(kind, device_cache())
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no virtual board: mmdebstrap made no userland: {error.stderr.decode()[-300:]}")


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boards]:
    _wheels(64, ONNXRUNTIME, LITERT)
    _wheels(32, LITERT, numpy="1.24.2")
    folder = tmp_path_factory.mktemp("boards")
    pi4 = make_board("pi4", AARCH64, _userland(AARCH64), folder / "pi4")
    pi2 = make_board("pi2", ARMV7, _userland(ARMV7), folder / "pi2")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # nobody will listen there
        port = free.getsockname()[1]
        programs = ssh_program(folder, pi4, pi2, more=f"Host gone\n  HostName 127.0.0.1\n  Port {port}\n")
        (folder / "fleet.toml").write_text(FLEET)
        (folder / "models").mkdir()
        try:
            pi4.switch_on()
            pi2.switch_on()
            yield Boards(
                pi4=pi4, pi2=pi2, fleet=folder / "fleet.toml", files=export_all(folder / "models"),
                environment={"PATH": f"{programs}:{os.environ['PATH']}"},
            )  # fmt: skip
        finally:
            pi4.switch_off()
            pi2.switch_off()


@pytest.fixture
def pi4(boards: Boards) -> Iterator[VirtualBoard]:
    """Each test leaves it without a trace of a session."""
    yield boards.pi4
    for one in boards.started:
        one.kill()
    boards.pi4.assert_tidy()


def assert_right(ended: Ended, count: int) -> None:
    """Every file computes there what PyTorch does here, and no time is told."""
    assert ended.code == 0, ended.stderr
    for report in ended.result.reports.values():
        assert report.verdict.first_line().startswith("EMULATED"), report.verdict.first_line()
        assert len(report.subjects) == count + 1, "the first is there twice"
        for one in report.subjects:
            assert one.failure is None, one.failure
            assert one.agreement is not None
            sys.stdout.write(f"{one.name} {one.engine_version}: {one.agreement.detail}\n")
            assert one.agreement.passed, one.agreement.detail
            assert (len(one.samples), one.openings) == (0, ())


def test_64_bits_from_nothing(boards: Boards, pi4: VirtualBoard):
    first = boards.start(*boards.files, "--device", "ssh://pi4", *BRIEF).end()
    assert_right(first, 4)
    (report,) = first.result.reports.values()
    assert {one.engine_version.split()[0] for one in report.subjects} == {"1.31.1", "2.3.0"}
    assert report.environment_before.cpu.architecture == "aarch64"
    assert "bringing onnxruntime" in first.stderr
    assert {path.name for path in pi4.home.rglob("*") if path.parent in (pi4.home, pi4.home / ".cache")} == {
        ".cache", "condmix-device", "small",
    }, "no engine left anything of its own"  # fmt: skip
    again = boards.on("pi4").end()
    assert_right(again, 1)
    assert "bringing" not in again.stderr


def test_32_bits_from_nothing_and_back_to_it(boards: Boards):
    assert_right(boards.start(*boards.tflite, "--device", "ssh://pi2", *BRIEF).end(), 2)
    boards.pi2.assert_tidy()
    boards.on("pi2").end().assert_refused("pi2: packages: its programs have 32 bits, for which there is no onnxruntime")
    assert boards.pi2.kept.is_dir()
    cleaned = boards.start("--clean", "--device", "ssh://pi2").end()
    assert cleaned.code == 0, cleaned.stderr
    assert "ssh://pi2: removed /home/pi/.cache/condmix-device" in cleaned.stdout
    assert not boards.pi2.kept.exists()


def test_a_fleet_of_which_one_is_gone(boards: Boards, pi4: VirtualBoard, tmp_path: Path):
    names = ("--device", "pi4", "--device", "gone", "--device", "pi2", "-o", tmp_path / "out")
    ended = boards.start(boards.tflite[0], "--fleet", boards.fleet, *names, *BRIEF).end()
    ended.assert_refused("condmix: gone: connect: ssh says:", "Connection refused", "Start its ssh server")
    assert list(ended.result.reports) == ["pi4", "pi2"]
    assert list(ended.result.failures) == ["gone"]
    for report in ended.result.reports.values():
        assert report.subjects[0].agreement is not None
        assert report.subjects[0].agreement.passed
    assert (tmp_path / "out/pi4/report.json").is_file()
    pi4.assert_tidy()


def test_another_machine_than_was_meant(boards: Boards, pi4: VirtualBoard):
    before = sorted(pi4.kept.rglob("*"))
    boards.on("mistaken").end().assert_refused("mistaken: probe: its programs are aarch64, expected armv7l")
    assert sorted(pi4.kept.rglob("*")) == before


def test_a_wrong_clock(boards: Boards, pi4: VirtualBoard):
    library = f"/usr/lib/{pi4.kind.triplet}/faketime/libfaketime.so.1"
    (pi4.home / ".ssh").mkdir()
    (pi4.home / ".ssh/environment").write_text(f"LD_PRELOAD={library}\nFAKETIME=-50h\n")
    try:
        ended = boards.on("pi4").end()
    finally:
        shutil.rmtree(pi4.home / ".ssh")
    ended.assert_refused("pi4: probe: its clock is 50.0 hours behind", "expected the time of this machine", "sudo date")


def test_the_link_is_cut_while_packages_are_brought(boards: Boards, pi4: VirtualBoard):
    place = pi4.home / "empty"
    ended = boards.on("empty").when(
        lambda: list(place.glob("session-*/incoming/*.partial")), lambda: pi4.send(signal.SIGKILL, "-R")
    )
    ended.assert_refused("empty: push: the connection was lost", "Check the network and run it again")
    pi4.assert_tidy(place)
    shutil.rmtree(place)


def test_the_network_is_gone_without_a_word(boards: Boards, pi4: VirtualBoard):
    """Nobody is told when the power of a switch fails: ssh's own signs of life find out."""
    running = boards.on("pi4", settings=ENDLESS).until("round")
    pi4.send(signal.SIGSTOP)
    try:
        running.end().assert_refused("pi4: measure: the connection was lost: Timeout, server")
    finally:
        pi4.send(signal.SIGCONT)


def test_a_disk_that_is_full_and_one_that_fills(boards: Boards, pi4: VirtualBoard):
    filler, place = pi4.disk() / "filler", pi4.disk() / "condmix"

    def fill() -> None:
        with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            while True:
                stream.write(bytes(_MIB))

    with filler.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, shutil.disk_usage(filler).free - 30 * _MIB)
    boards.on("small").end().assert_refused("small: space: /home/pi/small/condmix has 30 MiB free, expected")
    filler.unlink()
    ended = boards.on("small").when(lambda: list(place.glob("session-*/incoming/*.partial")), fill)
    ended.assert_refused("No space left on device. Free space there, or remove what condmix keeps there with --clean")
    pi4.assert_tidy(place)
    filler.unlink()
    shutil.rmtree(place)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("job.py", "measure"), "pi4: measure: the job ended with exit code -9"),
        (("-c",), "pi4: measure: "),
        (("-R",), "pi4: measure: the connection was lost"),
    ],
    ids=["the job", "the agent", "the link"],
)
def test_killed_while_it_measures(boards: Boards, pi4: VirtualBoard, words: tuple[str, ...], said: str):
    running = boards.on("pi4", settings=ENDLESS).until("round")
    pi4.send(signal.SIGKILL, *words)
    running.end().assert_refused(said, "Run it again" if "job" in said else "run it again")


def test_the_board_loses_its_power_while_it_measures(boards: Boards, pi4: VirtualBoard):
    running = boards.on("pi4", settings=ENDLESS).until("round")
    pi4.switch_off()
    running.end().assert_refused("pi4: measure: the connection was lost")
    assert pi4.sessions(), "nobody was there to remove it"
    pi4.switch_on()
    assert_right(boards.on("pi4").end(), 1)


def test_a_damaged_cache_is_replaced(boards: Boards, pi4: VirtualBoard):
    """By a file that was cut, which its size shows, and by other content, which only the small inference shows."""
    if not list(pi4.kept.glob("packages/*/onnxruntime")):
        boards.on("pi4").end()
    (module,) = pi4.kept.glob("packages/*/onnxruntime/__init__.py")
    whole = module.read_bytes()
    for damage, found in ((b"", True), (b"!" * len(whole), False)):
        module.write_bytes(damage)
        ended = boards.on("pi4").end()
        assert_right(ended, 1)
        assert ("1 packages there were damaged" in ended.stderr) is found
        assert module.read_bytes() == whole


def test_two_at_once_and_ctrl_c(boards: Boards, pi4: VirtualBoard):
    first = boards.on("pi4", settings=ENDLESS).until("round")
    boards.on("pi4").end().assert_refused("pi4: lock: in use by process", "Wait for it to end")
    wait_for(lambda: pi4.processes("job.py", "measure"))
    ended = first.interrupt().end()
    assert ended.code == 130, ended.stderr
    assert ended.report.interrupted is not None
    assert ended.report.subjects[0].agreement is not None
    assert ended.report.subjects[0].agreement.passed
