"""Measurements that were made before: a file that may be lost, shared or damaged, and is never in the way."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from condmix.deploy.atomic import pending_files
from condmix.deploy.errors import OutputError
from condmix.exporters.errors import TuningDataError
from condmix.exporters.tune.measured import TimedRun
from condmix.runtime.errors import InvalidRecordError

SCHEMA_VERSION = 1
KIND = "condmix-tune-cache"


def default_cache() -> Path:
    """Of this user: in XDG_CACHE_HOME, else in ~/.cache."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(named) if named.startswith("/") else Path.home() / ".cache"
    return base / "condmix" / "tune" / "measurements.json"


def cache_key(facts: Mapping[str, object]) -> str:
    """The same for the same facts: whatever a measurement depends on belongs to them."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


class TuneCache:
    """The runs in the file at `path`. notes: what a user should know of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.notes: list[str] = []
        self._runs = self._read(tell=True)

    def get(self, key: str) -> TimedRun | None:
        """The run, None where it has to be measured; an entry that cannot be read is one of those."""
        entry = self._runs.get(key)
        if entry is None:
            return None
        try:
            return TimedRun.from_dict(entry)
        except (InvalidRecordError, TuningDataError) as error:
            self._tell(f"{self._path}: a damaged measurement is made again: {' '.join(str(error).split())}")
            return None

    def put(self, key: str, run: TimedRun) -> None:
        """The run is in the file, beside what another process may have written there meanwhile."""
        self._runs = {**self._runs, **self._read(tell=False), key: run.to_dict()}
        data = {"schema_version": SCHEMA_VERSION, "kind": KIND, "runs": self._runs}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with pending_files(overwrite=True) as files:
                files.write(self._path, json.dumps(data, indent=1).encode())
                files.commit()
        except (OSError, OutputError) as error:
            self._tell(f"measurements are not kept: {' '.join(str(error).split())}")

    def _read(self, *, tell: bool) -> dict[str, object]:
        try:
            data = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())
        else:
            if isinstance(data, dict) and data.get("kind") == KIND and data.get("schema_version") == SCHEMA_VERSION:
                runs = data.get("runs")
                if isinstance(runs, dict):
                    return runs
            reason = "it is not a cache of this version"
        if tell:
            self._tell(f"{self._path}: cannot be read, everything is measured again: {reason}")
        return {}

    def _tell(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)
