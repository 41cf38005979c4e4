"""The full record of an export, as the plain data of `<stem>.condmix.json`."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from condmix.deploy.plan import Plan
from condmix.exporters.records import LayerRecord, RewriteStep
from condmix.exporters.verify.records import Verification
from condmix.models.network import LoadedNetwork
from condmix.runtime.artifact import Artifact

SCHEMA_VERSION = 1
KIND = "condmix-export"
_PACKAGES = ("condmix", "torch", "onnx", "onnxruntime", "onnx-ir", "onnxscript", "onnxsim", "numpy", "timm")


@dataclass(frozen=True, kw_only=True)
class ExportOutcome:
    """What an export came to. `artifact.path` and `record_path` are where its two files lie now."""

    plan: Plan
    network: LoadedNetwork
    artifact: Artifact
    record_path: Path
    opset: int
    layers: tuple[LayerRecord, ...]
    steps: tuple[RewriteStep, ...]
    verification: Verification
    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    peak_memory_bytes: int | None

    @property
    def passed(self) -> bool:
        """The file computes what PyTorch computes; otherwise it has its rejected name."""
        return self.verification.passed

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`. The file is named as it lies beside the record."""
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
            "options": asdict(plan.options),
            "opset": self.opset,
            "artifact": {**self.artifact.to_dict(), "path": self.artifact.path.name},
            "layers": [layer.to_dict() for layer in self.layers],
            "steps": [step.to_dict() for step in self.steps],
            "verification": self.verification.to_dict(),
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


def to_json(record: Mapping[str, object]) -> str:
    """The record as text that a person can read too; what JSON has no name for is an error, not a NaN."""
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
