"""From the operator set of the capture to the one asked for."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from condmix.exporters.captured import CAPTURE_OPSET
from condmix.exporters.errors import NotExportableError
from condmix.exporters.graph.facts import MODULE_KEY, constant_ints, module_path
from condmix.exporters.graph.splice import remove_unused

_AXES_BECAME_AN_INPUT = (
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
)
_NEW_OF_RESIZE = frozenset({"antialias", "axes", "keep_aspect_ratio_policy"})
_UNCHANGED_FROM_17 = frozenset(
    {
        "Abs", "Add", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Constant", "ConstantOfShape",
        "Conv", "ConvTranspose", "DepthToSpace", "Div", "Elu", "Erf", "Exp", "Expand", "Flatten", "Gather", "Gemm",
        "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization",
        "LayerNormalization", "LeakyRelu", "MatMul", "Max", "MaxPool", "Min", "Mul", "Neg", "PRelu", "Pow",
        "Reciprocal", "ReduceSum", "Relu", "Reshape", "Shape", "Sigmoid", "Slice", "Softmax", "Softplus", "Sqrt",
        "Squeeze", "Sub", "Sum", "Tanh", "Transpose", "Unsqueeze", "Where",
    }
)  # fmt: skip
"""Operators whose meaning at opset 17 is that of opset 18 (ONNX operator changelog)."""


def convert_opset(model: ir.Model, opset: int) -> ir.Model:
    """Return the model for `opset`; older and newer ones than the capture's are both possible.

    Raises NotExportableError naming every operator that has no equal in that operator set.
    """
    current = model.opset_imports[""]
    if opset == current:
        return model
    if opset > current:
        return _to_newer(model, opset)
    if current != CAPTURE_OPSET or opset != CAPTURE_OPSET - 1:
        summary = f"opset {opset} is too old for this graph (opset {current}):"
        raise NotExportableError(summary, ("choose --opset 17 or newer",))
    _to_17(model)
    return model


def _to_newer(model: ir.Model, opset: int) -> ir.Model:
    """By ONNX's own converter, which drops the metadata of nodes: they get their module back by their outputs."""
    paths = {output.name: module_path(node) for node in model.graph for output in node.outputs}
    converted = ir.from_proto(onnx.version_converter.convert_version(ir.to_proto(model), opset))
    for node in converted.graph:
        path = paths.get(node.outputs[0].name)
        if path:
            node.metadata_props[MODULE_KEY] = path
    return converted


def _to_17(model: ir.Model) -> None:
    """The operators that changed between 17 and 18 go back to their older form."""
    problems: list[str] = []
    for node in model.graph:
        if node.domain:
            continue
        if node.op_type in _AXES_BECAME_AN_INPUT:
            axes = constant_ints(node.inputs[1]) if len(node.inputs) > 1 else ()
            if axes is None:
                problems.append(_problem(node, "its axes are computed"))
                continue
            node.resize_inputs(1)
            if axes:
                node.attributes["axes"] = ir.AttrInt64s("axes", axes)
            node.attributes.pop("noop_with_empty_axes", None)
        elif node.op_type == "Split":
            if node.attributes.pop("num_outputs", None) is not None and len(node.inputs) < 2:
                problems.append(_problem(node, "its parts have no explicit sizes"))
        elif node.op_type == "Pad":
            _pad_to_17(node, problems)
        elif node.op_type == "Resize" and not _NEW_OF_RESIZE & node.attributes.keys():
            continue
        elif node.op_type not in _UNCHANGED_FROM_17:
            problems.append(_problem(node, "no rule says whether opset 17 has an equal"))
    if problems:
        summary = "opset 17 is too old for these operators; choose --opset 18:"
        raise NotExportableError(summary, tuple(problems))
    model.opset_imports[""] = 17
    remove_unused(model.graph)


def _pad_to_17(node: ir.Node, problems: list[str]) -> None:
    """Pad without an axes input: the amounts of all axes, in order."""
    if len(node.inputs) < 4 or node.inputs[3] is None:
        return
    axes, amounts = constant_ints(node.inputs[3]), constant_ints(node.inputs[1])
    shape = node.outputs[0].shape
    if axes is None or amounts is None or shape is None or node.graph is None:
        problems.append(_problem(node, "its axes are computed"))
        return
    rank = len(shape)
    full = [0] * (2 * rank)
    for position, axis in enumerate(axes):
        full[axis % rank] = amounts[position]
        full[rank + axis % rank] = amounts[position + len(axes)]
    value = ir.Value(
        name=f"{node.outputs[0].name}/pads",
        shape=ir.Shape([2 * rank]),
        type=ir.TensorType(ir.DataType.INT64),
        const_value=ir.tensor(np.asarray(full, dtype=np.int64)),
    )
    assert isinstance(node.graph, ir.Graph)
    node.graph.register_initializer(value)
    node.replace_input_with(1, value)
    node.resize_inputs(3)


def _problem(node: ir.Node, reason: str) -> str:
    return f"{module_path(node) or 'network'}: {node.op_type} '{node.name}': {reason}"
