"""The rows of `make bench-peers`: every file that is measured, who wrote it, what runs it; kept beside the files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from condmix.runtime.bench.subject import LITERT, ONNXRUNTIME

STOCK = "stock, ONNX Runtime"
TWIN = "static twin, ONNX Runtime"
TWIN_LITERT = "static twin, condmix, LiteRT"
OURS = "condmix"
"""Names of our rows begin with it."""
CONVERTER = "litert-torch, LiteRT"
ROWS_FILE = "rows.json"
TWIN_REFERENCE = "twin"
NETWORK_REFERENCE = "network"
FLOAT32, INT8_EXPERTS, INT8 = "float32", "int8 experts", "int8"

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PeerRow:
    """One file.

    engine: `onnxruntime` or `litert`, which run in our environment, else the peer whose environment runs it.
    weights: float32, int8 experts or int8. file: its name beside the rows; None where nobody could write it, and
    `failure` says why. convert_seconds: CPU time of a peer's conversion.
    """

    name: str
    engine: str
    weights: str = FLOAT32
    file: str | None = None
    reference: str = NETWORK_REFERENCE
    failure: str | None = None
    convert_seconds: float | None = None
    is_peer: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs_here(self) -> bool:
        """In our own environment."""
        return self.engine in (ONNXRUNTIME, LITERT)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What the rows are compared with: PyTorch in float64 for some images, and how far its own float32 is from that.

    images_nchw: [K, C, H, W]. expected: [K, classes]. own_error: over the largest output.
    """

    images_nchw: Floats
    expected: Doubles
    own_error: float


def save(folder: Path, rows: list[PeerRow], references: Mapping[str, Reference]) -> None:
    """The rows and the references are in the folder, where their files are."""
    for name, reference in references.items():
        np.savez(
            folder / f"{name}.npz",
            images_nchw=reference.images_nchw,
            expected=reference.expected,
            own_error=reference.own_error,
        )
    (folder / ROWS_FILE).write_text(json.dumps([asdict(row) for row in rows], indent=1))


def load(folder: Path) -> tuple[list[PeerRow], dict[str, Reference]]:
    """What `save` wrote. Raises FileNotFoundError where it did not."""
    rows = [PeerRow(**row) for row in json.loads((folder / ROWS_FILE).read_text())]
    references = {}
    for name in dict.fromkeys(row.reference for row in rows):
        with np.load(folder / f"{name}.npz") as data:
            references[name] = Reference(
                images_nchw=data["images_nchw"], expected=data["expected"], own_error=float(data["own_error"])
            )
    return rows, references
