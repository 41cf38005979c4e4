"""What is in a file: the layers of a weights file as exported, or what an exported file says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.loading import Loading
from condmix.deploy.neighbour_record import record_of
from condmix.exporters.options import ExportOptions
from condmix.exporters.records import LayerRecord, RewriteStep

SCHEMA_VERSION = 1
OUR_KEY = "condmix_version"
NOT_OURS = "not written by condmix: it carries no metadata of ours"


@dataclass(frozen=True, kw_only=True)
class WeightsInspection:
    """A weights file: its network, and each CondConv and MixConv in the form an export would give it."""

    file: Path
    architecture: str
    settings: Mapping[str, object]
    input_size: tuple[int, int, int]
    options: ExportOptions
    layers: tuple[LayerRecord, ...]
    steps: tuple[RewriteStep, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "condmix-inspection-weights",
            "file": str(self.file),
            "architecture": self.architecture,
            "settings": dict(self.settings),
            "input_size": list(self.input_size),
            "batch": "dynamic" if self.options.batch is None else self.options.batch,
            "layers": [layer.to_dict() for layer in self.layers],
            "totals": {
                "multiply_adds": sum(layer.multiply_adds for layer in self.layers),
                "weight_bytes": sum(layer.weight_bytes for layer in self.layers),
            },
            "steps": [step.to_dict() for step in self.steps],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, kw_only=True)
class OnnxInspection:
    """An ONNX file. `record` is the entry of this very file in the record beside it, None without one."""

    file: Path
    sha256: str
    size_bytes: int
    ir_version: int
    opsets: Mapping[str, int]
    inputs: Mapping[str, tuple[int | str, ...]]
    outputs: Mapping[str, tuple[int | str, ...]]
    operators: Mapping[str, int]
    metadata: Mapping[str, str]
    record: Mapping[str, object] | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "condmix-inspection-onnx",
            "file": str(self.file),
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "ir_version": self.ir_version,
            "opsets": dict(self.opsets),
            "inputs": {name: list(shape) for name, shape in self.inputs.items()},
            "outputs": {name: list(shape) for name, shape in self.outputs.items()},
            "operators": dict(self.operators),
            "metadata": dict(self.metadata),
            "record": None if self.record is None else dict(self.record),
            "notes": list(self.notes),
        }


def inspect_weights(
    loading: Loading, options: ExportOptions, report_progress: Callable[[str], None]
) -> WeightsInspection:
    """The network captured, recognised, rewritten and lowered, without verification; nothing is written.

    Raises the errors of loading and building.
    """
    from condmix.deploy.source import open_source
    from condmix.exporters.build import build_from

    source = open_source(loading, report_progress)
    network = source.network
    built = build_from(source.captured, options, {}, report_progress)
    return WeightsInspection(
        file=loading.model,
        architecture=network.architecture,
        settings=network.settings,
        input_size=network.input_size,
        options=options,
        layers=built.layers,
        steps=built.steps,
        notes=network.notes,
    )


def inspect_onnx(path: Path) -> OnnxInspection:
    """What the ONNX file holds and says. Raises UnreadableFileError."""
    import hashlib

    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        content = path.read_bytes()
        proto = onnx.load_model_from_string(content)
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}. Give the path of an .onnx file."
        raise UnreadableFileError(message) from error
    except DecodeError as error:
        raise UnreadableFileError(_not_onnx(path, len(content))) from error
    if not proto.graph.node or not proto.opset_import:
        raise UnreadableFileError(_not_onnx(path, len(content)))
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    sha256 = hashlib.sha256(content).hexdigest()
    record, notes = record_of(path, sha256)
    if OUR_KEY not in metadata:
        notes = (*notes, NOT_OURS)
    operators = Counter(f"{node.domain}.{node.op_type}".lstrip(".") for node in proto.graph.node)
    return OnnxInspection(
        file=path,
        sha256=sha256,
        size_bytes=len(content),
        ir_version=proto.ir_version,
        opsets={entry.domain or "ai.onnx": entry.version for entry in proto.opset_import},
        inputs={value.name: _shape(value) for value in proto.graph.input},
        outputs={value.name: _shape(value) for value in proto.graph.output},
        operators=dict(operators.most_common()),
        metadata=metadata,
        record=record,
        notes=notes,
    )


def _not_onnx(path: Path, size_bytes: int) -> str:
    return f"{path}: is not a whole ONNX file ({size_bytes} bytes): copy it again, or export it again."


def _shape(value: object) -> tuple[int | str, ...]:
    dimensions = value.type.tensor_type.shape.dim  # type: ignore[attr-defined]  # protobuf classes are made at run time
    return tuple(dim.dim_param or int(dim.dim_value) for dim in dimensions)
