"""Finished shards on the disk, a file each: written whole or not at all, and taken again only if they still fit."""

from __future__ import annotations

import json
from pathlib import Path

from condmix.deploy.atomic import pending_files
from condmix.deploy.errors import OutputError
from condmix.deploy.evaluate.shard import Shard
from condmix.deploy.json_text import to_json
from condmix.runtime.errors import InferenceError

SUFFIX = ".shard.json"


class StateFolder:
    """The shards in one folder. damaged: files that were found and could not be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged = 0

    def make(self) -> None:
        """The folder is there. Raises OutputError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(self.folder, error) from error

    def load(self, key: str, count: int) -> Shard | None:
        """The shard of that key with `count` images; None where there is none, or none that is whole."""
        path = self._path(key)
        try:
            found = Shard.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, InferenceError, RecursionError):
            # Cut off, changed, of another version: whatever it is, measuring again mends it.
            self.damaged += 1
            return None
        if found.key != key or len(found.rows) != count:
            self.damaged += 1
            return None
        return found

    def store(self, shard: Shard) -> None:
        """The shard lies under its final name. Raises OutputError."""
        with pending_files(overwrite=True) as files:
            files.write(self._path(shard.key), to_json(shard.to_dict()).encode())
            files.commit()

    def count(self) -> int:
        """Files of shards in the folder, sound or not."""
        return sum(1 for _ in self.folder.glob(f"*{SUFFIX}")) if self.folder.is_dir() else 0

    def clear(self) -> None:
        """No shard is left; the folder is gone if nothing else is in it. Raises OutputError."""
        try:
            for path in self.folder.glob(f"*{SUFFIX}"):
                path.unlink(missing_ok=True)
            if self.folder.is_dir() and not any(self.folder.iterdir()):
                self.folder.rmdir()
        except OSError as error:
            raise OutputError(self.folder, error) from error

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"
