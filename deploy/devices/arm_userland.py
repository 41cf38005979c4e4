"""A Debian for an emulated CPU, in this side's cache: its Python and a cpuinfo; made when first asked for."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from condmix.deploy.devices.emulated_cpu import EmulatedCpu
from condmix.deploy.devices.errors import DeviceError

SUITE = "bookworm"
_PACKAGES = (
    "python3-minimal",
    "python3.11",
    "libpython3.11-stdlib",
    "libstdc++6",
    "libgomp1",
    "libatomic1",
    "zlib1g",
)
_MORE = {"armhf": ("python3-numpy",)}  # for which there are no wheels
_TIMEOUT_SECONDS = 900


def interpreter(device: str, cpu: EmulatedCpu, cache: Path) -> Path:
    """A program that is the Python of that CPU. Raises DeviceError naming what is to be installed here."""
    emulator = shutil.which(cpu.qemu)
    if emulator is None:
        found = f"there is no {cpu.qemu} on the PATH"
        raise DeviceError(device, "connect", found, "Install it: sudo apt-get install qemu-user-static.")
    root = _root(device, cpu, cache)
    program = root.parent / f"python-{cpu.name}"
    # Whole paths: not every system call of the emulated program is led into the userland.
    settings = {"PYTHONHOME": str(root / "usr")}
    if cpu.debian == "armhf":
        libraries = root / "usr/lib/arm-linux-gnueabihf"
        settings["LD_LIBRARY_PATH"] = f"{libraries / 'blas'}:{libraries / 'lapack'}"
    words = [emulator]
    for name, value in settings.items():
        words += ["-E", f"{name}={value}"]
    # Argument 0 makes Python find this program when it is to start itself again, as a worker.
    words += ["-0", str(program), "-L", str(root), str(root / "usr/bin/python3.11")]
    text = f'#!/bin/sh\nexec env QEMU_CPU={cpu.model} {shlex.join(words)} "$@"\n'
    if not program.is_file() or program.read_text(encoding="utf-8") != text:
        partial = program.with_name(f".{program.name}.{os.getpid()}")
        partial.write_text(text, encoding="utf-8")
        partial.chmod(0o755)
        partial.replace(program)
    return program


def _root(device: str, cpu: EmulatedCpu, cache: Path) -> Path:
    root = cache / "userlands" / f"{SUITE}-{cpu.debian}-{cpu.name}"
    if root.is_dir():
        return root
    builder = shutil.which("mmdebstrap")
    if builder is None:
        found = "there is no mmdebstrap on the PATH, which makes the userland (80 MB, once)"
        raise DeviceError(device, "connect", found, "Install it: sudo apt-get install mmdebstrap.")
    root.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=root.parent, prefix=f".{root.name}-"))
    try:
        packages = ",".join((*_PACKAGES, *_MORE.get(cpu.debian, ())))
        command = [builder, f"--architectures={cpu.debian}", "--variant=extract", f"--include={packages}"]
        # One mirror and no others: the suite of security updates is not whole for every architecture.
        command += [SUITE, str(partial / "root"), *debian_mirror()]
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
        if ran.returncode:
            words = " ".join(ran.stderr.split())[-300:]
            found = f"mmdebstrap made no userland: {words}"
            raise DeviceError(device, "connect", found, "Check the connection to the Debian mirror of this machine.")
        (partial / "root/proc").mkdir(exist_ok=True)
        (partial / "root/proc/cpuinfo").write_text(cpu.cpuinfo(), encoding="utf-8")
        if not root.is_dir():
            (partial / "root").rename(root)
    except subprocess.TimeoutExpired:
        found = f"mmdebstrap was not done within {_TIMEOUT_SECONDS} s"
        raise DeviceError(device, "connect", found, "Check the connection to the Debian mirror.") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return root


def debian_mirror() -> list[str]:
    """The mirror that this machine uses for that suite; none where it is no Debian: mmdebstrap then has its own."""
    try:
        ran = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return []
    for line in ran.stdout.splitlines():
        address, _, rest = line.partition(" ")
        if rest == f"{SUITE} main" and address.startswith("http"):
            return [address]
    return []
