"""The record beside an exported file: what the export said of these very bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from condmix.deploy.output_names import records_beside

Entry = Mapping[str, object]


def record_of(path: Path, sha256: str) -> tuple[Entry | None, tuple[str, ...]]:
    """The record's entry for the file at `path`, if one beside it has one, and else why there is none."""
    notes: list[str] = []
    for beside in records_beside(path):
        try:
            record = json.loads(beside.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            notes.append(f"the record beside it, {beside.name}, cannot be read: {error}")
            continue
        for entry in _entries(record):
            if _sha256(entry) == sha256:
                return entry, ()
        notes.append(f"the record beside it, {beside.name}, is of another file (sha256 differs): it is left out")
    if not notes:
        notes.append(f"there is no record beside it ({records_beside(path)[0].name}): layers are not known")
    return None, tuple(notes)


def _entries(record: object) -> Iterable[Entry]:
    artifacts = record.get("artifacts") if isinstance(record, dict) else None
    return [entry for entry in artifacts if isinstance(entry, dict)] if isinstance(artifacts, list) else []


def _sha256(entry: Entry) -> object:
    artifact = entry.get("artifact")
    return artifact.get("sha256") if isinstance(artifact, dict) else None
