"""A Python for phones: Debian's loader, C library and interpreter in one archive that runs from any folder."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from condmix.deploy.devices.errors import DeviceError

START = "python"
"""The program of the unpacked folder: a shell script, so that no loader is needed where the system looks for one."""
CHECK = "check.py"
PYTHON_VERSION = (3, 11)
_LISTING = "FILES"
_STANDARD_LIBRARY = "lib/python3.11"


@dataclass(frozen=True, kw_only=True)
class PhoneKind:
    """What a phone of one kind of CPU runs. debian: the architecture's name there."""

    debian: str
    triplet: str
    loader: str


KINDS = MappingProxyType(
    {
        "aarch64": PhoneKind(debian="arm64", triplet="aarch64-linux-gnu", loader="ld-linux-aarch64.so.1"),
        # Android's emulator on a PC.
        "x86_64": PhoneKind(debian="amd64", triplet="x86_64-linux-gnu", loader="ld-linux-x86-64.so.2"),
    }
)
"""uname -m -> kind."""

# What CPython's own modules and the engines are linked with. libssl is left out: nothing here speaks TLS.
LIBRARIES = (
    "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1", "libresolv.so.2",
    "libgcc_s.so.1", "libstdc++.so.6", "libz.so.1", "libexpat.so.1", "libbz2.so.1.0", "liblzma.so.5", "libffi.so.8",
    "libuuid.so.1",
)  # fmt: skip
_LEFT_OUT = frozenset({
    "test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "pydoc_data", "distutils", "__pycache__",
    "sitecustomize.py", "turtle.py",
})  # fmt: skip
_LEFT_OUT_MODULES = ("_ssl", "_hashlib", "_tkinter", "_sqlite3", "readline", "_curses", "_dbm", "_gdbm", "_test", "_xx")

# --argv0: Python takes this script for its own program, so the processes that it starts find a loader as well.
_START_SCRIPT = """#!/system/bin/sh
here=${0%/*}
: "${TMPDIR:=/data/local/tmp}"
export TMPDIR PYTHONUTF8=1
unset LD_LIBRARY_PATH LD_PRELOAD PYTHONHOME
exec "$here/@LOADER@" --argv0 "$0" --library-path "$here/lib" "$here/bin/python3.11" "$@"
"""
_CHECK_SCRIPT = '''"""Exit code 0 when every file beside this one is what FILES says, 1 and what is wrong otherwise."""
import hashlib, os, sys
here = os.path.dirname(os.path.abspath(__file__))
wrong = []
with open(os.path.join(here, "FILES"), encoding="utf-8") as listing:
    for line in listing:
        digest, _, name = line.rstrip("\\n").partition("  ")
        try:
            with open(os.path.join(here, name), "rb") as stream:
                if hashlib.sha256(stream.read()).hexdigest() != digest:
                    wrong.append(name + " has another content")
        except OSError as error:
            wrong.append(name + ": " + str(error.strerror))
sys.stderr.write("; ".join(wrong[:3]))
sys.exit(1 if wrong else 0)
'''


@dataclass(frozen=True, kw_only=True)
class PhonePython:
    """The archive, a tar file, and what it takes when unpacked. key: of its content, under which a phone keeps it."""

    path: Path
    sha256: str
    unpacked_bytes: int
    kind: str

    @property
    def key(self) -> str:
        """Short, for a folder's name."""
        return self.sha256[:16]


def build_phone_python(root: Path, machine: str, target: Path, *, device: str) -> PhonePython:
    """The archive lies at `target`; the same root gives the same bytes.

    root: a Debian 12 system of that machine's architecture with python3.11, unpacked and never started.
    Raises DeviceError naming every part that the root does not have.
    """
    kind = KINDS[machine]
    files = dict(_sources(root, kind, device))
    content = {name: path.read_bytes() for name, path in files.items()}
    content[START] = _START_SCRIPT.replace("@LOADER@", kind.loader).encode()
    content[CHECK] = _CHECK_SCRIPT.encode()
    listing = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(content.items()))
    content[_LISTING] = listing.encode()
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(content.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o755 if name in (START, kind.loader, "bin/python3.11") else 0o644
            archive.addfile(entry, io.BytesIO(data))
    partial.replace(target)
    return read_phone_python(target, machine)


def read_phone_python(path: Path, machine: str) -> PhonePython:
    """An archive that was built before. Raises OSError, tarfile.TarError."""
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    with tarfile.open(path) as archive:
        unpacked = sum(entry.size for entry in archive.getmembers())
    return PhonePython(path=path, sha256=sha256, unpacked_bytes=unpacked, kind=machine)


def _sources(root: Path, kind: PhoneKind, device: str) -> Iterator[tuple[str, Path]]:
    """(name in the archive, file), links followed within the root."""
    missing = []
    wanted = {kind.loader: kind.loader, **{f"lib/{name}": name for name in LIBRARIES}}
    folders = [root / part / kind.triplet for part in ("usr/lib", "lib")]
    for name, library in wanted.items():
        found = next((path for folder in folders if (path := _real(root, folder / library)) is not None), None)
        if found is None:
            missing.append(library)
        else:
            yield name, found
    interpreter = _real(root, root / "usr/bin/python3.11")
    library_folder = root / "usr" / _STANDARD_LIBRARY
    if interpreter is None or not library_folder.is_dir():
        missing.append("python3.11")
    else:
        yield "bin/python3.11", interpreter
        yield from _standard_library(root, library_folder)
    if missing:
        found_text = f"the Debian system for it lacks {', '.join(missing)}"
        raise DeviceError(device, "packages", found_text, "Remove that folder, so that it is made again.")


def _standard_library(root: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        first = relative.parts[0]
        if first in _LEFT_OUT or "__pycache__" in relative.parts or first.startswith("config-"):
            continue
        if first == "lib-dynload" and path.name.startswith(_LEFT_OUT_MODULES):
            continue
        real = _real(root, path)
        if real is not None:
            yield str(PurePosixPath(_STANDARD_LIBRARY, *relative.parts)), real


def _real(root: Path, path: Path) -> Path | None:
    """The file behind links, whose absolute targets are meant within the root; None where there is no file."""
    for _ in range(8):
        if not path.is_symlink():
            return path if path.is_file() else None
        target = path.readlink()
        path = root / target.relative_to("/") if target.is_absolute() else path.parent / target
    return None
