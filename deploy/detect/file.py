"""A detector that can be asked: an exported file with what it says of itself, or a checkpoint that PyTorch runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from condmix.deploy.detect.reading import OutputReader
from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.evaluate.intake import intake_of, metadata_of
from condmix.deploy.int8.candidate import as_run
from condmix.deploy.network_input import NetworkInput
from condmix.runtime.artifact import Format
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend

CHECKPOINTS = (".pt", ".pth")
FORMATS = {".onnx": Format.ONNX, ".tflite": Format.TFLITE}
_CHUNK = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectorFile:
    """Runs images (count, channels, height, width) and reads what comes out. kind: in a word, for tables."""

    path: Path
    kind: str
    intake: NetworkInput
    reader: OutputReader
    run: Callable[[np.ndarray], Mapping[str, np.ndarray]]

    @property
    def is_rounded(self) -> bool:
        """Whether it computes in int8."""
        return self.kind == "int8"


def open_detector(path: Path) -> DetectorFile:
    """The detector in a .onnx, .tflite or checkpoint file. Raises UnreadableFileError for one that does not say how its
    outputs are read, ModelUnreadableError, and subclasses of ModelError."""
    if path.suffix.lower() in CHECKPOINTS:
        return _checkpoint(path)
    if path.suffix.lower() not in FORMATS:
        message = f"{path}: expected a detector as .onnx, .tflite, {' or '.join(CHECKPOINTS)}"
        raise UnreadableFileError(message)
    format = FORMATS[path.suffix.lower()]
    if format is Format.ONNX:
        session, scales = OnnxRuntimeBackend().open(path, threads=1), {}
    else:
        litert = LiteRtBackend().open(path, threads=1)
        session, scales = litert, litert.end_scales()  # type: ignore[assignment]
    metadata, _ = metadata_of(path, format)
    facts = _facts(path, metadata)
    intake = intake_of(metadata, session.signature)
    if isinstance(intake, str):
        message = f"{path}: {intake}"
        raise UnreadableFileError(message)
    return DetectorFile(
        path=path,
        kind="int8" if metadata.get("precision") == "int8" else "float32",
        intake=intake,
        reader=OutputReader.of(facts),
        run=as_run(session, metadata.get("input_layout", "NCHW").lower(), scales),
    )


def _facts(path: Path, metadata: Mapping[str, str]) -> Mapping[str, object]:
    try:
        found = json.loads(metadata.get("detection", "null"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        message = (
            f"{path}: does not say how its outputs are read as boxes (metadata `detection`): expected a detector "
            "exported by condmix; see docs/detection.md"
        )
        raise UnreadableFileError(message)
    return found


def _checkpoint(path: Path) -> DetectorFile:
    from condmix.deploy.loading import Loading, load_network
    from condmix.models.box_coding import GivesAnchors

    network = load_network(Loading(model=path))
    module = network.module
    if not isinstance(module, GivesAnchors):
        message = f"{path}: {network.architecture} is no detector whose anchors are known"
        raise UnreadableFileError(message)

    def run(images_nchw: np.ndarray) -> Mapping[str, np.ndarray]:
        import torch

        rows = []
        for first in range(0, len(images_nchw), _CHUNK):
            with torch.no_grad():
                rows.append(module(torch.from_numpy(images_nchw[first : first + _CHUNK])))
        return {name: np.concatenate([row[name].numpy() for row in rows]) for name in rows[0]}

    anchors = module.anchors(*network.input_size[1:])
    return DetectorFile(path=path, kind="PyTorch", intake=network, reader=OutputReader(anchors=anchors), run=run)
