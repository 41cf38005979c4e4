"""In what arithmetic ONNX Runtime computes a node, and how many multiply-adds that takes.

The runtime's own operators are those of its CPU provider: ContribOperators.md (com.microsoft) and the blocked ones
of com.microsoft.nchwc, which keep the shapes of Conv but round channels up to whole blocks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from condmix.runtime.audit.onnx_file import OnnxNode
from condmix.runtime.audit.onnx_run import OnnxRun
from condmix.runtime.audit.vocabulary import Arithmetic, Role

BLOCKED = "com.microsoft.nchwc"
QUANTIZERS = frozenset({"QuantizeLinear", "DynamicQuantizeLinear"})
BOUNDARIES = {**dict.fromkeys(QUANTIZERS, Role.QUANTIZE), "DequantizeLinear": Role.DEQUANTIZE}
MOVEMENTS = frozenset(
    {
        "Compress", "ConstantOfShape", "Concat", "DepthToSpace", "Expand", "Flatten", "Gather",
        "GatherElements", "GatherND", "Identity", "Pad", "ReorderInput", "ReorderOutput", "Reshape",
        "ReverseSequence", "ScatterElements", "ScatterND", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile",
        "Transpose", "Unsqueeze",
    }
)  # fmt: skip
SHAPES_ONLY = frozenset({"Shape", "Size", "Constant", "NonZero", "Range", "Loop", "If", "Scan"})
INTEGER_PRODUCTS = frozenset(
    {"ConvInteger", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QGemm", "QAttention"}
)
CONVOLUTIONS = {
    **dict.fromkeys(("Conv", "FusedConv", "NhwcFusedConv", "ConvInteger"), 1),
    **dict.fromkeys(("QLinearConv",), 3),
}
"""operator -> which input is the kernel [outputs, inputs of a group, *kernel]."""
MATRIX_PRODUCTS = frozenset(
    {
        "MatMul", "FusedMatMul", "TransposeMatMul", "FusedMatMulActivation", "Gemm", "FusedGemm", "QGemm",
        "QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul",
    }
)  # fmt: skip
UNCOUNTED = frozenset(
    {
        "Attention", "BiasAttention", "DecoderMaskedMultiHeadAttention", "DeformConv", "DynamicQuantizeLSTM",
        "Einsum", "GRU", "GroupQueryAttention", "LSTM", "MoE", "MultiHeadAttention", "PackedAttention",
        "QAttention", "QMoE", "RNN",
    }
)  # fmt: skip
"""Operators that multiply and add in a number that is not told by one output and one kernel."""
_FLOATS = frozenset({"float", "float16", "bfloat16", "double"})
_BYTES = frozenset({"int8", "uint8"})


def dtype_of(run: OnnxRun, name: str) -> str | None:
    """The element type of a value, None when nothing tells it."""
    return run.types[name][0] if name in run.types else None


def arithmetic_of(run: OnnxRun, node: OnnxNode) -> Arithmetic:
    """What the node computes in."""
    if node.op_type in BOUNDARIES:
        return Arithmetic.BOUNDARY
    if node.op_type in SHAPES_ONLY or node.holds_graphs:
        return Arithmetic.OTHER
    if node.op_type in INTEGER_PRODUCTS or node.op_type.startswith("QLinear"):
        on_the_fly = node.op_type == "DynamicQuantizeMatMul" or _quantized_on_the_fly(run, node.inputs[0])
        return Arithmetic.INT8_ON_THE_FLY if on_the_fly else Arithmetic.INT8
    if node.op_type == "MatMulNBits":
        # Level 4 of its attribute is int8: the input is quantised block by block at each run.
        level = node.attributes.get("accuracy_level", 0)
        return Arithmetic.INT8_ON_THE_FLY if level == 4 else Arithmetic.FLOAT
    dtypes = {dtype_of(run, name) for name in (*node.inputs, *node.outputs) if name}
    if node.op_type in MOVEMENTS:
        return Arithmetic.MOVEMENT
    if node.op_type == "Cast":
        crosses = "int32" in dtypes and bool(dtypes & _FLOATS) and node.inputs[0] not in run.graph.constants
        return Arithmetic.BOUNDARY if crosses else Arithmetic.MOVEMENT
    computed = {dtype_of(run, name) for name in node.inputs if name and name not in run.graph.constants}
    if (computed or dtypes) & _FLOATS:
        return Arithmetic.FLOAT
    return Arithmetic.INT8 if computed & _BYTES else Arithmetic.OTHER


def multiply_adds_of(run: OnnxRun, place: int, *, kernel_in_file: Sequence[int] | None = None) -> int | None:
    """Of all executions of the node in one run; None for an operator that multiplies in a number nobody told.

    kernel_in_file: [outputs, inputs of a group, *kernel] of a blocked convolution, which itself has more channels.
    """
    node = run.graph.nodes[place]
    if not run.calls[place]:
        return 0
    if node.op_type in UNCOUNTED:
        return None
    shapes = [_shape(run, name) for name in node.inputs]
    output = _shape(run, node.outputs[0]) if node.outputs else None
    each: int | None = 0
    if node.op_type in CONVOLUTIONS:
        kernel = shapes[CONVOLUTIONS[node.op_type]]
        if kernel_in_file is not None and output is not None:
            kernel, output = tuple(kernel_in_file), (output[0], kernel_in_file[0], *output[2:])
        each = None if output is None or kernel is None else math.prod(output) * math.prod(kernel[1:])
    elif node.op_type == "ConvTranspose":
        each = None if shapes[0] is None or shapes[1] is None else math.prod(shapes[0]) * math.prod(shapes[1][1:])
    elif node.op_type == "MatMulNBits":
        each = None if output is None else math.prod(output) * int(node.attributes.get("K", 0))
    elif node.op_type in MATRIX_PRODUCTS:
        each = None if output is None or not shapes[0] else math.prod(output) * _depth(node, shapes[0])
    return each if each is None else each * run.calls[place]


def _depth(node: OnnxNode, left: Sequence[int]) -> int:
    transposed = bool(node.attributes.get("transA", 0)) and len(left) > 1
    return left[-2] if transposed else left[-1]


def _shape(run: OnnxRun, name: str) -> tuple[int, ...] | None:
    return run.types[name][1] if name in run.types else None


def _quantized_on_the_fly(run: OnnxRun, name: str) -> bool:
    """The value comes from DynamicQuantizeLinear, perhaps moved on the way."""
    seen = set()
    while name in run.graph.writer and name not in seen:
        seen.add(name)
        node = run.graph.nodes[run.graph.writer[name]]
        if node.op_type == "DynamicQuantizeLinear":
            return True
        if node.op_type not in MOVEMENTS:
            return False
        name = node.inputs[0]
    return False
