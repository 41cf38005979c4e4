"""The model-local functions behind the named nodes: a named graph is a valid ONNX file and runs anywhere at batch 1."""

from __future__ import annotations

from collections.abc import Iterable

import onnx_ir as ir

from condmix.exporters.named.condconv import DOMAIN, OPERATOR, OPERATOR_WITH_EXPERT_BIAS, is_condconv
from condmix.exporters.named.mixconv import PREFIX, branch_count, is_mixconv

FUNCTION_OPSET = 18
CONV_ATTRIBUTES = ("kernel_shape", "strides", "pads", "dilations")


def attach_functions(model: ir.Model) -> None:
    """Give the model one function for every named operator it uses, and none that it does not."""
    model.functions.clear()
    for node in model.graph:
        if not (is_condconv(node) or is_mixconv(node)):
            continue
        identifier = (DOMAIN, node.op_type, "")
        if identifier not in model.functions:
            model.functions[identifier] = (
                condconv_function(with_expert_bias=node.op_type == OPERATOR_WITH_EXPERT_BIAS)
                if is_condconv(node)
                else mixconv_function(branch_count(node))
            )
    if model.functions:
        model.opset_imports[DOMAIN] = 1
    else:
        model.opset_imports.pop(DOMAIN, None)


def condconv_function(*, with_expert_bias: bool) -> ir.Function:
    """Mix the kernel by MatMul, give it its shape, convolve."""
    names = ("x", "routing", "experts", "bias", "expert_bias")[: 5 if with_expert_bias else 4]
    inputs = {name: ir.Value(name=name) for name in names}
    body = _Body()
    flat = body.op("Flatten", [inputs["experts"]], {"axis": 1})
    mixed = body.op("MatMul", [inputs["routing"], flat])
    shape = body.op("Shape", [inputs["experts"]], {"start": 1})
    kernel = body.op("Reshape", [mixed, shape])
    bias = inputs["bias"]
    if with_expert_bias:
        rows = body.op("MatMul", [inputs["routing"], inputs["expert_bias"]])
        bias = body.op("Add", [body.op("Reshape", [rows, body.op("Shape", [bias])]), bias])
    references = [
        *(ir.RefAttr(name, name, ir.AttributeType.INTS) for name in CONV_ATTRIBUTES),
        ir.RefAttr("group", "group", ir.AttributeType.INT),
    ]
    output = body.with_references("Conv", [inputs["x"], kernel, bias], references)
    operator = OPERATOR_WITH_EXPERT_BIAS if with_expert_bias else OPERATOR
    return body.function(operator, inputs.values(), output, references)


def mixconv_function(branches: int) -> ir.Function:
    """Split the channels, convolve every part with its own kernel, concatenate."""
    x = ir.Value(name="x")
    weights = [ir.Value(name=f"weight_{index}") for index in range(branches)]
    biases = [ir.Value(name=f"bias_{index}") for index in range(branches)]
    body = _Body()
    split = body.with_references("Constant", [], [ir.RefAttr("value_ints", "split", ir.AttributeType.INTS)])
    parts = body.ops("Split", [x, split], {"axis": 1}, outputs=branches)
    declared = [ir.RefAttr("split", "split", ir.AttributeType.INTS)]
    declared.append(ir.RefAttr("strides", "strides", ir.AttributeType.INTS))
    results: list[ir.Value] = []
    for index, part in enumerate(parts):
        references = [ir.RefAttr("strides", "strides", ir.AttributeType.INTS)]
        for name in ("kernel_shape", "pads", "dilations"):
            references.append(ir.RefAttr(name, f"{name}_{index}", ir.AttributeType.INTS))
        references.append(ir.RefAttr("group", f"group_{index}", ir.AttributeType.INT))
        declared.extend(reference for reference in references if reference.name != "strides")
        results.append(body.with_references("Conv", [part, weights[index], biases[index]], references))
    output = body.op("Concat", results, {"axis": 1})
    return body.function(f"{PREFIX}{branches}", [x, *weights, *biases], output, declared)


class _Body:
    """Collects the nodes of one function."""

    def __init__(self) -> None:
        self._nodes: list[ir.Node] = []

    def ops(self, op_type: str, inputs: list[ir.Value], attributes: dict[str, int], *, outputs: int) -> list[ir.Value]:
        node = ir.node(op_type, inputs=inputs, attributes=attributes, num_outputs=outputs)
        return self._add(node)

    def op(self, op_type: str, inputs: list[ir.Value], attributes: dict[str, int] | None = None) -> ir.Value:
        return self._add(ir.node(op_type, inputs=inputs, attributes=attributes))[0]

    def with_references(self, op_type: str, inputs: list[ir.Value], references: list[ir.Attr]) -> ir.Value:
        return self._add(ir.Node("", op_type, inputs, references))[0]

    def _add(self, node: ir.Node) -> list[ir.Value]:
        for index, value in enumerate(node.outputs):
            value.name = f"{node.op_type.lower()}_{len(self._nodes)}_{index}"
        self._nodes.append(node)
        return list(node.outputs)

    def function(self, name: str, inputs: Iterable[ir.Value], output: ir.Value, declared: list[ir.Attr]) -> ir.Function:
        graph = ir.Graph(list(inputs), [output], nodes=self._nodes, opset_imports={"": FUNCTION_OPSET})
        attributes = [ir.Attr(item.ref_attr_name or item.name, item.type, None) for item in declared]
        return ir.Function(DOMAIN, name, graph=graph, attributes=attributes)
