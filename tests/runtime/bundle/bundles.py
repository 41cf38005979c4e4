"""Bundles as they should be, and zip archives as they should not, without any engine."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from condmix.runtime.artifact import Format, Precision
from condmix.runtime.bench.reference import Limit, Reference, reference_content
from condmix.runtime.bundle.manifest import (
    ARTIFACT,
    CARD,
    MANIFEST_NAME,
    RECORD,
    REFERENCE,
    BundleArtifact,
    Manifest,
    Member,
)
from condmix.runtime.bundle.manifest_text import manifest_bytes

NAMES = ("MODEL_CARD.md", "net.condmix.json", "net.onnx", "net.reference.npz")
_ROLES = dict(zip(NAMES, (CARD, RECORD, ARTIFACT, REFERENCE), strict=True))
_TIME = (1980, 1, 1, 0, 0, 0)


def reference_of(inputs: np.ndarray, outputs: np.ndarray) -> Reference:
    """One input `x`, one output `y`, as tests/runtime's linear model has them."""
    return Reference(inputs={"x": inputs}, outputs={"y": outputs}, outputs_are="a plain product", limits={})


def some_reference() -> Reference:
    return reference_of(np.ones((3, 4), np.float32), np.ones((3, 5), np.float32))


def contents(model: bytes = b"a model " * 40, reference: Reference | None = None) -> dict[str, bytes]:
    """All members but the manifest."""
    npz = reference_content(some_reference() if reference is None else reference)
    return dict(zip(NAMES, (b"# net\n" * 50, b'{"kind": "condmix-export"}', model, npz), strict=True))


def member_of(name: str, role: str, content: bytes) -> Member:
    return Member(name=name, role=role, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


def manifest_of(members: Mapping[str, bytes], *, limit: Limit | None = None) -> Manifest:
    return Manifest(
        network="net",
        created="2026-11-22T05:00:00Z",
        condmix_version="0.1.0",
        members=tuple(member_of(name, _ROLES.get(name, RECORD), content) for name, content in members.items()),
        artifacts=(
            BundleArtifact(
                name="net.onnx",
                format=Format.ONNX,
                precision=Precision.FLOAT32,
                reference="net.reference.npz",
                limit=limit or Limit(max_abs_difference=1e-4),
            ),
        ),
    )


def with_manifest(members: Mapping[str, bytes], manifest: Manifest | None = None) -> dict[str, bytes]:
    """The members, the manifest first."""
    return {MANIFEST_NAME: manifest_bytes(manifest or manifest_of(members)), **members}


def manifest_changed(content: bytes, **changes: object) -> bytes:
    """The manifest as JSON with other values at its top."""
    return json.dumps({**json.loads(content), **changes}).encode()


def write_zip(
    path: Path, members: Mapping[str, bytes] | Sequence[tuple[str | zipfile.ZipInfo, bytes]], *, packed: bool = True
) -> Path:
    """An archive with these members, whatever they are; a ZipInfo is taken as it is."""
    pairs = list(members.items()) if isinstance(members, Mapping) else list(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, content in pairs:
            archive.writestr(
                zipfile.ZipInfo(name, _TIME) if isinstance(name, str) else name,
                content,
                zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED,
            )
    return path


def write_folder(path: Path, members: Mapping[str, bytes]) -> Path:
    path.mkdir()
    for name, content in members.items():
        (path / name).write_bytes(content)
    return path


def patch_sizes(path: Path, name: str, *, unpacked: int | None = None, packed: int | None = None) -> None:
    """The archive states other sizes for that member, in its directory and before the member."""
    data = bytearray(path.read_bytes())
    encoded = name.encode()
    for mark, sizes_at, name_at in ((b"PK\x01\x02", 20, 46), (b"PK\x03\x04", 18, 30)):
        place = data.find(mark)
        while place >= 0:
            if data[place + name_at : place + name_at + len(encoded)] == encoded:
                if packed is not None:
                    struct.pack_into("<L", data, place + sizes_at, packed)
                if unpacked is not None:
                    struct.pack_into("<L", data, place + sizes_at + 4, unpacked)
            place = data.find(mark, place + 1)
    path.write_bytes(data)
