"""From a rewritten graph to the content of an ONNX file for this machine. Read it top to bottom.

Mixing is linear, so it commutes with any rearrangement: experts that are stored as the runtime would store the kernel
are mixed into a kernel that it need not touch any more. Batch 1 only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnx import helper, numpy_helper

from condmix.exporters.errors import NotExportableError
from condmix.exporters.finish import IR_VERSION, finish
from condmix.exporters.lower.layer_form import named_layers
from condmix.exporters.machine.index_numbers import NumberRange, StorageMap, read_maps
from condmix.exporters.machine.mixing import Grafts, keeps_order
from condmix.exporters.machine.skeleton import Skeleton, build_skeleton
from condmix.exporters.named.condconv import is_condconv, read_condconv
from condmix.exporters.quantize.parameters import Affine
from condmix.exporters.records import LayerForm, LayerKind, LayerRecord
from condmix.runtime.machine_file import MACHINE_KEY, this_machine
from condmix.runtime.onnx_session import OnnxRuntimeBackend

BLOCKED = "blocked"
BLOCKED_DOMAIN = "com.microsoft.nchwc"
WHY = "mixed in the order in which the runtime stores a constant kernel on this machine"
CHANGED = "ONNX Runtime does not store its kernel as a mere rearrangement"
OUTSIDE = "ONNX Runtime leaves this convolution outside its blocked layout"


@dataclass(frozen=True, kw_only=True, eq=False)
class Grafted:
    """A file for this machine. layers: a record of every CondConv and MixConv, in the order of the graph.

    gates: products with a squeeze-excite gate that stay in the runtime's layout.
    """

    proto: onnx.ModelProto
    layers: tuple[LayerRecord, ...]
    gates: int


def graft(
    model: ir.Model,
    *,
    opset: int,
    forms: Sequence[LayerForm] = (),
    portable: Collection[str] = (),
    mixconv: str = "auto",
    grids: Mapping[str, Affine] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Grafted:
    """A file for this machine and this ONNX Runtime, from a rewritten graph, which is left as it was.

    Every CondConv is `blocked`, except those named in `portable` and those that the runtime does not lay out: they take
    their form of `forms`, else the written rule's, and the record says why. MixConv layers take theirs of `forms`, else
    `mixconv`. grids: routing name -> its 7 bits, to store experts in int8; None for float32 experts.
    Raises NotExportableError for forms that cannot be taken and on a machine that cannot be told from others, and the
    errors of ONNX Runtime.
    """
    machine = this_machine()
    if machine.problem is not None:
        summary = "a file for this machine cannot be written:"
        raise NotExportableError(summary, (machine.problem, "leave out --condconv blocked: the portable file runs"))
    refused: dict[str, str] = {}
    plain_gates: set[str] = set()
    while True:
        skeleton = build_skeleton(
            model,
            portable={*portable, *refused},
            plain_gates=plain_gates,
            forms=forms,
            mixconv=mixconv,
            grids=grids,
        )
        laid_out = optimised(finish(skeleton.model.clone(), opset, {}, check=False))
        maps = read_maps(_ranges(skeleton), _float_constants(laid_out))
        # A layer that becomes portable changes the graph around it, so the others are laid out anew.
        more, gates = _unusable(skeleton, maps, laid_out)
        if not more and not gates:
            break
        refused |= more
        plain_gates |= gates
    refused |= skeleton.refused
    _apply(laid_out, skeleton, maps)
    own = {**(metadata or {}), MACHINE_KEY: machine.text()}
    _finish(laid_out, own)
    layers = _records(model, skeleton, maps, refused)
    return Grafted(proto=laid_out, layers=layers, gates=len(skeleton.gates))


def optimised(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model as ONNX Runtime rewrites it for this machine before it runs it, with all optimisations."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimised.onnx"
        OnnxRuntimeBackend().open(proto.SerializeToString(), threads=1, optimized_path=path)
        return onnx.load(path)


def _ranges(skeleton: Skeleton) -> list[NumberRange]:
    return [*(one.numbers for one in skeleton.weights), *(one.numbers for one in skeleton.gates)]


def _float_constants(proto: onnx.ModelProto) -> Iterator[tuple[str, np.ndarray]]:
    for tensor in proto.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            yield tensor.name, numpy_helper.to_array(tensor)


def _unusable(
    skeleton: Skeleton, maps: Mapping[NumberRange, StorageMap], laid_out: onnx.ModelProto
) -> tuple[dict[str, str], set[str]]:
    """Layers without a use for a computed kernel, by name with the reason; gated products, by their results."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in laid_out.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    refused: dict[str, str] = {}
    for one in skeleton.weights:
        place = maps.get(one.numbers)
        if place is None:
            refused.setdefault(one.owner, CHANGED)
        elif any(node.domain != BLOCKED_DOMAIN for node in readers[place.name]):
            refused.setdefault(one.owner, OUTSIDE)
    gates = set()
    for gate in skeleton.gates:
        place = maps.get(gate.numbers)
        inside = place is not None and all(node.domain == BLOCKED_DOMAIN for node in readers[place.name])
        if not inside or place is None or not keeps_order(place, gate.numbers.count):
            gates.add(gate.owner)
    return refused, gates


