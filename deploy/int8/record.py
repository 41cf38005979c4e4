"""The full record of an int8 export, as the plain data of `<stem>_int8.condmix.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from condmix.deploy.int8.candidate import LayerRecords
from condmix.deploy.int8.guard import GuardResult
from condmix.deploy.int8.plan import Int8Plan
from condmix.deploy.record import versions
from condmix.deploy.reference_file import ReferenceFile
from condmix.exporters.detection.proof import SuppressionProof
from condmix.exporters.quantize.coverage import BlockRouting, UnexercisedExperts
from condmix.exporters.quantize.drift import RoutingDrift
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.ranges import Ranges
from condmix.exporters.quantize.tflite.options import TfliteInt8Options
from condmix.exporters.records import RewriteStep
from condmix.exporters.verify.records import Verification
from condmix.exporters.verify.rounded import RoundedVerification
from condmix.models.network import LoadedNetwork
from condmix.runtime.artifact import Artifact
from condmix.runtime.audit.report import Audit
from condmix.runtime.output_kind import told_kinds

SCHEMA_VERSION = 1
KIND = "condmix-int8-export"


@dataclass(frozen=True, kw_only=True)
class Int8FileOutcome:
    """One int8 file with all that is known of it. `artifact.path` is where it lies now."""

    artifact: Artifact
    options: OnnxInt8Options | TfliteInt8Options
    layout: str
    layers: LayerRecords
    improvements: tuple[RewriteStep, ...]
    float_layers: frozenset[str]
    """Layers that were put back into float, beside those the options keep."""
    verification: RoundedVerification
    guard: GuardResult | None
    """Accuracy on labelled images, where some were given."""
    drift: tuple[RoutingDrift, ...]
    audit: Audit
    float_size_bytes: int
    """Of the same network's float32 weights."""
    suppression: SuppressionProof | None = None
    """Of a detector's file that suppresses by itself."""

    @property
    def passed(self) -> bool:
        """It computes what it says, agrees with the float network, and the accuracy guard holds."""
        suppresses = self.suppression is None or self.suppression.passed
        return self.verification.passed and suppresses and (self.guard is None or self.guard.met)

    @property
    def size_ratio(self) -> float:
        """Bytes of the file over bytes of float32 weights."""
        return self.artifact.size_bytes / self.float_size_bytes

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON. The file is named as it lies beside the record."""
        options = {**asdict(self.options), "float_layers": sorted(self.options.float_layers)}
        return {
            "artifact": {**self.artifact.to_dict(), "path": self.artifact.path.name},
            "passed": self.passed,
            "options": options,
            "input_layout": self.layout.upper(),
            "layers": [layer.to_dict() for layer in self.layers],
            "improvements": [step.to_dict() for step in self.improvements],
            "put_back_into_float": sorted(self.float_layers),
            "verification": self.verification.to_dict(),
            "accuracy": None if self.guard is None else self.guard.to_dict(),
            "suppression": None if self.suppression is None else self.suppression.to_dict(),
            "routing_drift": [item.to_dict() for item in self.drift],
            "audit": self.audit.to_dict(),
            "float_size_bytes": self.float_size_bytes,
            "size_ratio": round(self.size_ratio, 4),
        }


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What the ranges rest on. routing: of every block over the calibration images."""

    ranges: Ranges
    source: str
    ranges_path: Path | None
    """Where the ranges were saved; None where they came from a file."""
    routing: tuple[BlockRouting, ...]
    unexercised: tuple[UnexercisedExperts, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "method": self.ranges.method,
            "images": self.ranges.image_count,
            "images_sha256": self.ranges.images_sha256,
            "source": self.source,
            "ranges_file": None if self.ranges_path is None else self.ranges_path.name,
            "routing": [item.to_dict() for item in self.routing],
            "unexercised": [item.to_dict() for item in self.unexercised],
        }


@dataclass(frozen=True, kw_only=True)
class Int8Outcome:
    """What an int8 export came to. `shared` proves the float graph that all files were made from.

    reference: None where no file was made.
    """

    plan: Int8Plan
    network: LoadedNetwork
    shared: Verification
    calibration: Calibration | None
    """None for modes that store no activations."""
    equalised: tuple[RewriteStep, ...]
    files: tuple[Int8FileOutcome, ...]
    record_path: Path
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    seconds: Mapping[str, float]
    peak_memory_bytes: int | None
    reference: ReferenceFile | None = None

    @property
    def passed(self) -> bool:
        """The float graph is PyTorch's, and every file passed."""
        return self.shared.passed and all(file.passed for file in self.files)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
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
            "float_verification": self.shared.to_dict(),
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
            "equalised": [step.to_dict() for step in self.equalised],
            "artifacts": [file.to_dict() for file in self.files],
            "reference": None if self.reference is None else self.reference.to_dict(),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "seconds": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
            "peak_memory_bytes": self.peak_memory_bytes,
        }
