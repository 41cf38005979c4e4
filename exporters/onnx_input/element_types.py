"""One kind of floating-point number in a whole model: float32 for the export, float64 for its yardstick.

Files with float16, bfloat16 or float64 weights state a network whose function is the same real function; an export
computes it in float32 and says so.
"""

from __future__ import annotations

from collections.abc import Iterable

import ml_dtypes
import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, numpy_helper

FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
_TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_dtype"})


def float_types(proto: onnx.ModelProto) -> frozenset[str]:
    """The floating-point types of the weights, inputs and casts of a model: float32, float16, bfloat16, float64."""
    found = {tensor.data_type for tensor in proto.graph.initializer}
    found |= {value.type.tensor_type.elem_type for value in (*proto.graph.input, *proto.graph.output)}
    for node in proto.graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                found.add(attribute.t.data_type)
            elif attribute.name in _TYPE_ATTRIBUTES and node.op_type == "Cast":
                found.add(attribute.i)
    names = {TensorProto.FLOAT: "float32", TensorProto.DOUBLE: "float64"}
    names |= {TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}
    return frozenset(name for kind, name in names.items() if kind in found)


def with_floats(proto: onnx.ModelProto, wanted: int) -> onnx.ModelProto:
    """A copy whose floating-point tensors are all of type `wanted` (TensorProto.FLOAT or DOUBLE)."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    _convert_graph(copy.graph, wanted)
    return copy


def _convert_graph(graph: onnx.GraphProto, wanted: int) -> None:
    for tensor in graph.initializer:
        _convert_tensor(tensor, wanted)
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type in FLOATS:
            value.type.tensor_type.elem_type = wanted
    for node in graph.node:
        _convert_attributes(node, wanted)


def _convert_attributes(node: onnx.NodeProto, wanted: int) -> None:
    if node.op_type == "ConstantOfShape" and not node.attribute:
        node.attribute.append(onnx.helper.make_attribute("value", numpy_helper.from_array(np.zeros(1, np.float32))))
    if node.op_type == "Constant" and node.attribute and node.attribute[0].name in ("value_float", "value_floats"):
        attribute = node.attribute[0]
        number = attribute.f if attribute.name == "value_float" else list(attribute.floats)
        del node.attribute[:]
        tensor = numpy_helper.from_array(np.asarray(number, dtype=np.float32))
        node.attribute.append(onnx.helper.make_attribute("value", tensor))
    for attribute in node.attribute:
        if attribute.type == AttributeProto.TENSOR:
            _convert_tensor(attribute.t, wanted)
        elif attribute.type == AttributeProto.INT and attribute.name in _TYPE_ATTRIBUTES:
            if attribute.i in FLOATS:
                attribute.i = wanted
        elif attribute.type == AttributeProto.GRAPH:
            _convert_graph(attribute.g, wanted)


def _convert_tensor(tensor: TensorProto, wanted: int) -> None:
    if tensor.data_type not in FLOATS or tensor.data_type == wanted:
        return
    array = numpy_helper.to_array(tensor)
    name = tensor.name
    converted = array.astype(np.float64 if wanted == TensorProto.DOUBLE else np.float32)
    tensor.CopyFrom(numpy_helper.from_array(converted, name))


def is_finite(tensors: Iterable[TensorProto]) -> list[str]:
    """The names of floating-point tensors that hold NaN or infinity."""
    found = []
    for tensor in tensors:
        if tensor.data_type in FLOATS:
            array = numpy_helper.to_array(tensor)
            if array.dtype == ml_dtypes.bfloat16:
                array = array.astype(np.float32)
            if not np.isfinite(array).all():
                found.append(tensor.name or "a constant")
    return found
