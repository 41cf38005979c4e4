"""The single-file runner: condmix.runtime in one archive that Python runs, for a device with numpy and an engine."""

from __future__ import annotations

import importlib.resources
import io
import zipfile
from importlib.resources.abc import Traversable
from pathlib import Path

from condmix.deploy.metadata import condmix_version

_SHEBANG = b"#!/usr/bin/env python3\n"
_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip file knows: the same content has the same bytes
_START, _MAIN = "runner_start.py", "runner_main.py"


def runner_content() -> bytes:
    """The archive, the same for the same sources. `python ARCHIVE --help` says what it takes."""
    own = importlib.resources.files("condmix.deploy.measure")
    files = _sources(importlib.resources.files("condmix.runtime"), "condmix/runtime")
    # Its packages are regular ones: an installed condmix, where there is one, has no part in it.
    files |= {f"{name}/__init__.py": b"" for name in ("condmix", "condmix/deploy", "condmix/deploy/measure")}
    files[f"condmix/deploy/measure/{_MAIN}"] = own.joinpath(_MAIN).read_bytes()
    files["__main__.py"] = own.joinpath(_START).read_bytes()
    # So that the archive knows its own version, as an installed package does.
    version = condmix_version()
    files[f"condmix-{version}.dist-info/METADATA"] = (
        f"Metadata-Version: 2.1\nName: condmix\nVersion: {version}\n".encode()
    )
    stream = io.BytesIO(_SHEBANG)
    stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return stream.getvalue()


def write_runner(path: Path) -> None:
    """The runner lies at `path` and can be executed. Raises OSError."""
    path.write_bytes(runner_content())
    path.chmod(path.stat().st_mode | 0o111)


def _sources(folder: Traversable, name: str) -> dict[str, bytes]:
    """Every Python file below a folder of a package, by its path in the archive."""
    found: dict[str, bytes] = {}
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            found |= _sources(entry, f"{name}/{entry.name}")
        elif entry.name.endswith(".py"):
            found[f"{name}/{entry.name}"] = entry.read_bytes()
    return found
