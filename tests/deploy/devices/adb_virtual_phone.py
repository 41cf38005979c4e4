"""A virtual Arm phone behind the real adb protocol: Debian's adbd, a bare userland, namespaces of its own; no Android.

It has Android's shell (mksh), no C library where programs look for one, and stand-ins for getprop, dumpsys and cmd. Its
CPU is emulated (qemu), its network is its own, so that an adbd that trusts everybody is reached by these tests alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from condmix.deploy.devices.emulated_cpu import CPUS
from condmix.deploy.devices.errors import DeviceError
from tests.deploy.devices.adb_fake import BATTERY, THERMAL

CPU = CPUS["cortex-a53"]
ADDRESS = "127.0.0.1:5777"  # away from 5555, which adb looks at by itself
_PACKAGES = "adbd,mksh,busybox-static"
_SUITE = "trixie"  # the first with an adbd
_APPLETS = (
    "cat", "chmod", "cut", "date", "df", "du", "echo", "env", "false", "grep", "head", "kill", "ls", "mkdir", "mv",
    "printf", "ps", "rm", "sed", "sha256sum", "sleep", "tail", "tar", "touch", "true", "uname",
)  # fmt: skip
_ABILIST = "[ro.product.cpu.abilist]: [arm64-v8a]\n[ro.product.model]: [virtual phone]\n"
_PROGRAMS = {
    "getprop": f"cat <<'E'\n{_ABILIST}E",
    "dumpsys": f"case $1 in battery) cat <<'E'\n{BATTERY}E\n;; *) cat <<'E'\n{THERMAL}E\n;; esac",
    "cmd": 'echo "$*" >> /data/cmd.log',
}


def missing_piece() -> str | None:
    """Why there can be no virtual phone here; None when there can."""
    for program, package in (
        (CPU.qemu, "qemu-user-static"), ("mmdebstrap", "mmdebstrap"), ("unshare", "util-linux"),
        ("nsenter", "util-linux"), ("ip", "iproute2"),
    ):  # fmt: skip
        if shutil.which(program) is None:
            return f"no {program} on the PATH (apt install {package})"
    try:
        real_adb()
    except DeviceError as error:
        return error.found
    # A binfmt_misc of one's own is there since Linux 6.7.
    place = tempfile.mkdtemp()
    probe = "mount -t tmpfs t $0 && mkdir $0/b && mount -t binfmt_misc b $0/b && test -w $0/b/register"
    ran = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "--net", "sh", "-c", probe, place],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    Path(place).rmdir()
    return None if ran.returncode == 0 else f"no private namespaces or binfmt_misc here: {ran.stderr.strip()[-200:]}"


def real_adb() -> Path:
    """The program, found as users' is."""
    from condmix.deploy.devices.adb_executable import find_adb

    return find_adb("adb")


def userland(cache: Path) -> Path:
    """Debian's adbd with its libraries, mksh and busybox, made once; without a mirror the test is skipped."""
    root = cache / "tests" / f"{_SUITE}-arm64-adbd"
    if not root.is_dir():
        root.parent.mkdir(parents=True, exist_ok=True)
        partial = root.with_name(f".{root.name}-{os.getpid()}")
        command = ["mmdebstrap", "--quiet", "--architectures=arm64", "--variant=extract", f"--include={_PACKAGES}"]
        try:
            subprocess.run([*command, _SUITE, str(partial)], check=True, capture_output=True, timeout=600)
        except subprocess.CalledProcessError as error:
            shutil.rmtree(partial, ignore_errors=True)
            pytest.skip(f"no virtual phone: mmdebstrap made no userland: {error.stderr.decode()[-300:]}")
        if not root.is_dir():  # else another run was faster
            partial.rename(root)
    return root


