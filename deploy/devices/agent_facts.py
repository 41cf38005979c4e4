"""What a machine says of itself; sent to the device as a part of the agent, so for Python 3.7 and without condmix."""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Optional  # noqa: UP035 - for Python 3.7

_PYTHONS = ("python3.13", "python3.12", "python3.11")
_INTERPRETER_FACTS = (
    "import json,platform,struct,sys\n"
    "try:\n import numpy\n found = numpy.__version__\n"
    "except Exception:\n found = None\n"
    "print(json.dumps([list(sys.version_info[:3]), platform.python_implementation(), 8 * struct.calcsize('P'),"
    " list(platform.libc_ver()), found]))"
)


def facts(base: Path) -> Dict[str, Any]:  # noqa: UP006 - for Python 3.7
    """What decides whether and how this machine can run models; nothing is changed."""
    place = next(folder for folder in (base, *base.parents) if folder.exists())
    named = [sys.executable] if (3, 11) <= sys.version_info[:2] <= (3, 13) else []
    found = next((one for one in (*named, *map(shutil.which, _PYTHONS)) if one), sys.executable)
    ran = subprocess.run([found, "-c", _INTERPRETER_FACTS], stdout=subprocess.PIPE, check=False).stdout
    version, implementation, bits, libc, numpy = json.loads(ran.decode() or "[[0, 0, 0], null, 0, [null, null], null]")
    return {
        "machine": platform.machine(),
        "bits": bits,
        "system": f"{platform.system()} {platform.release()}",
        "kernel_machine": _read_text("/proc/sys/kernel/arch"),
        "model": _read_text("/proc/device-tree/model"),
        "python": found,
        "python_version": version,
        "implementation": implementation,
        "libc": libc[0] or "",
        "libc_version": libc[1] or "",
        "numpy": numpy,
        "free_bytes": shutil.disk_usage(str(place)).free,
        "clock": time.time(),
        "folder": str(base),
    }


def _read_text(path: str) -> Optional[str]:  # noqa: UP045 - for Python 3.7
    with contextlib.suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0\n ") or None
    return None
