"""The `adb` program on this machine."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

from condmix.deploy.devices.errors import DeviceError

_INSTALL = (
    "Install Android's platform tools (Debian and Ubuntu: apt install adb; macOS: brew install "
    "android-platform-tools), or the package that brings it along: pip install adbutils."
)


def find_adb(device: str) -> Path:
    """The program on PATH, else the one that the package adbutils brings. Raises DeviceError with what to install."""
    found = shutil.which("adb")
    if found is not None:
        return Path(found)
    try:
        adbutils = importlib.import_module("adbutils")
        brought = Path(str(adbutils.adb_path()))
    except ImportError:
        raise DeviceError(device, "connect", "there is no program 'adb' on PATH", _INSTALL) from None
    # The package falls back to the bare name where it has no program for this system.
    if not brought.is_file():
        raise DeviceError(device, "connect", f"adbutils has no 'adb' for this system ({brought})", _INSTALL)
    return brought
