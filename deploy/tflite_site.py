"""Where the packages of tflite-runtime lie, which needs a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def default_site(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder in the user's cache (XDG_CACHE_HOME, else ~/.cache); nothing is looked at or made."""
    found = environment.get("XDG_CACHE_HOME", "")
    # The specification of that variable says to ignore a relative path.
    cache = Path(found) if Path(found).is_absolute() else Path.home() / ".cache"
    return cache / "condmix" / "tflite-runtime-2.14"
