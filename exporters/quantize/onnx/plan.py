"""Which node of the float graph computes in integers: what ONNX Runtime fuses, where it is no slower than float."""

from __future__ import annotations

import enum
from collections.abc import Collection

import onnx_ir as ir

from condmix.exporters.graph.facts import (
    attribute_float,
    attribute_int,
    constant,
    is_op,
    module_path,
    only_consumer,
)
from condmix.exporters.quantize.onnx.float_graph import FloatGraph

ELEMENTWISE = ("Add", "Mul", "Sigmoid", "LeakyRelu", "GlobalAveragePool", "AveragePool")
"""ONNX Runtime has an integer form of each."""
MOVES = (
    "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Concat", "Split", "Slice", "Pad", "MaxPool",
    "DepthToSpace", "Tile",
)  # fmt: skip
"""They move numbers and compute none: the same operator on integers, one scale on both sides."""
LIMITS = ("Relu", "Clip")
"""Rounding to an unsigned number does their work when it follows at once."""
POOLS = ("GlobalAveragePool", "ReduceMean", "AveragePool", "MaxPool", "GlobalMaxPool")


class Role(enum.Enum):
    """How a node computes."""

    PRODUCT = "product"
    """Integer weights, integer input."""
    ELEMENT = "element"
    MOVE = "move"
    SUM = "sum"
    """A bias added to sums that are exact: both are rounded at once."""
    LIMIT = "limit"
    FLOAT = "float"


class Plan:
    """The role of every node, and which values are held as integers."""

    def __init__(self, floats: FloatGraph, float_layers: Collection[str], *, integer_ends: bool) -> None:
        graph = floats.model.graph
        self._kernels = {kernel.kernel for kernel in floats.kernels}
        self._float_layers = float_layers
        self._stays_float = floats.stays_float
        self._integer_ends = integer_ends
        values = {value.name or "": value for value in graph.inputs}
        values.update({output.name or "": output for node in graph for output in node.outputs})
        kernels = [values[kernel.kernel] for kernel in floats.kernels]
        self.routing = _routing_nodes([values[kernel.routing] for kernel in floats.kernels], kernels)
        # A bias that is mixed is as small as the routing: it is rounded once, when it is added.
        self.routing |= _producers([values[bias.bias] for bias in floats.biases])
        self.mixing = _mixing_nodes(kernels)
        self.roles: dict[ir.Node, Role] = {}
        self.held: set[ir.Value] = set(graph.inputs) if integer_ends else set()
        for node in graph:
            self._decide(node)
        for node in reversed(list(graph)):
            self._take_back_moves(node)

    def role(self, node: ir.Node) -> Role:
        """Of one node."""
        return self.roles[node]

    def limited(self, node: ir.Node) -> tuple[ir.Value, ...]:
        """Values that are held for one reader only, this ReLU or Clip: what rounds them can do its work.

        Empty where one of them has another reader, or is not rounded from the result of an operator.
        """
        found: list[ir.Value] = []
        waiting: list[tuple[ir.Value | None, ir.Node]] = [(node.inputs[0], node)]
        while waiting:
            value, reader = waiting.pop()
            if value is None or value not in self.held or only_consumer(value) is not reader:
                return ()
            found.append(value)
            producer = value.producer()
            if producer is None or self.roles[producer] is Role.LIMIT or len(producer.outputs) > 1:
                return ()
            if self.roles[producer] is Role.MOVE:
                waiting.extend((moved, producer) for moved in moved_values(producer))
        return tuple(found)

    def why_float(self, node: ir.Node) -> str:
        """The reason why a Conv or Gemm is not in integers."""
        if module_path(node) in self._float_layers:
            return "asked to stay in float"
        if node.outputs[0].name in self._stays_float:
            return self._stays_float[node.outputs[0].name or ""]
        if node in self.routing:
            return "the routing decides on the kernel and has few weights: in float it drifts least"
        return "its weights are computed, or it scales its product"

    def _decide(self, node: ir.Node) -> None:
        role = self._role(node)
        self.roles[node] = role
        if role is Role.FLOAT:
            return
        sums = node.op_type in ("Gemm", "MatMul") or role is Role.SUM
        if sums and not self._read_by_integers(node.outputs[0]):
            return  # the runtime's products give their sums in float: nothing is rounded where nobody needs it
        if node.op_type == "MatMul" and self._adds_bias(only_consumer(node.outputs[0])):
            return  # it is rounded with its bias
        self.held.update(node.outputs)

    def _role(self, node: ir.Node) -> Role:
        if node in self.routing or node in self.mixing or module_path(node) in self._float_layers:
            return Role.FLOAT
        if node.outputs[0].name in self._stays_float:
            return Role.FLOAT
        if self._is_product(node):
            return Role.PRODUCT
        if self._adds_bias(node):
            return Role.SUM
        data = [value for value in node.inputs if value is not None and constant(value) is None]
        if not any(value in self.held for value in data):
            return Role.FLOAT
        if is_op(node, *ELEMENTWISE):
            return Role.ELEMENT
        if is_op(node, *LIMITS):
            return Role.LIMIT
        if is_op(node, *MOVES) and _moves_only(node):
            return Role.MOVE
        return Role.FLOAT

    def _adds_bias(self, node: ir.Node | None) -> bool:
        """Whether the node adds a constant to the product of a kernel an image."""
        if node is None or not is_op(node, "Add") or constant(node.inputs[1]) is None:
            return False
        product = None if node.inputs[0] is None else node.inputs[0].producer()
        return product is not None and is_op(product, "MatMul") and self._is_product(product)

    def _is_product(self, node: ir.Node) -> bool:
        if is_op(node, "MatMul"):
            return node.inputs[1] is not None and node.inputs[1].name in self._kernels
        if not is_op(node, "Conv", "Gemm"):
            return False
        weight = node.inputs[1]
        computed = weight is not None and weight.name in self._kernels
        if constant(weight) is None and not computed:
            return False
        if len(node.inputs) > 2 and node.inputs[2] is not None and constant(node.inputs[2]) is None:
            return False
        if node.op_type == "Conv":
            return True
        factors = (attribute_float(node, "alpha", 1.0), attribute_float(node, "beta", 1.0))
        return factors == (1.0, 1.0) and not attribute_int(node, "transA", 0)

    def _read_by_integers(self, value: ir.Value) -> bool:
        """Whether anything behind, past what only moves numbers, computes in integers."""
        if value.is_graph_output() and self._integer_ends:
            return True
        return any(
            is_op(use.node, *ELEMENTWISE, *LIMITS, "Conv")
            or self._is_product(use.node)
            or (is_op(use.node, *MOVES) and any(self._read_by_integers(output) for output in use.node.outputs))
            for use in value.uses()
            if use.node not in self.routing
        )

    def _take_back_moves(self, node: ir.Node) -> None:
        """A move in front of integers only moves integers too: fewer bytes, and no rounding between."""
        if self.roles[node] is not Role.FLOAT or not is_op(node, *MOVES) or not _moves_only(node):
            return
        if node in self.routing or node in self.mixing or module_path(node) in self._float_layers:
            return
        if node.outputs[0].name in self._stays_float or node.outputs[0].dtype == ir.DataType.INT64:
            return
        integers = (Role.PRODUCT, Role.ELEMENT, Role.MOVE)
        uses = [use for output in node.outputs for use in output.uses()]
        if any(output.is_graph_output() for output in node.outputs) or not uses:
            return
        if all(self.roles[use.node] in integers for use in uses):
            self.roles[node] = Role.MOVE
            self.held.update(node.outputs)


