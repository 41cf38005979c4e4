"""What a TFLite file holds and says, and how much of it LiteRT's delegate takes."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.inspection import NOT_OURS
from condmix.deploy.neighbour_record import record_of

if TYPE_CHECKING:
    from condmix.runtime.delegate_coverage import DelegateCoverage

SCHEMA_VERSION = 1
OUR_ENTRY = "condmix"
"""The name under which the writer keeps our metadata; repeated here, for the writer is heavy to import."""


@dataclass(frozen=True, kw_only=True)
class TfliteInspection:
    """A TFLite file. `record` is the entry of this very file in the record beside it, None without one."""

    file: Path
    sha256: str
    size_bytes: int
    inputs: Mapping[str, tuple[int | str, ...]]
    outputs: Mapping[str, tuple[int | str, ...]]
    operators: Mapping[str, int]
    coverage: DelegateCoverage
    metadata: Mapping[str, str]
    record: Mapping[str, object] | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "condmix-inspection-tflite",
            "file": str(self.file),
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "inputs": {name: list(shape) for name, shape in self.inputs.items()},
            "outputs": {name: list(shape) for name, shape in self.outputs.items()},
            "operators": dict(self.operators),
            "delegate_coverage": self.coverage.to_dict(),
            "metadata": dict(self.metadata),
            "record": None if self.record is None else dict(self.record),
            "notes": list(self.notes),
        }


def inspect_tflite(path: Path) -> TfliteInspection:
    """What the TFLite file holds and says. Raises UnreadableFileError, ModelUnreadableError, EngineMissingError."""
    from condmix.runtime.delegate_coverage import coverage
    from condmix.runtime.litert_session import LiteRtBackend

    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}. Give the path of a .tflite file."
        raise UnreadableFileError(message) from error
    session = LiteRtBackend().open(path, threads=1)
    sha256 = hashlib.sha256(content).hexdigest()
    record, notes = record_of(path, sha256)
    metadata = tflite_metadata(content)
    operators = Counter(node.operator for node in session.nodes() if not node.is_delegate)
    return TfliteInspection(
        file=path,
        sha256=sha256,
        size_bytes=len(content),
        inputs={spec.name: spec.shape for spec in session.signature.inputs},
        outputs={spec.name: spec.shape for spec in session.signature.outputs},
        operators=dict(operators.most_common()),
        coverage=coverage(session),
        metadata=metadata,
        record=record,
        notes=notes if metadata else (*notes, NOT_OURS),
    )


def tflite_metadata(content: bytes) -> Mapping[str, str]:
    """What the file says of itself, read from our metadata entry; empty for a file of somebody else.

    content: a file that LiteRT has opened. LiteRT's own bindings of the format do the reading.
    """
    bindings = importlib.import_module("ai_edge_litert.schema_py_generated")
    model = bindings.Model.GetRootAs(content, 0)
    for place in range(model.MetadataLength()):
        entry = model.Metadata(place)
        if entry.Name() == OUR_ENTRY.encode():
            data = model.Buffers(entry.Buffer()).DataAsNumpy()
            try:
                found = json.loads(bytes(data))
            except (TypeError, ValueError):
                return {}
            return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
    return {}
