"""The full record of an export, as the plain data of `<stem>.condmix.json`."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from condmix.deploy.plan import Plan
from condmix.deploy.reference_file import ReferenceFile
from condmix.deploy.second_runtime import SecondOpinion
from condmix.deploy.tune.record import Tuned
from condmix.exporters.detection.proof import SuppressionProof
from condmix.exporters.options import ExportOptions
from condmix.exporters.records import LayerRecord, RewriteStep
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.verify.records import Verification
from condmix.models.network import LoadedNetwork
from condmix.runtime.artifact import Artifact
from condmix.runtime.output_kind import told_kinds

SCHEMA_VERSION = 2
KIND = "condmix-export"
_PACKAGES = (
    "condmix",
    "torch",
    "onnx",
    "onnxruntime",
    "ai-edge-litert",
    "onnx-ir",
    "onnxscript",
    "onnxsim",
    "flatbuffers",
    "numpy",
    "timm",
)


@dataclass(frozen=True, kw_only=True)
class FileOutcome:
    """One file of an export and its proof. `artifact.path` is where it lies now."""

    artifact: Artifact
    options: ExportOptions | TfliteOptions
    opset: int | None
    """Of an ONNX file."""
    layers: tuple[LayerRecord, ...]
    steps: tuple[RewriteStep, ...]
    verification: Verification
    second_runtime: SecondOpinion | None = None
    """Of a TFLite file."""
    suppression: SuppressionProof | None = None
    """Of a detector's ONNX file with suppression inside."""

    @property
    def passed(self) -> bool:
        """The file computes what PyTorch computes; otherwise it has its rejected name."""
        return self.verification.passed and (self.suppression is None or self.suppression.passed)

    @property
    def layout(self) -> str:
        """Of the input images: NCHW or NHWC."""
        return self.options.layout.upper() if isinstance(self.options, TfliteOptions) else "NCHW"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON. The file is named as it lies beside the record."""
        return {
            "artifact": {**self.artifact.to_dict(), "path": self.artifact.path.name},
            "passed": self.passed,
            "options": asdict(self.options),
            "opset": self.opset,
            "input_layout": self.layout,
            "layers": [layer.to_dict() for layer in self.layers],
            "steps": [step.to_dict() for step in self.steps],
            "verification": self.verification.to_dict(),
            "second_runtime": None if self.second_runtime is None else self.second_runtime.to_dict(),
            "suppression": None if self.suppression is None else self.suppression.to_dict(),
        }


@dataclass(frozen=True, kw_only=True)
class ExportOutcome:
    """What an export came to: at least one file, each with its proof. `record_path` is where the record lies.

    reference: None where PyTorch's results are not finite.
    """

    plan: Plan
    network: LoadedNetwork
    files: tuple[FileOutcome, ...]
    record_path: Path
    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    peak_memory_bytes: int | None
    reference: ReferenceFile | None = None
    tuned: Tuned | None = None

    @property
    def passed(self) -> bool:
        """Every file computes what PyTorch computes."""
        return all(file.passed for file in self.files)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`. Version 1 had one file, its facts at the top level."""
        plan, network = self.plan, self.network
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "passed": self.passed,
            "command_line": list(plan.command_line),
            "versions": dict(versions()),
            "source": {
                "file": None if network.source is None else str(network.source),
                "sha256": network.source_sha256,
            },
            "architecture": network.architecture,
            "settings": dict(network.settings),
            "input_size": list(network.input_size),
            "preprocessing": network.preprocessing.to_dict(),
            "class_names": None if network.class_names is None else list(network.class_names),
            **({"output_kinds": kinds} if (kinds := told_kinds(network.output_kinds)) else {}),
            "detection": network.detection,
            "artifacts": [file.to_dict() for file in self.files],
            "reference": None if self.reference is None else self.reference.to_dict(),
            "tuning": None if self.tuned is None else self.tuned.to_dict(),
            "notes": list(self.notes),
            "seconds": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
            "peak_memory_bytes": self.peak_memory_bytes,
        }


def versions() -> Mapping[str, str]:
    """Python and the packages that shape the file, those that are installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return MappingProxyType(found)
