"""Which of the devices that `adb` knows is meant; what stands in the way is said for each of them."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.devices.adb_client import last_words
from condmix.deploy.devices.errors import DeviceError

READY = "device"
SERIAL_VARIABLE = "ANDROID_SERIAL"
_STATES = {
    "unauthorized": "has not allowed this computer: unlock it and answer 'Allow USB debugging?'",
    "authorizing": "is being asked whether it allows this computer: unlock it and answer",
    "offline": "does not answer: plug it out and in, or run `adb reconnect`",
    "no permissions": "may not be opened by this user: install the udev rules of Android devices and plug it in again",
    "bootloader": "is in its bootloader: start Android",
    "recovery": "is in recovery: start Android",
    "sideload": "is in sideload mode: start Android",
    "connecting": "is still being connected: wait a moment",
}
_LINE = re.compile(
    r"(?P<serial>\S+)\s+(?P<state>no permissions|\S+)(?P<rest>.*)",
)
_LISTING_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class AdbEntry:
    """One line of `adb devices -l`. model: as the device calls itself, None before it was allowed to say."""

    serial: str
    state: str
    model: str | None

    def words(self) -> str:
        """For a list: the serial, the model, and what stands in the way."""
        name = self.serial if self.model is None else f"{self.serial} ({self.model})"
        if self.state == READY:
            return f"{name}: ready"
        return f"{name}: {self.state}: it {_STATES.get(self.state, 'is in a state that condmix does not know')}"


def parse_devices(text: str) -> tuple[AdbEntry, ...]:
    """The devices in the output of `adb devices -l`."""
    entries = []
    _, _, listed = text.partition("List of devices attached")
    for line in listed.splitlines():
        found = _LINE.fullmatch(line.strip())
        if found is None or line.startswith("*"):
            continue
        model = re.search(r"\bmodel:(\S+)", found["rest"])
        entries.append(
            AdbEntry(serial=found["serial"], state=found["state"], model=None if model is None else model[1])
        )
    return tuple(entries)


def list_devices(adb: Path, *, device: str) -> tuple[AdbEntry, ...]:
    """What adb knows now; its server was started if there was none. Raises DeviceError."""
    next_step = "Run `adb kill-server`, then `adb devices`, and see what it says."
    try:
        done = subprocess.run(
            [str(adb), "devices", "-l"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LISTING_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        found = f"`adb devices` gave no answer within {_LISTING_SECONDS:g} s"
        raise DeviceError(device, "connect", found, next_step) from error
    except OSError as error:
        raise DeviceError(device, "connect", f"{str(adb)!r} does not start: {error.strerror}", next_step) from error
    if done.returncode != 0:
        found = f"`adb devices` failed: {last_words(done.stderr or done.stdout)}"
        raise DeviceError(device, "connect", found, next_step)
    return parse_devices(done.stdout)


def choose_device(entries: tuple[AdbEntry, ...], serial: str | None, *, device: str) -> AdbEntry:
    """The one with that serial, or the one that ANDROID_SERIAL names, or the only one there is.

    Raises DeviceError listing all that there are: none, several, unknown, or not ready.
    """
    listed = "; ".join(entry.words() for entry in entries) or "none"
    wanted = serial or os.environ.get(SERIAL_VARIABLE) or None
    if not entries:
        next_step = (
            "Turn on USB debugging (Settings > Developer options), plug the phone in and unlock it; "
            "or `adb connect ADDRESS` for one on the network."
        )
        raise DeviceError(device, "connect", "adb knows no device", next_step)
    if wanted is not None:
        found = next((entry for entry in entries if entry.serial == wanted), None)
        if found is None:
            named = "" if serial else f" (from {SERIAL_VARIABLE})"
            text = f"adb knows no device {wanted!r}{named}; it knows {listed}"
            raise DeviceError(device, "connect", text, "Give one of these serials, or plug that phone in.")
        return _ready(found, device)
    if len(entries) > 1:
        first = next((entry for entry in entries if entry.state == READY), entries[0])
        text = f"adb knows {len(entries)} devices: {listed}"
        raise DeviceError(device, "connect", text, f"Name one of them: --device adb:{first.serial}")
    return _ready(entries[0], device)


def _ready(entry: AdbEntry, device: str) -> AdbEntry:
    if entry.state == READY:
        return entry
    raise DeviceError(device, "connect", entry.words(), "Then run it again.")