def make_phone(userland: Path, root: Path) -> None:
    """The phone's file system lies at `root`."""
    for name in ("system/bin", "data/local/tmp", "proc", "sys", "dev", "adbd"):
        (root / name).mkdir(parents=True)
    (root / "bin").symlink_to("system/bin")
    programs = root / "system/bin"
    shutil.copy(userland / "usr/lib/aarch64-linux-musl/bin/mksh", programs / "sh")
    shutil.copy(userland / "usr/bin/busybox", programs / "busybox")
    for name in _APPLETS:
        (programs / name).symlink_to("busybox")
    for name, text in _PROGRAMS.items():
        (programs / name).write_text(f"#!/system/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    libraries = userland / "usr/lib/aarch64-linux-gnu"
    for path in (*libraries.glob("*.so*"), *libraries.glob("android/*.so*")):
        shutil.copy(path, root / "adbd" / path.name)
    shutil.copy(libraries / "ld-linux-aarch64.so.1", root / "adbd/ld.so")
    shutil.copy(userland / "usr/lib/android-sdk/platform-tools/adbd", root / "adbd/adbd")
    (root / "cpuinfo").write_text(CPU.cpuinfo())


@dataclass
class VirtualPhone:
    """A running one. bin: to be put before PATH; its adb enters the phone's network."""

    root: Path
    bin: Path
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    space: str = ""
    lost_network: Path | None = None

    def adb(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One call of adb."""
        return subprocess.run(
            [str(self.bin / "adb"), *words], env={**os.environ, **self.environment}, capture_output=True, text=True,
            check=False, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def connect(self) -> None:
        """The phone is plugged in. Raises AssertionError."""
        deadline = time.monotonic() + 30
        while "connected to" not in (said := self.adb("connect", ADDRESS).stdout) and time.monotonic() < deadline:
            time.sleep(0.3)
        assert "connected to" in said, said
        assert self.adb("wait-for-device").returncode == 0

    def left(self) -> list[str]:
        """The names in /data/local/tmp, as the phone sees them."""
        return sorted(self.adb("shell", "ls /data/local/tmp").stdout.split())

    def lose_power(self) -> None:
        """All that ran on it has ended at once; adb's server, in the same network, finds out by itself."""
        self.lost_network = Path(f"/proc/{self.process.pid}/ns/net").readlink()
        self.process.kill()
        self.process.wait(20)

    def end(self) -> None:
        """The server has ended, and the phone with all that ran on it."""
        self.adb("kill-server")
        self.process.kill()  # unshare lets other signals pass; its child, the first of its namespace, is killed with it
        self.process.wait(20)


def start_phone(folder: Path, userland: Path, *, port: int, space: str = "") -> VirtualPhone:
    """It is plugged in. port: of the adb server of these tests. space: of /data/local/tmp, such as "30m"."""
    root = folder / "phone" / "root"
    make_phone(userland, root)
    programs = folder / "host"
    programs.mkdir()
    environment = {"ANDROID_ADB_SERVER_PORT": str(port), "PATH": f"{programs}:{os.environ['PATH']}"}
    adb = real_adb()  # before there is one on the PATH that leads to it
    phone = VirtualPhone(root, programs, _switched_on(root, programs, adb, space), environment, space)
    _plugged_in(phone)
    return phone


def restart_phone(phone: VirtualPhone) -> None:
    """It has got its power back, with what lay on its disk. The server that knew it before has ended."""
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (place / "ns/net").readlink() == phone.lost_network and b"fork-server" in (
                place / "cmdline"
            ).read_bytes():
                os.kill(int(place.name), signal.SIGKILL)
    phone.process = _switched_on(phone.root, phone.bin, real_adb(), phone.space)
    _plugged_in(phone)


def _plugged_in(phone: VirtualPhone) -> None:
    try:
        time.sleep(0.5)
        phone.connect()
    except BaseException:
        phone.end()
        raise


def _switched_on(root: Path, programs: Path, adb: Path, space: str) -> subprocess.Popen[bytes]:
    """Its processes; the `adb` of that folder enters its network."""
    (root / "boot_id").write_text(f"{uuid.uuid4()}\n")
    script = Path(__file__).with_name("adb_phone.sh")
    with (root.parent / "log").open("ab") as log:
        process = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "--kill-child=KILL",
             "bash", str(script), str(root), str(shutil.which(CPU.qemu))],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            env={"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "QEMU_CPU": CPU.model, "PHONE_SPACE": space},
        )  # fmt: skip
    enter = f"nsenter --preserve-credentials --user --net --target {process.pid}"
    (programs / "adb").write_text(f'#!/bin/sh\nexec {enter} {adb} "$@"\n')
    (programs / "adb").chmod(0o755)
    return process