def _apply(proto: onnx.ModelProto, skeleton: Skeleton, maps: Mapping[NumberRange, StorageMap]) -> None:
    """Numbered constants become computed ones, each right in front of what reads it: it is then still in the cache."""
    grafts = Grafts()
    for weight in skeleton.weights:
        grafts.add_weight(weight, maps[weight.numbers])
    for gate in skeleton.gates:
        grafts.add_gate(gate, maps[gate.numbers])
    graph = proto.graph
    nodes: list[onnx.NodeProto] = []

    def emit(node: onnx.NodeProto) -> None:
        for name in node.input:
            for own in grafts.nodes.pop(name, ()):
                emit(own)
        nodes.append(node)

    replaced = set(grafts.nodes)
    for node in graph.node:
        emit(node)
    kept = [tensor for tensor in graph.initializer if tensor.name not in replaced]
    outputs = [output for output in graph.output if output.name not in skeleton.outputs]
    constants = [*kept, *grafts.constants]
    proto.graph.CopyFrom(helper.make_graph(nodes, graph.name, list(graph.input), outputs, constants))


def _finish(proto: onnx.ModelProto, metadata: Mapping[str, str]) -> None:
    """What the runtime noted in passing is dropped; what the file says about itself is written."""
    used = {node.domain for node in proto.graph.node} | {""}
    versions = {entry.domain: entry.version for entry in proto.opset_import if entry.domain in used}
    del proto.opset_import[:]
    for domain, version in sorted(versions.items()):
        proto.opset_import.add(domain=domain, version=version)
    del proto.metadata_props[:]
    for key, value in sorted(metadata.items()):
        proto.metadata_props.add(key=key, value=value)
    proto.ir_version = IR_VERSION
    proto.producer_name, proto.producer_version = "condmix", metadata.get("condmix_version", "")
    proto.graph.name = metadata.get("architecture", "") or "condmix"


def _records(
    model: ir.Model, skeleton: Skeleton, maps: Mapping[NumberRange, StorageMap], refused: Mapping[str, str]
) -> tuple[LayerRecord, ...]:
    """Of every layer in the order of the graph: its own for a blocked one, lowering's for the others."""
    stored_bytes: dict[str, int] = {}
    for one in skeleton.weights:
        place = maps[one.numbers]
        each = 4 if one.bank is None else 1
        stored_bytes[one.owner] = stored_bytes.get(one.owner, 0) + each * len(one.rows_en) * place.source.size
    lowered: dict[tuple[LayerKind, str], list[LayerRecord]] = {}
    for record in skeleton.records:
        lowered.setdefault((record.kind, record.path), []).append(record)
    records: list[LayerRecord] = []
    for name, node in named_layers(model.graph):
        if name in stored_bytes:
            records.append(_blocked_record(node, stored_bytes[name], is_int8=any(one.bank for one in skeleton.weights)))
            continue
        kind = LayerKind.COND_CONV if is_condconv(node) else LayerKind.MIX_CONV
        waiting = lowered.get((kind, name.partition("#")[0]), [])
        if waiting:
            record = waiting.pop(0)
            reason = refused.get(name)
            why = record.why if reason is None else f"not `{BLOCKED}`: {reason}; {record.why}"
            records.append(LayerRecord(**{**vars(record), "why": why}))
    return tuple(records)


def _blocked_record(node: ir.Node, weight_bytes: int, *, is_int8: bool) -> LayerRecord:
    layer = read_condconv(node)
    return LayerRecord(
        path=layer.path,
        kind=LayerKind.COND_CONV,
        recognised=True,
        form=BLOCKED,
        why=f"{WHY}; int8 experts with 7 bits of routing" if is_int8 else WHY,
        details=layer.details(),
        multiply_adds=layer.convolution_multiply_adds + layer.mixing_multiply_adds,
        weight_bytes=weight_bytes,
    )
