"""A shard: one file on one range of images. Its key holds what the result depends on; its record proves it whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from condmix.deploy.evaluate.image_rows import ImageRows
from condmix.deploy.evaluate.job import EvalFile, EvalJob, LabelledImage
from condmix.deploy.evaluate.model_source import THREADS
from condmix.deploy.evaluate.versions import ALWAYS, ENGINE_PACKAGES
from condmix.runtime.errors import InvalidRecordError
from condmix.runtime.records import read_fields

SCHEMA_VERSION = 1
KIND = "condmix-eval-shard"
_RECORD = "Shard"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """The result of one shard. machine: the CPU that computed it."""

    key: str
    rows: ImageRows
    machine: str

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version` and a hash over the result."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "key": self.key,
            "sha256": self._digest(),
            "machine": self.machine,
            "rows": self.rows.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: object) -> Shard:
        """The record written by `to_dict`. Raises InvalidRecordError, also where the hash is another one."""
        wanted: dict[str, type | tuple[type, ...]] = {
            "kind": str,
            "key": str,
            "sha256": str,
            "machine": str,
            "rows": dict,
        }
        values = read_fields(data, record=_RECORD, fields=wanted, schema_version=SCHEMA_VERSION)
        if values["kind"] != KIND:
            raise InvalidRecordError([f"'kind' must be {KIND!r}, found {values['kind']!r}"], record=_RECORD)
        rows = ImageRows.from_dict(values["rows"])
        found = cls(key=cast(str, values["key"]), rows=rows, machine=cast(str, values["machine"]))
        if found._digest() != values["sha256"]:
            raise InvalidRecordError(["'sha256' is not that of the rows: the file is damaged"], record=_RECORD)
        return found

    def _digest(self) -> str:
        return digest_of({"key": self.key, "machine": self.machine, "rows": self.rows.to_dict()})


def shard_key(job: EvalJob, place: int, images: Sequence[LabelledImage]) -> str:
    """64 hexadecimal digits that are others as soon as the result could be another one.

    It holds the file, the yardstick, their engines with version, preprocessing and batch, the images with their labels,
    and the versions of what computes besides. Names and paths are not in it.
    """
    yardstick = None if place == job.yardstick else _facts(job, job.files[job.yardstick])
    return digest_of(
        {
            "schema_version": SCHEMA_VERSION,
            "file": _facts(job, job.files[place]),
            "yardstick": yardstick,
            "images": [[image.sha256, image.label] for image in images],
            "threads": THREADS,
            "versions": {name: job.versions.get(name) for name in ALWAYS},
        }
    )


def digest_of(data: Mapping[str, object]) -> str:
    """Of plain data, whatever the order of its keys."""
    text = json.dumps(data, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _facts(job: EvalJob, file: EvalFile) -> dict[str, object]:
    return {
        "sha256": file.source.content_sha256,
        "engine": file.engine,
        "engine_version": job.versions.get(ENGINE_PACKAGES[file.source.format]),
        "batch": file.batch,
        "class_count": file.class_count,
        **file.intake.facts(),
    }
