"""What no graph of a given file may hold: found before anything is done with it, all at once, each with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import onnx
from onnx import AttributeProto, TensorProto

from condmix.exporters.errors import OnnxInputError
from condmix.exporters.onnx_input.file import OnnxFile

STANDARD = ("", "ai.onnx")
OLDEST_OPSET, NEWEST_OPSET = 7, 24
_INTEGER_OPERATORS = frozenset(
    {
        "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger",
        "MatMulInteger",
    }
)  # fmt: skip
_INTEGER_PREFIXES = ("QLinear", "QGemm", "QAttention", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QOrdered")
_RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
)


def require_exportable(file: OnnxFile) -> None:
    """Nothing happens for a float network in inference. Raises OnnxInputError with every reason against the file."""
    graph = file.proto.graph
    problems = [*_opset_problems(file.proto), *_operator_problems(file.proto)]
    problems += [("ONNX_TRAINING", text) for text in _training(graph)]
    if graph.sparse_initializer:
        problems.append(("ONNX_SPARSE", f"{len(graph.sparse_initializer)} weights are sparse: export dense ones"))
    if not problems:
        problems += _checker_problems(file.proto)
    if problems:
        raise OnnxInputError(str(file.path), tuple(problems))


def all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph and of the graphs within."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from all_nodes(attribute.g)
            for subgraph in attribute.graphs:
                yield from all_nodes(subgraph)


def is_quantised(proto: onnx.ModelProto) -> bool:
    """Whether a file computes in integers already."""
    return any(_is_integer(node) for node in all_nodes(proto.graph))


def unknown_operators(proto: onnx.ModelProto) -> Counter[str]:
    """Operators that neither ONNX nor the file itself defines, with their counts."""
    own = {(function.domain, function.name) for function in proto.functions}
    version = opset_of(proto)
    nodes = [*all_nodes(proto.graph), *(node for function in proto.functions for node in function.node)]
    return Counter(
        _spoken(node) for node in nodes if (node.domain, node.op_type) not in own and not _is_known(node, version)
    )


def opset_of(proto: onnx.ModelProto) -> int:
    """The version of the standard operator set; 0 where none is named."""
    return next((int(entry.version) for entry in proto.opset_import if entry.domain in STANDARD), 0)


def _spoken(node: onnx.NodeProto) -> str:
    return node.op_type if node.domain in STANDARD else f"{node.domain}.{node.op_type}"


def _is_integer(node: onnx.NodeProto) -> bool:
    return node.op_type in _INTEGER_OPERATORS or node.op_type.startswith(_INTEGER_PREFIXES)


def _is_known(node: onnx.NodeProto, version: int) -> bool:
    if node.domain not in STANDARD:
        return False
    try:
        onnx.defs.get_schema(node.op_type, version, "")
    except onnx.defs.SchemaError:
        return False
    return True


def _opset_problems(proto: onnx.ModelProto) -> list[tuple[str, str]]:
    version = opset_of(proto)
    if OLDEST_OPSET <= version <= NEWEST_OPSET:
        return []
    found = f"its operator set is {version}" if version else "it names no operator set of ONNX"
    return [("ONNX_OPSET", f"{found}: {OLDEST_OPSET} to {NEWEST_OPSET} are read; export it again with one of these")]


def _operator_problems(proto: onnx.ModelProto) -> list[tuple[str, str]]:
    problems = []
    integers = Counter(_spoken(node) for node in all_nodes(proto.graph) if _is_integer(node))
    if integers:
        problems.append(
            (
                "ONNX_QUANTISED",
                f"it is an int8 file already ({_listed(integers)}): give the float network that it was made from",
            )
        )
    unknown = unknown_operators(proto)
    for name in integers:
        unknown.pop(name, None)
    if unknown and opset_of(proto) <= NEWEST_OPSET:
        problems.append(
            (
                "ONNX_UNKNOWN_OPERATOR",
                f"it has operators that ONNX does not define ({_listed(unknown)}): export it without them; a file "
                "that an engine has optimised keeps its original",
            )
        )
    random = Counter(_spoken(node) for node in all_nodes(proto.graph) if node.op_type in _RANDOM)
    if random:
        problems.append(("ONNX_RANDOM", f"its result is random ({_listed(random)}): export it in inference mode"))
    return problems


def _training(graph: onnx.GraphProto) -> Iterator[str]:
    """BatchNorm and Dropout as they are in training."""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    stored.update({node.output[0]: _value(node) for node in graph.node if node.op_type == "Constant"})
    advice = "export it in inference mode (network.eval(), training=False)"
    for node in all_nodes(graph):
        name = node.name or (node.output[0] if node.output else "")
        flags = {item.name: item.i for item in node.attribute if item.type == AttributeProto.INT}
        if node.op_type == "BatchNormalization" and node.domain in STANDARD:
            returned = [output for output in node.output[1:] if output]
            if flags.get("training_mode") or returned:
                yield f"BatchNormalization '{name}' measures its statistics from each batch: {advice}"
        elif node.op_type == "Dropout" and node.domain in STANDARD and len(node.input) > 2 and node.input[2]:
            tensor = stored.get(node.input[2])
            if tensor is None or bool(onnx.numpy_helper.to_array(tensor).any()):
                yield f"Dropout '{name}' drops numbers at random: {advice}"


def _value(node: onnx.NodeProto) -> TensorProto | None:
    return next((item.t for item in node.attribute if item.name == "value"), None)


def _checker_problems(proto: onnx.ModelProto) -> list[tuple[str, str]]:
    try:
        onnx.checker.check_model(proto)
    except (onnx.checker.ValidationError, ValueError) as error:
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        return [("ONNX_INVALID", f"onnx.checker says: {first.strip()}; export it again")]
    return []


def _listed(counts: Counter[str]) -> str:
    shown = [f"{name} x{count}" for name, count in counts.most_common(8)]
    return ", ".join([*shown, f"{len(counts) - 8} more"] if len(counts) > 8 else shown)
