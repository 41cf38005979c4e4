"""`condmix bench --device adb` with a virtual Arm phone behind the real protocol: what it says, and faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from condmix.deploy.devices.wheels import device_cache
from condmix.runtime.bench.reference import write_reference
from tests.deploy.devices.adb_virtual_phone import (
    VirtualPhone,
    missing_piece,
    restart_phone,
    start_phone,
    userland,
)
from tests.deploy.devices.bench_command import BRIEF, ENDLESS, Bench, Ended
from tests.deploy.devices.boards import onnx_plan
from tests.deploy.devices.virtual_board import wait_for

pytestmark = pytest.mark.device


@dataclass(kw_only=True)
class Phones:
    """The phone and what is measured on it. started: commands, for the case that a test fails."""

    phone: VirtualPhone
    file: Path
    started: list[Bench]

    @property
    def folder(self) -> Path:
        """/data/local/tmp, as this machine sees it."""
        return self.phone.root / "data/local/tmp"

    def start(self, settings: tuple[str, ...] = BRIEF, *words: str) -> Bench:
        """On the phone."""
        files = () if words else (self.file,)
        command = (*files, "--device", "adb", *(words or settings))
        self.started.append(Bench(*command, environment=self.phone.environment))
        return self.started[-1]

    def find(self, pattern: str) -> list[Path]:
        """What lies there."""
        return list(self.folder.glob(pattern))

    def assert_settled(self) -> None:
        """Nothing half-written is left, nobody holds it, and its clock is as before: at the latest in a moment."""
        wait_for(lambda: not self.find("condmix-lock*"), lambda: str(self.find("*")))
        wait_for(lambda: not self.find("condmix-work/session-*"), lambda: str(self.find("condmix-work/*")))
        assert self.find("condmix-partial-*") == []
        log = self.phone.root / "data/cmd.log"
        assert not log.exists() or log.read_text().endswith("enabled false\n")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    if reason := missing_piece():
        pytest.skip(f"no virtual phone: {reason}")
    folder = tmp_path_factory.mktemp("phone")
    plan = onnx_plan(folder)
    write_reference(folder / "model.reference.npz", plan.references["model"])
    phone = start_phone(folder, userland(device_cache()), port=5473)
    yield Phones(phone=phone, file=folder / "model.onnx", started=[])
    phone.end()


@pytest.fixture
def phones(running: Phones) -> Iterator[Phones]:
    """Plugged in; nothing of a session is left there afterwards."""
    running.phone.connect()
    yield running
    for one in running.started:
        one.kill()
    running.phone.connect()
    running.assert_settled()


def assert_right(ended: Ended) -> None:
    """It computes there what it should; no time is told, and that it was no phone of glass is."""
    assert ended.code == 0, ended.stderr
    report = ended.report
    assert "EMULATED" in report.verdict.first_line()
    assert "EXPERIMENTAL" in report.verdict.first_line()
    for one in report.subjects:
        assert one.failure is None
        assert one.agreement is not None
        assert one.agreement.passed, one.agreement.detail
        assert len(one.samples) == 0


def test_the_cable_is_pulled_out_while_python_is_brought(phones: Phones):
    assert phones.start(BRIEF, "--clean").end().code == 0
    ended = phones.start().when(lambda: phones.find("condmix-partial-*.tar"), lambda: phones.phone.adb("disconnect"))
    ended.assert_refused("adb: push: the link to the phone was lost", "Check the cable")
    phones.phone.connect()
    phones.assert_settled()
    assert [path.name for path in phones.find("*")] == []


def test_the_cable_is_pulled_out_while_packages_are_brought(phones: Phones):
    assert phones.start(BRIEF, "--clean").end().code == 0
    ended = phones.start().when(
        lambda: phones.find("condmix-work/session-*/incoming/*.partial"), lambda: phones.phone.adb("disconnect")
    )
    ended.assert_refused("adb: push: the link to the phone was lost", "Check the cable")
    phones.phone.connect()
    phones.assert_settled()
    assert all((one / ".condmix-sizes.json").is_file() for one in phones.find("condmix-work/packages/*"))


def test_a_measurement_from_nothing_and_back_to_it(phones: Phones):
    assert_right(phones.start().end())
    kept = [path.name.partition("-")[2] for path in phones.find("*")]
    assert len(kept) == 2, kept
    assert "work" in kept
    cleaned = phones.start(BRIEF, "--clean").end()
    assert (cleaned.code, cleaned.stdout[:12]) == (0, "adb: removed")
    assert phones.find("*") == []


def test_the_phone_loses_its_power_while_it_measures(phones: Phones):
    running = phones.start(ENDLESS).until("round")
    phones.phone.lose_power()
    running.end().assert_refused("adb: measure: the link to the phone was lost", "Check the cable")
    assert phones.find("condmix-lock"), "nobody was there to remove it"
    assert phones.find("condmix-work/session-*")
    assert (phones.phone.root / "data/cmd.log").read_text().endswith("enabled true\n")
    restart_phone(phones.phone)
    assert_right(phones.start().end())
    assert phones.find("condmix-work/session-*") == []


def test_damaged_python_and_packages_are_replaced(phones: Phones):
    if not phones.find("condmix-work/packages/*/onnxruntime"):
        assert_right(phones.start().end())
    (module,) = phones.find("condmix-work/packages/*/onnxruntime/__init__.py")
    (own,) = phones.find("condmix-*/lib/python3.11/argparse.py")
    whole = module.read_bytes(), own.read_bytes()
    module.write_bytes(b"")
    own.write_bytes(b"!" * len(whole[1]))
    ended = phones.start().end()
    assert_right(ended)
    assert "bringing Python" in ended.stderr
    assert "1 packages there were damaged" in ended.stderr
    assert (module.read_bytes(), own.read_bytes()) == whole


def test_two_at_once_and_ctrl_c(phones: Phones):
    first = phones.start(ENDLESS).until("round")
    phones.start().end().assert_refused("adb: lock: another session measures on this phone", "Wait for it")
    ended = first.interrupt().end()
    assert ended.code == 130, ended.stderr
    assert ended.report.interrupted is not None
    assert ended.report.subjects[0].agreement is not None
    assert ended.report.subjects[0].agreement.passed


def _said_instead(phone: VirtualPhone, program: str, text: str) -> Callable[[], None]:
    """The program says that from now on, until what is returned is called."""
    path = phone.root / "system/bin" / program
    kept = path.with_name(f"{program}.kept")
    path.rename(kept)
    path.write_text(f"#!/system/bin/sh\n{text}\n")
    path.chmod(0o755)

    def put_back() -> None:
        path.unlink()
        kept.rename(path)

    return put_back


@pytest.mark.parametrize(
    ("program", "text", "said"),
    [
        ("getprop", "echo '[ro.product.cpu.abilist]: [armeabi-v7a]'", ("adb: probe: it is", "expected arm64-v8a")),
        ("uname", "echo armv8l", ("adb: probe: it is", "expected a 64-bit kernel")),
        (
            "date",
            "echo $(($(busybox date +%s) - 7200))",
            ("adb: probe: its clock is 2.0 hours behind", "Set its clock"),
        ),
    ],
    ids=["32-bit programs", "32-bit kernel", "clock"],
)
def test_another_architecture_or_clock(phones: Phones, program: str, text: str, said: tuple[str, ...]):
    before = sorted(phones.find("**/*"))
    put_back = _said_instead(phones.phone, program, text)
    try:
        ended = phones.start().end()
    finally:
        put_back()
    ended.assert_refused(*said)
    assert sorted(phones.find("**/*")) == before
