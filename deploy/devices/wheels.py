"""Wheels for another machine: fetched by pip on this side, and kept here by what they are and by their hash."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.requirements import Requirements

_TIMEOUT_SECONDS = 900
_TIME = (1980, 1, 1, 0, 0, 0)
_LAST_LINES = 3
_STAND_IN = '''"""tflite-runtime under the name of LiteRT, for a machine that has no wheel of it."""
from importlib.metadata import version
__version__ = "tflite-runtime " + version("tflite-runtime")
'''
_STAND_IN_INTERPRETER = (
    "from tflite_runtime.interpreter import *\nfrom tflite_runtime.interpreter import Interpreter, OpResolverType\n"
)


@dataclass(frozen=True, kw_only=True)
class Package:
    """An archive to be unpacked on a device. sha256: of its bytes, under which it is kept on both sides.

    unpacked_bytes: that it takes there.
    """

    name: str
    path: Path
    sha256: str
    unpacked_bytes: int

    @property
    def size_bytes(self) -> int:
        """Of the archive."""
        return self.path.stat().st_size


def device_cache(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder in the user's cache (XDG_CACHE_HOME, else ~/.cache); nothing is looked at or made."""
    found = environment.get("XDG_CACHE_HOME", "")
    # The specification of that variable says to ignore a relative path.
    cache = Path(found) if Path(found).is_absolute() else Path.home() / ".cache"
    return cache / "condmix" / "devices"


def fetch(device: str, wanted: Requirements, cache: Path) -> tuple[Package, ...]:
    """The archives, from the cache where they are whole, else from the package index. Raises DeviceError."""
    key = hashlib.sha256(repr(wanted).encode()).hexdigest()[:32]
    index = cache / "selections" / f"{key}.json"
    found = _from_cache(index, cache)
    if found is None:
        found = _download(device, wanted, cache)
        _write(index, json.dumps([[one.name, one.sha256] for one in found]).encode())
    if wanted.stand_in:
        found = (*found, keep("litert-stand-in.zip", _archive(), cache))
    return found


def keep(name: str, content: bytes, cache: Path) -> Package:
    """The archive in the cache, by its hash."""
    sha256 = hashlib.sha256(content).hexdigest()
    path = cache / "archives" / sha256 / name
    if not path.is_file():
        _write(path, content)
    return _package(path, sha256)


def _from_cache(index: Path, cache: Path) -> tuple[Package, ...] | None:
    """None where something is missing or has another content than its name says: it is then fetched again."""
    try:
        listed = json.loads(index.read_text(encoding="utf-8"))
        packages = []
        for name, sha256 in listed:
            path = cache / "archives" / sha256 / name
            if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
                path.unlink()
                return None
            packages.append(_package(path, sha256))
    except (OSError, ValueError, TypeError):
        return None
    return tuple(packages)


def _download(device: str, wanted: Requirements, cache: Path) -> tuple[Package, ...]:
    cache.mkdir(parents=True, exist_ok=True)
    version = "".join(map(str, wanted.python_version))
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetch-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", folder]
        command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", version]
        for abi in (f"cp{version}", "abi3", "none"):
            command += ["--abi", abi]
        for tag in wanted.tags:
            command += ["--platform", tag]
        command += [] if wanted.with_dependencies else ["--no-deps"]
        try:
            ran = subprocess.run(
                [*command, *wanted.packages],
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            found = f"pip did not fetch {' '.join(wanted.packages)} within {_TIMEOUT_SECONDS} s"
            raise DeviceError(device, "packages", found, "Check the connection to the package index.") from None
        if ran.returncode:
            words = " ".join(line.strip() for line in ran.stderr.splitlines()[-_LAST_LINES:] if line.strip())
            found = f"pip found no wheels of {' '.join(wanted.packages)} for {wanted.tags[0]}: {words}"
            next_step = (
                "Install a version of the engine here that has wheels for that machine, or check the connection."
            )
            raise DeviceError(device, "packages", found, next_step)
        found_wheels = sorted(Path(folder).glob("*.whl"))
        return tuple(keep(wheel.name, wheel.read_bytes(), cache) for wheel in found_wheels)


def _package(path: Path, sha256: str) -> Package:
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    return Package(name=path.name, path=path, sha256=sha256, unpacked_bytes=unpacked)


def _archive() -> bytes:
    """The package that stands in for LiteRT, the same bytes at any time."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo("ai_edge_litert/__init__.py", _TIME), _STAND_IN)
        archive.writestr(zipfile.ZipInfo("ai_edge_litert/interpreter.py", _TIME), _STAND_IN_INTERPRETER)
    return stream.getvalue()


def _write(path: Path, content: bytes) -> None:
    """The file appears whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    shutil.move(name, path)
