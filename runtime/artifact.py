"""What a model file is: its format, precision, hash, size, signature and where it came from."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import cast

from condmix.runtime.errors import (
    InvalidRecordError,
    InvalidSettingError,
    ModelUnreadableError,
    describe_place,
)
from condmix.runtime.records import SCHEMA_VERSION_KEY, read_fields
from condmix.runtime.signature import Signature

SCHEMA_VERSION = 1
_CHUNK_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Format(StrEnum):
    """The container of a model."""

    ONNX = "onnx"
    TFLITE = "tflite"


class Precision(StrEnum):
    """The arithmetic a file asks its engine for."""

    FLOAT32 = "float32"
    INT8 = "int8"


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A model file as it was when it was described.

    path: as given, so a record in a bundle can hold a path relative to the bundle.
    sha256: of the bytes of this one file; weights kept in a second file (ONNX external data) are not in it.
    parent_sha256: the file or checkpoint it was made from, None for a first one.
    produced_by: the step that wrote it, with its version.
    """

    format: Format
    precision: Precision
    path: Path
    sha256: str
    size_bytes: int
    signature: Signature
    parent_sha256: str | None
    produced_by: str

    def __post_init__(self) -> None:
        problems = []
        for name, digits in (("sha256", self.sha256), ("parent_sha256", self.parent_sha256)):
            if digits is not None and not _SHA256.fullmatch(digits):
                problems.append(f"{name} must be 64 lowercase hexadecimal digits, found {digits!r}")
        if self.parent_sha256 == self.sha256:
            problems.append("parent_sha256 equals sha256: a file is not its own parent")
        if self.size_bytes < 1:
            problems.append(f"size_bytes must be at least 1, found {self.size_bytes}")
        if not self.produced_by:
            problems.append("produced_by is empty: name the step that wrote the file")
        if problems:
            raise InvalidSettingError(problems, record="Artifact")

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            SCHEMA_VERSION_KEY: SCHEMA_VERSION,
            "format": str(self.format),
            "precision": str(self.precision),
            "path": self.path.as_posix(),
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "signature": self.signature.to_dict(),
            "parent_sha256": self.parent_sha256,
            "produced_by": self.produced_by,
        }

    @classmethod
    def from_dict(cls, data: object) -> Artifact:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        fields: dict[str, type | tuple[type, ...]] = {
            "format": str,
            "precision": str,
            "path": str,
            "sha256": str,
            "size_bytes": int,
            "signature": dict,
            "parent_sha256": (str, type(None)),
            "produced_by": str,
        }
        values = read_fields(data, record="Artifact", fields=fields, schema_version=SCHEMA_VERSION)
        problems = [
            f"{key!r} must be one of {', '.join(map(repr, map(str, choices)))}, found {values[key]!r}"
            for key, choices in (("format", Format), ("precision", Precision))
            if values[key] not in {str(choice) for choice in choices}
        ]
        if problems:
            raise InvalidRecordError(problems, record="Artifact")
        return cls(
            format=Format(cast(str, values["format"])),
            precision=Precision(cast(str, values["precision"])),
            path=Path(cast(str, values["path"])),
            sha256=cast(str, values["sha256"]),
            size_bytes=cast(int, values["size_bytes"]),
            signature=Signature.from_dict(values["signature"]),
            parent_sha256=cast("str | None", values["parent_sha256"]),
            produced_by=cast(str, values["produced_by"]),
        )


def describe_file(
    path: Path,
    *,
    format: Format,
    precision: Precision,
    signature: Signature,
    parent_sha256: str | None,
    produced_by: str,
) -> Artifact:
    """The Artifact of the file at `path`, its hash and size read from one pass over the bytes.

    Raises ModelUnreadableError when the file is missing, empty or not a file.
    """
    digest = hashlib.sha256()
    size_bytes = 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        next_step = "Give the path of a readable file."
        raise ModelUnreadableError(describe_place(path), reason, next_step) from error
    if size_bytes == 0:
        raise ModelUnreadableError(describe_place(path), "the file is empty", "Write it again.")
    return Artifact(
        format=format,
        precision=precision,
        path=path,
        sha256=digest.hexdigest(),
        size_bytes=size_bytes,
        signature=signature,
        parent_sha256=parent_sha256,
        produced_by=produced_by,
    )
