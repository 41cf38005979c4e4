"""A graph as text: one line a node with its name, operator and output shape. The form in which goldens are kept."""

from __future__ import annotations

import difflib

import onnx


def listing(proto: onnx.ModelProto) -> str:
    """One line a node, in the order of the graph: `<name>  <operator>  <shape of each output>`.

    A shape is `[1, 8, 12, 12]`; an axis is a number, a name such as `batch`, or `?` where inference knows nothing.
    """
    shapes = _shapes(proto)
    rows = [
        (node.name, node.op_type, " ".join(shapes.get(name, "?") for name in node.output if name))
        for node in proto.graph.node
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    lines = [f"{name:<{widths[0]}}  {operator:<{widths[1]}}  {shape}" for name, operator, shape in rows]
    return "".join(f"{line}\n" for line in lines)


def _shapes(proto: onnx.ModelProto) -> dict[str, str]:
    graph = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True).graph
    return {
        value.name: _shape(value.type.tensor_type.shape)
        for value in (*graph.value_info, *graph.output)
        if value.type.tensor_type.HasField("shape")
    }


def _shape(shape: onnx.TensorShapeProto) -> str:
    """Names that shape inference made up are not ours and may change: they count as unknown."""
    axes = [str(axis.dim_value) if axis.HasField("dim_value") else axis.dim_param or "?" for axis in shape.dim]
    return "[" + ", ".join("?" if axis.startswith("unk__") else axis for axis in axes) + "]"


def differences(found: str, expected: str) -> list[str]:
    """The lines that were lost (-) and that are new (+), as in a unified difference; none where the texts are equal."""
    lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), lineterm="", n=0)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]
