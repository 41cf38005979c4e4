"""The record of the export that made a file, and what it says that a bundle tells on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from condmix.deploy.output_names import records_beside

KINDS = ("condmix-export", "condmix-int8-export")
Plain = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceRecord:
    """A record as it lies on the disk. content: its bytes. data: the same, read."""

    path: Path
    content: bytes
    data: Plain

    def entry(self, sha256: str) -> Plain | None:
        """What it says of the file with that hash; None when it is of others."""
        for one in self._entries():
            if mapping(one.get("artifact")).get("sha256") == sha256:
                return one
        return None

    def lists(self, name: str) -> bool:
        """It is about a file of that name, whatever its bytes."""
        return any(mapping(one.get("artifact")).get("path") == name for one in self._entries())

    @property
    def source_sha256(self) -> str | None:
        """Of the weights that were exported."""
        return text(mapping(self.data.get("source")).get("sha256"))

    @property
    def source_name(self) -> str | None:
        """The name of the weights file, without its folder."""
        name = text(mapping(self.data.get("source")).get("file"))
        return None if name is None else Path(name).name

    @property
    def architecture(self) -> str | None:
        """Of the network."""
        return text(self.data.get("architecture"))

    @property
    def reference(self) -> tuple[Path, str] | None:
        """Where its reference should lie, and the hash it should have."""
        about = mapping(self.data.get("reference"))
        name, sha256 = text(about.get("path")), text(about.get("sha256"))
        return None if name is None or sha256 is None else (self.path.with_name(Path(name).name), sha256)

    def _entries(self) -> list[Plain]:
        return [mapping(one) for one in items(self.data.get("artifacts"))]


def record_for(model: Path, sha256: str) -> tuple[SourceRecord | None, str | None]:
    """The record beside the model that knows these very bytes; else None, and why, where one beside it is of this
    name but of other bytes or cannot be read."""
    problem = None
    for beside in records_beside(model):
        try:
            content = beside.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            problem = f"{beside}: the record cannot be read: {error.strerror}"
            continue
        try:
            data = json.loads(content)
        except ValueError as error:
            problem = f"{beside}: the record is not JSON: {error}"
            continue
        if not isinstance(data, dict) or data.get("kind") not in KINDS:
            problem = f"{beside}: it is not the record of an export"
            continue
        record = SourceRecord(path=beside, content=content, data=data)
        if record.entry(sha256) is not None:
            return record, None
        if record.lists(model.name):
            problem = f"{model}: it is not the file that {beside.name} was written with (its SHA-256 differs)"
    return None, problem


def sha256_of(content: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def mapping(value: object) -> Plain:
    """The value where it is a mapping, else an empty one: records of other versions may lack anything."""
    return cast(Plain, value) if isinstance(value, Mapping) else {}


def items(value: object) -> list[object]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str | None:
    """The value where it is a text, else None."""
    return value if isinstance(value, str) else None
