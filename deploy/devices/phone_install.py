"""Bringing the Python to a phone: it appears there whole and checked under its hash, or not at all."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import PurePosixPath

from condmix.deploy.devices.adb_client import AdbClient, last_words
from condmix.deploy.devices.device import Say, silent
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_guard import PhoneGuard
from condmix.deploy.devices.phone_python import CHECK, START, PhonePython

PARTIAL = "condmix-partial-"
_MIB = 1 << 20
_ROOM_TO_SPARE_BYTES = 16 * _MIB
_PUSH_SECONDS = 600.0
_UNPACK_SECONDS = 180.0
_TIDY_SECONDS = 20.0
_AGAIN = "Run it again; nothing half-written is left on the phone."


def install_python(
    client: AdbClient,
    guard: PhoneGuard,
    python: PhonePython,
    folder: PurePosixPath,
    *,
    free_bytes: int | None,
    say: Say = silent,
) -> PurePosixPath:
    """The program that is Python on the phone. What lies there from before is checked, and replaced when damaged.

    folder: /data/local/tmp of the phone. Raises DeviceError.
    """
    home = folder / f"condmix-{python.key}"
    if _problem(client, home) is None:
        return home / START
    needed = python.path.stat().st_size + python.unpacked_bytes + _ROOM_TO_SPARE_BYTES
    if free_bytes is not None and free_bytes < needed:
        raise DeviceError(
            client.device,
            "space",
            f"{folder} has {free_bytes / _MIB:.0f} MiB free",
            "Free space on the phone, or remove what condmix keeps there with --clean.",
            expected=f"{needed / _MIB:.0f} MiB for Python",
        )
    say(f"{client.device}: bringing Python, {python.path.stat().st_size / _MIB:.1f} MiB")
    partial = folder / f"{PARTIAL}{secrets.token_hex(4)}"
    remove = f"rm -rf {partial} {partial}.tar"
    guard.remember(remove)
    try:
        _bring(client, python, partial, home)
    finally:
        # The guard does the same when this cannot, because the link is gone.
        with contextlib.suppress(DeviceError):
            client.shell(remove, step="push", timeout_seconds=_TIDY_SECONDS)
    return home / START


def _bring(client: AdbClient, python: PhonePython, partial: PurePosixPath, home: PurePosixPath) -> None:
    archive = PurePosixPath(f"{partial}.tar")
    client.push(python.path, archive, step="push", timeout_seconds=_PUSH_SECONDS)
    counted = client.shell(f"sha256sum {archive}", step="push")
    # Android before 8 has no sha256sum: there the check after unpacking is the only one.
    arrived = counted.stdout.split()[:1]
    if counted.code == 0 and arrived != [python.sha256]:
        raise DeviceError(client.device, "push", "the archive arrived with another content than was sent", _AGAIN)
    unpack = f"umask 077; mkdir {partial} && tar -xf {archive} -C {partial} && rm {archive}"
    done = client.shell(unpack, step="unpack", timeout_seconds=_UNPACK_SECONDS)
    if done.code != 0:
        words = last_words(done.stderr or done.stdout)
        next_step = "Free space on /data of the phone, and run it again." if "space" in words else _AGAIN
        raise DeviceError(client.device, "unpack", words or f"tar ended with exit code {done.code}", next_step)
    problem = _problem(client, partial)
    if problem is not None:
        next_step = (
            "This phone does not run the Python that is brought to it; use --device browser, or your own binary "
            "(see the page on adb)."
        )
        raise DeviceError(client.device, "start Python", problem, next_step)
    client.demand(f"rm -rf {home} && mv {partial} {home}", step="unpack", next_step=_AGAIN)


def _problem(client: AdbClient, home: PurePosixPath) -> str | None:
    """None when Python starts there and every file is as it was sent."""
    done = client.shell(
        f"[ -f {home / START} ] || exit 3\n{home / START} -I {home / CHECK}",
        step="start Python",
        timeout_seconds=_UNPACK_SECONDS,
    )
    if done.code == 0:
        return None
    return last_words(done.stderr or done.stdout) or f"it ended with exit code {done.code}"
