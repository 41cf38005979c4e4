"""Why ONNX Runtime computes a node in float: what stands around it in the graph that runs, and in the file.

The runtime makes one integer operator of DequantizeLinear - operator - QuantizeLinear, for some operators and only
when all operands fit (its selectors in core/optimizer/qdq_transformer). What it did not fuse still has both beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from condmix.runtime.audit.onnx_arithmetic import CONVOLUTIONS, MATRIX_PRODUCTS, MOVEMENTS, dtype_of
from condmix.runtime.audit.onnx_file import OnnxNode
from condmix.runtime.audit.onnx_names import Origins
from condmix.runtime.audit.onnx_run import OnnxRun
from condmix.runtime.audit.vocabulary import ADVICE, Reason

FUSABLE = frozenset(
    {
        "Add", "ArgMax", "AveragePool", "Conv", "Gemm", "GlobalAveragePool", "LeakyRelu", "MatMul", "Mul",
        "ReduceMean", "Sigmoid", "Softmax", "Where",
    }
)  # fmt: skip
"""Operators of which the CPU provider has an integer form; what only moves values runs on integers as it is."""
_DEQUANTIZE = "DequantizeLinear"
_QUANTIZE = "QuantizeLinear"


@dataclass(frozen=True, kw_only=True)
class WhyFloat:
    """The reason, what exactly stands in the way (may be empty), and what to do."""

    reason: Reason
    detail: str
    advice: str


def why_float(run: OnnxRun, node: OnnxNode, origins: Origins) -> WhyFloat:
    """Why this node, which runs in float, does so."""
    operands = [name for name in node.inputs if name]
    weights = _weights(run, node)
    computed = [name for name in operands if name not in run.graph.constants and name not in weights]
    from_integers = bool(computed) and all(_is_dequantized(run, name) for name in computed)
    to_integers = _is_quantized(run, node)
    if node.op_type == "MatMulNBits":
        return _why(Reason.WEIGHTS_ONLY, "it unpacks them to multiply in float")
    if from_integers and to_integers:
        if node.op_type not in FUSABLE:
            return _why(Reason.NO_INTEGER_KERNEL)
        return _not_fused(run, node, computed, weights)
    if from_integers or to_integers:
        if node.op_type not in FUSABLE:
            return _why(Reason.NO_INTEGER_KERNEL)
        open_side = "its output is not quantised" if from_integers else "not all of its inputs are quantised"
        return _why(Reason.ONE_SIDE_ONLY, open_side)
    if weights or _weights_in_file(run, node, origins):
        return _why(Reason.WEIGHTS_ONLY)
    return _why(Reason.NOT_QUANTIZED)


def _not_fused(run: OnnxRun, node: OnnxNode, computed: Sequence[str], weights: Sequence[str]) -> WhyFloat:
    """Operands that do not fit, as the runtime's selectors see them."""
    is_product = node.op_type in CONVOLUTIONS or node.op_type in MATRIX_PRODUCTS
    # Kernels have a type of their own; all other operands share one.
    before = _integers_before(run, computed if is_product else [*computed, *weights])
    after = _integers_after(run, node)
    wide = sorted({dtype for dtype in before | after if dtype not in ("int8", "uint8")})
    if wide:
        return _why(Reason.NOT_FUSED, f"its operands are {', '.join(wide)}", "quantise to 8 bits")
    if before != after:
        detail = f"it reads {' and '.join(sorted(before))} and writes {' and '.join(sorted(after))}"
        advice = "write all activations in one type: uint8 (quantize_static: activation_type=QuantType.QUInt8)"
        return _why(Reason.NOT_FUSED, detail, advice)
    if any(moved for _, moved in (_dequantizer(run, name) for name in computed)):
        detail = "something that moves values stands between it and its dequantisation"
        return _why(Reason.NOT_FUSED, detail, "move the quantise/dequantise pair beside the operator")
    floats = [name for name in node.inputs[1:] if name and name in run.graph.constants]
    if floats:
        what = "bias" if node.op_type == "Conv" and node.inputs[2:] == tuple(floats) else "constant operand"
        return _why(Reason.NOT_FUSED, f"its {what} is float", f"quantise the {what} as well")
    if len(_readers(run, node.outputs[0])) > 1 or node.outputs[0] in run.graph.outputs:
        return _why(Reason.NOT_FUSED, "its float output is read elsewhere too", "quantise it once for all readers")
    types = sorted({_integer_type(run, name) for name in weights} - {"int32"})
    return _why(Reason.NOT_FUSED, f"its weights are {', '.join(types)}" if types and types != ["int8"] else "")


def _why(reason: Reason, detail: str = "", advice: str | None = None) -> WhyFloat:
    return WhyFloat(reason=reason, detail=detail, advice=ADVICE[reason] if advice is None else advice)


def _weights(run: OnnxRun, node: OnnxNode) -> list[str]:
    """Operands that are constants dequantised at each run."""
    found = []
    for name in node.inputs:
        source = _writer(run, name)
        if source is not None and source.op_type == _DEQUANTIZE and source.inputs[0] in run.graph.constants:
            found.append(name)
    return found


def _weights_in_file(run: OnnxRun, node: OnnxNode, origins: Origins) -> bool:
    """The file stores the kernel as integers and the runtime has unpacked it while loading."""
    if node.op_type not in CONVOLUTIONS and node.op_type not in MATRIX_PRODUCTS:
        return False
    origin = origins.origin(node)
    return origin is not None and any(
        origins.is_dequantized_constant(name) for name in origin.inputs[1:2] if name not in run.graph.writer
    )


def _writer(run: OnnxRun, name: str) -> OnnxNode | None:
    return run.graph.nodes[run.graph.writer[name]] if name in run.graph.writer else None


def _readers(run: OnnxRun, name: str) -> list[OnnxNode]:
    return [node for node in run.graph.nodes if name in node.inputs]


def _dequantizer(run: OnnxRun, name: str) -> tuple[OnnxNode | None, bool]:
    """The dequantisation that a value comes from, and whether it was moved on the way."""
    node, moved = _writer(run, name), False
    while node is not None and node.op_type in MOVEMENTS and node.inputs:
        node, moved = _writer(run, node.inputs[0]), True
    return (node, moved) if node is not None and node.op_type == _DEQUANTIZE else (None, moved)


def _is_dequantized(run: OnnxRun, name: str) -> bool:
    return _dequantizer(run, name)[0] is not None


def _is_quantized(run: OnnxRun, node: OnnxNode) -> bool:
    return any(reader.op_type == _QUANTIZE for name in node.outputs for reader in _readers(run, name))


def _integers_before(run: OnnxRun, names: Sequence[str]) -> set[str]:
    return {_integer_type(run, name) for name in names}


def _integer_type(run: OnnxRun, name: str) -> str:
    source, _ = _dequantizer(run, name)
    return (dtype_of(run, source.inputs[0]) if source is not None else None) or "of unknown type"


def _integers_after(run: OnnxRun, node: OnnxNode) -> set[str]:
    quantizers = [one for name in node.outputs for one in _readers(run, name) if one.op_type == _QUANTIZE]
    return {dtype_of(run, one.outputs[0]) or "of unknown type" for one in quantizers}
