"""The sizes of a given graph, for so many images: fixed before anything of it is run, and none beyond reason."""

from __future__ import annotations

import math

import onnx

from condmix.exporters.errors import OnnxInputError
from condmix.exporters.onnx_input.refuse import all_nodes
from condmix.exporters.onnx_input.shapes import LARGEST_INPUT, ImageInput

CONTROL_FLOW = frozenset({"Loop", "Scan", "SequenceMap", "Optional", "OptionalGetElement", "OptionalHasElement"})

LARGEST_VECTOR = 1 << 20
"""Of integers: lists of shapes and indices, whose numbers are followed."""
_INTEGERS = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)


def with_sizes(proto: onnx.ModelProto, taken: ImageInput, images: int) -> onnx.ModelProto:
    """A copy whose input has these numbers as its shape, and whose other shapes are to be found anew."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    wanted = {taken.name: taken.with_images(images)}
    wanted |= {name: (images, *row) for name, row in taken.more.items()}
    for value in copy.graph.input:
        shape = value.type.tensor_type.shape
        del shape.dim[:]
        for length in wanted[value.name]:
            shape.dim.add().dim_value = length
    del copy.graph.value_info[:]
    for output in copy.graph.output:
        # A shape has to be there: one of so many axes of any length.
        for dim in output.type.tensor_type.shape.dim:
            dim.Clear()
    return copy


def require_static(place: str, proto: onnx.ModelProto, taken: ImageInput) -> None:
    """Nothing happens for a graph that can be run safely. Raises OnnxInputError for loops and for huge values."""
    loops = sorted({node.op_type for node in all_nodes(proto.graph) if node.op_type in CONTROL_FLOW})
    if loops:
        text = f"it has control flow ({', '.join(loops)}): export the network with its loops unrolled"
        raise OnnxInputError(place, (("ONNX_CONTROL_FLOW", text),))
    require_small(place, with_sizes(proto, taken, taken.images or 1))


def require_small(place: str, sized: onnx.ModelProto) -> None:
    """Nothing happens for a graph of known sizes with values that can be held. Raises OnnxInputError for others."""
    # Following numbers through integer vectors copies them: first without, so that none of them is huge.
    for follows in (False, True):
        try:
            inferred = onnx.shape_inference.infer_shapes(sized, data_prop=follows)
        except (onnx.shape_inference.InferenceError, ValueError):
            return  # simplification says it in its own words
        for value in (*inferred.graph.value_info, *inferred.graph.output):
            kind, dims = value.type.tensor_type.elem_type, value.type.tensor_type.shape.dim
            elements = math.prod(dim.dim_value for dim in dims if dim.HasField("dim_value"))
            most = LARGEST_VECTOR if kind in _INTEGERS and len(dims) == 1 else LARGEST_INPUT
            if elements > most:
                text = f"its value '{value.name}' would hold {elements} numbers: at most {most} are computed"
                raise OnnxInputError(place, (("ONNX_TOO_LARGE", text),))