def moved_values(node: ir.Node) -> tuple[ir.Value, ...]:
    """What a moving or elementwise operator reads that is no constant and no shape."""
    inputs = node.inputs if is_op(node, "Concat", "Add", "Mul") else node.inputs[:1]
    return tuple(value for value in inputs if value is not None and value.const_value is None)


def limits(node: ir.Node) -> tuple[float, float]:
    """Between which numbers a ReLU or Clip keeps its input."""
    if is_op(node, "Relu"):
        return 0.0, float("inf")
    ends = [constant(node.inputs[place]) if len(node.inputs) > place else None for place in (1, 2)]
    low, high = (None if end is None else float(end.reshape(())) for end in ends)
    return -float("inf") if low is None else low, float("inf") if high is None else high


def _moves_only(node: ir.Node) -> bool:
    """Of integers the same can be said as of floats: no fill value but zero, no second result."""
    if is_op(node, "Pad"):
        mode = node.attributes.get("mode")
        fill = constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else None
        return (mode is None or mode.as_string() == "constant") and (fill is None or not fill.any())
    return not is_op(node, "MaxPool") or len(node.outputs) == 1


def _routing_nodes(values: Collection[ir.Value], kernels: Collection[ir.Value]) -> set[ir.Node]:
    """What lies between a pooled image and the routing.

    On maps of one position there is no pooling: then a layer in front ends the way, by its weight or mixed kernel.
    """
    found: set[ir.Node] = set()
    waiting = list(values)
    while waiting:
        node = waiting.pop().producer()
        if node is None or node in found or is_op(node, "Conv", *POOLS):
            continue
        if any(value in kernels for value in node.inputs):
            continue
        found.add(node)
        waiting.extend(value for value in node.inputs if value is not None)
    return found


def _producers(values: Collection[ir.Value]) -> set[ir.Node]:
    """The product with the routing, and what gives it the shape of an image."""
    found: set[ir.Node] = set()
    for value in values:
        node = value.producer()
        while node is not None and node not in found:
            found.add(node)
            first = node.inputs[0]
            node = None if first is None or is_op(node, "Gemm") else first.producer()
    return found


def _mixing_nodes(kernels: Collection[ir.Value]) -> set[ir.Node]:
    """What makes a kernel of the routing: the product with the bank and what reshapes it."""
    found: set[ir.Node] = set()
    for kernel in kernels:
        value: ir.Value | None = kernel
        while value is not None:
            node = value.producer()
            if node is None:
                break
            found.add(node)
            if is_op(node, "MatMul"):
                break
            value = node.inputs[0]
    return found
