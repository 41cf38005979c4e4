"""Whether a phone can run the Python that would be brought to it, and whether its dates can be believed."""

from __future__ import annotations

import subprocess

from condmix.deploy.devices.adb_client import AdbClient
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_facts import PhoneFacts
from condmix.deploy.devices.phone_python import KINDS
from condmix.deploy.devices.requirements import LARGEST_CLOCK_ERROR_SECONDS

_FEATURE = "shell_v2"
_SECONDS = 30.0
_ABIS = {"aarch64": "arm64-v8a", "x86_64": "x86_64"}


def check_features(client: AdbClient) -> None:
    """Raises DeviceError when its adb carries no exit codes and no bytes, as before Android 7."""
    step = "connect"
    try:
        done = subprocess.run(
            client.command("features"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise client.link_error(step, f"no answer within {_SECONDS:g} s") from None
    if done.returncode != 0:
        raise client.link_error(step, done.stderr or done.stdout, done.returncode)
    if _FEATURE not in done.stdout.replace(",", " ").split():
        found = f"its adb has no {_FEATURE}"
        next_step = "Use --device browser, which runs on any phone."
        raise DeviceError(client.device, step, found, next_step, expected="Android 7 or newer")


def check_phone(device: str, phone: PhoneFacts, *, now: float) -> None:
    """Raises DeviceError when it can run nothing of ours, or its clock is wrong; the first reason decides."""
    named = f"{phone.sentence()}, which runs {', '.join(phone.abis) or 'programs of unknown kinds'}"
    other = "Use --device browser, which runs on any phone."
    if phone.machine not in KINDS:
        raise DeviceError(device, "probe", f"it is {named}", other, expected="a 64-bit kernel: " + ", ".join(KINDS))
    wanted = _ABIS[phone.machine]
    if phone.abis and wanted not in phone.abis:
        raise DeviceError(device, "probe", f"it is {named}", other, expected=wanted)
    offset = phone.clock_offset_seconds or 0.0
    if abs(offset) > LARGEST_CLOCK_ERROR_SECONDS:
        hours = f"{abs(offset) / 3600:.1f} hours {'ahead' if offset > 0 else 'behind'}"
        next_step = f"Set its clock (Settings > Date & time; as root: adb shell date -u @{now:.0f})."
        raise DeviceError(
            device, "probe", f"its clock is {hours}", next_step, expected="the time of this machine, to the hour"
        )
