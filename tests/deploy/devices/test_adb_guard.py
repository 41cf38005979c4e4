"""The guard on the phone: one session at a time, and whatever was changed is undone, however the session ends."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_guard import PhoneGuard
from tests.deploy.devices.adb_fake import FakePhone, phone  # noqa: F401 - a fixture


def soon(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.02)
    return happened()


def test_what_was_remembered_is_undone_the_last_first(phone: FakePhone):  # noqa: F811
    guard = PhoneGuard(phone.client(), phone.tmp / "condmix-lock")
    guard.remember(f"echo first >> {phone.tmp}/undone")
    guard.remember(f"echo 'last one' >> {phone.tmp}/undone")
    assert phone.left() == ["condmix-lock"]
    guard.release()
    assert Path(phone.tmp / "undone").read_text() == "last one\nfirst\n"
    assert phone.left() == ["undone"]
    with pytest.raises(ValueError, match=r"one line of shell"):
        guard.remember("a\nb")


def test_a_second_session_is_refused_and_the_first_goes_on(phone: FakePhone):  # noqa: F811
    first = PhoneGuard(phone.client(), phone.tmp / "condmix-lock")
    with pytest.raises(DeviceError, match=r"adb: lock: another session measures on this phone \(process \d+ there\)"):
        PhoneGuard(phone.client(), phone.tmp / "condmix-lock")
    first.remember("true")
    first.release()
    PhoneGuard(phone.client(), phone.tmp / "condmix-lock").release()
    assert phone.left() == []


def test_the_end_of_its_input_is_enough(phone: FakePhone):  # noqa: F811
    guard = PhoneGuard(phone.client(), phone.tmp / "condmix-lock")
    guard.remember(f"touch {phone.tmp}/undone")
    guard.abandon()
    assert phone.left() == ["undone"]
    with pytest.raises(DeviceError, match=r"lock: the link to the phone was lost"):
        guard.remember("true")


def test_a_process_that_is_killed_leaves_nothing_changed(phone: FakePhone):  # noqa: F811
    program = (
        "import os, signal; from pathlib import Path, PurePosixPath\n"
        "from condmix.deploy.devices.adb_client import AdbClient\n"
        "from condmix.deploy.devices.phone_guard import PhoneGuard\n"
        f"tmp = PurePosixPath({str(phone.tmp)!r})\n"
        f"guard = PhoneGuard(AdbClient(Path({str(phone.program)!r}), None, device='adb'), tmp / 'condmix-lock')\n"
        f"guard.remember('touch {phone.tmp}/undone')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert soon(lambda: phone.left() == ["undone"])


def test_what_a_phone_without_power_kept_is_undone_by_the_next_session(phone: FakePhone):  # noqa: F811
    lock = Path(phone.tmp / "condmix-lock")
    lock.mkdir()
    ended = subprocess.Popen(["true"])
    ended.wait()
    (lock / "holder").write_text(f"{ended.pid} another-boot\n")
    (lock / "undo").write_text(f"touch {phone.tmp}/undone\n")
    guard = PhoneGuard(phone.client(), phone.tmp / "condmix-lock")
    assert phone.left() == ["condmix-lock", "undone"]
    guard.release()
    # A living process of another boot is another one with the same number.
    lock.mkdir()
    (lock / "holder").write_text(f"{os.getpid()} another-boot\n")
    PhoneGuard(phone.client(), phone.tmp / "condmix-lock").release()
    assert phone.left() == ["undone"]


def test_no_room_for_a_lock_and_no_link(phone: FakePhone):  # noqa: F811
    with pytest.raises(DeviceError, match=r"lock: cannot make .*/none/condmix-lock\. Free space"):
        PhoneGuard(phone.client(), phone.tmp / "none" / "condmix-lock")
    phone.fail("unplugged")
    with pytest.raises(DeviceError, match=r"lock: the link to the phone was lost: device 'R58M12ABCDE' not found"):
        PhoneGuard(phone.client(), phone.tmp / "condmix-lock")
