"""The Python for phones in this side's cache: made once, from Debian's packages, and kept by the kind of phone."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from condmix.deploy.devices.arm_userland import SUITE, debian_mirror
from condmix.deploy.devices.device import Say, silent
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_python import KINDS, PhonePython, build_phone_python, read_phone_python

_PACKAGES = ("python3-minimal", "python3.11", "libpython3.11-stdlib", "libstdc++6", "zlib1g")
_TIMEOUT_SECONDS = 900
_LAST_CHARACTERS = 300


def phone_python(device: str, machine: str, cache: Path, say: Say = silent) -> PhonePython:
    """The archive for that machine, whole. Raises DeviceError naming what is to be installed here."""
    path = cache / "phones" / f"python-{SUITE}-{KINDS[machine].debian}.tar"
    digest = path.with_suffix(".sha256")
    try:
        found = read_phone_python(path, machine)
        if digest.read_text(encoding="utf-8").strip() == found.sha256:
            return found
    except (OSError, tarfile.TarError):
        pass  # not there, or cut: it is made again
    say(f"{device}: making a Python for {machine} (once, 25 MB)")
    return _make(device, machine, path, digest)


def _make(device: str, machine: str, path: Path, digest: Path) -> PhonePython:
    builder = shutil.which("mmdebstrap")
    if builder is None:
        found = "there is no mmdebstrap on the PATH, which unpacks Debian's Python for the phone (80 MB, once)"
        raise DeviceError(device, "packages", found, "Install it: sudo apt-get install mmdebstrap.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".python-") as folder:
        root = Path(folder) / "root"
        command = [builder, "--quiet", f"--architectures={KINDS[machine].debian}", "--variant=extract"]
        command += [f"--include={','.join(_PACKAGES)}", SUITE, str(root), *debian_mirror()]
        try:
            ran = subprocess.run(
                command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            found = f"mmdebstrap was not done within {_TIMEOUT_SECONDS} s"
            raise DeviceError(device, "packages", found, "Check the connection to the Debian mirror.") from None
        if ran.returncode:
            found = f"mmdebstrap could not unpack Debian: {' '.join(ran.stderr.split())[-_LAST_CHARACTERS:]}"
            raise DeviceError(device, "packages", found, "Check the connection to the Debian mirror.")
        built = build_phone_python(root, machine, Path(folder) / path.name, device=device)
        digest.unlink(missing_ok=True)
        built.path.replace(path)
        digest.write_text(hashlib.sha256(path.read_bytes()).hexdigest() + "\n", encoding="utf-8")
    return read_phone_python(path, machine)
