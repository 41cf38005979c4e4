"""Packages on the device: unpacked whole, and found out when they no longer are; part of the agent, for Python 3.7."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Dict  # noqa: UP035 - for Python 3.7

_SIZES = ".condmix-sizes.json"


def unpack_whole(archive: Path, folder: Path) -> None:
    """The folder has all files of the archive and a list of their sizes, on the disk. Raises BadZipFile, OSError."""
    with zipfile.ZipFile(str(archive)) as content:
        content.extractall(str(folder))
    files = [path for path in folder.rglob("*") if path.is_file()]
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in files}
    (folder / _SIZES).write_text(json.dumps(sizes), encoding="utf-8")
    os.sync()  # a device that loses its power now has all of it, or is told by the sizes


def is_whole(folder: Path) -> bool:
    """Every file has the size that it was unpacked with; what Python compiled since does not count."""
    try:
        sizes: Dict[str, int] = json.loads((folder / _SIZES).read_text(encoding="utf-8"))  # noqa: UP006
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False
