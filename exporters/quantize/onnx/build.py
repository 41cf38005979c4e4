"""From a prepared graph and its ranges to an int8 ONNX file's content. Read it top to bottom."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import onnx_ir as ir

from condmix.exporters.build import Prepared, ReportProgress
from condmix.exporters.finish import finish
from condmix.exporters.quantize.onnx.any_size import OtherSizes, free_float_graph, read_shapes_of_integers
from condmix.exporters.quantize.onnx.bank_only import build_bank_graph
from condmix.exporters.quantize.onnx.float_graph import FloatGraph, build_float_graph
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.onnx.plan import Plan, Role
from condmix.exporters.quantize.onnx.qoperator import fuse
from condmix.exporters.quantize.onnx.records import Int8Build, Int8Layer
from condmix.exporters.quantize.onnx.round_graph import round_graph
from condmix.exporters.quantize.parameters import Affine
from condmix.exporters.quantize.ranges import Ranges

STYLE_KEY = "condmix_int8"
SHORT_NAMES = {"QuantizeLinear": "q", "DequantizeLinear": "dq"}
"""Most nodes are one of these, and tell nothing that their values do not."""


def build_int8(
    prepared: Prepared,
    ranges: Ranges,
    options: OnnxInt8Options,
    metadata: Mapping[str, str],
    report_progress: ReportProgress,
    *,
    others: OtherSizes | None = None,
) -> Int8Build:
    """The int8 file's content, the float graph it was made from, and one record a layer with weights.

    The prepared graph is left as it was: several calls with other options, or more layers in float, may follow.
    others: the network at other sizes, for a file that takes any height and width.
    Raises NotExportableError (CondConv at a batch other than one, an operator set without an equal) and
    CalibrationError (a value without a range).
    """
    report_progress("lower for int8")
    if options.experts == "weights":
        return _bank_only(prepared, ranges, options, metadata)
    floats = build_float_graph(prepared, options)
    float_proto = finish(floats.model.clone(), options.opset, {**metadata, "condmix_stage": "float for int8"})
    if others is not None:
        free_float_graph(floats, prepared, options, others)
        metadata = {**metadata, **others.metadata}
    plan = _plan(floats, options)
    report_progress("write int8")
    rounded = round_graph(floats, plan, ranges, options)
    read_shapes_of_integers(rounded.model)
    if options.style == "qoperator":
        fuse(rounded.model)
    return Int8Build(
        proto=_finished(rounded.model, options, metadata, {**rounded.inputs, **rounded.outputs}),
        float_proto=float_proto,
        layers=_records(floats, plan, rounded.weight_bytes),
        inputs=rounded.inputs,
        outputs=rounded.outputs,
    )


def _plan(floats: FloatGraph, options: OnnxInt8Options) -> Plan:
    return Plan(floats, options.float_layers, integer_ends=options.io_dtype != "float32")


def _bank_only(prepared: Prepared, ranges: Ranges, options: OnnxInt8Options, metadata: Mapping[str, str]) -> Int8Build:
    exact = build_bank_graph(prepared, ranges, options, rounded=False)
    banks = build_bank_graph(prepared, ranges, options, rounded=True)
    if options.style == "qoperator":
        fuse(banks.model)
    return Int8Build(
        proto=_finished(banks.model, options, metadata, {}),
        float_proto=finish(exact.model, options.opset, {**metadata, "condmix_stage": "float for int8"}),
        layers=banks.layers,
    )


def _finished(
    model: ir.Model, options: OnnxInt8Options, metadata: Mapping[str, str], ends: Mapping[str, Affine]
) -> onnx.ModelProto:
    """Checked, with what is needed to run it written into its metadata."""
    own = {STYLE_KEY: f"style={options.style} target={options.target} experts={options.experts}"}
    for name, affine in ends.items():
        own[f"{STYLE_KEY}.{name}"] = f"scale={affine.scale!r} zero_point={affine.zero_point}"
    proto = finish(model, options.opset, {**metadata, **own, "condmix_stage": "int8"})
    # Runtimes infer the types of inner values; written down they are a tenth of a small file.
    del proto.graph.value_info[:]
    for place, node in enumerate(proto.graph.node):
        if node.op_type in SHORT_NAMES:
            node.name = f"{SHORT_NAMES[node.op_type]}{place}"
    return proto


def _records(floats: FloatGraph, plan: Plan, weight_bytes: Mapping[str, int]) -> tuple[Int8Layer, ...]:
    nodes: dict[str, list[ir.Node]] = {}
    for node in floats.model.graph:
        owner = floats.owners.get(node.outputs[0].name or "")
        if owner is not None:
            nodes.setdefault(owner, []).append(node)
    records: list[Int8Layer] = []
    for layer in floats.layers.values():
        own = nodes.get(layer.output_name, [])
        int8 = bool(own) and all(plan.role(node) is Role.PRODUCT for node in own)
        why = layer.form_why if int8 else "; ".join(dict.fromkeys(plan.why_float(node) for node in own))
        records.append(
            Int8Layer(
                path=layer.path,
                output_name=layer.output_name,
                kind=layer.kind,
                int8=int8,
                form=layer.form,
                why=why or "int8 weights a channel, int8 activations",
                multiply_adds=layer.multiply_adds,
                weight_bytes=sum(weight_bytes.get(node.outputs[0].name or "", 0) for node in own),
            )
        )
    return tuple(records)
