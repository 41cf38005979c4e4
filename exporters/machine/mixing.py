"""The nodes that compute what the skeleton had constants for, in the order in which the runtime stored those.

A bank has a leading axis of one: ONNX Runtime packs a constant matrix for products with many rows, and a product with
one row then takes twice as long (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from condmix.exporters.graph.facts import MODULE_KEY
from condmix.exporters.machine.index_numbers import StorageMap
from condmix.exporters.machine.integer_bank import IntegerBank
from condmix.exporters.machine.skeleton import Gate, MixedWeight


@dataclass(kw_only=True)
class Grafts:
    """nodes: by the name of what the last of them computes, mostly a constant of the skeleton. constants: theirs."""

    nodes: dict[str, list[onnx.NodeProto]] = field(default_factory=dict)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def add_weight(self, weight: MixedWeight, place: StorageMap) -> None:
        """The mixture, as it is stored at `place`."""
        nodes: list[onnx.NodeProto] = []
        if weight.bank is None:
            bank = self._constant(f"{place.name}/experts", place.arrange(weight.rows_en)[None])
            row = self._node(nodes, weight, "MatMul", [weight.routing, bank], f"{place.name}/mix")
        else:
            row = self._integers(nodes, weight, weight.bank, place)
        if weight.constant_n is not None:
            fixed = self._constant(f"{place.name}/constant", place.arrange(weight.constant_n))
            row = self._node(nodes, weight, "Add", [row, fixed], f"{place.name}/add_constant")
        shape = self._constant(f"{place.name}/shape", np.asarray(place.shape, np.int64))
        nodes.append(_made("Reshape", [row, shape], place.name, weight.path))
        self.nodes[place.name] = nodes

    def add_gate(self, gate: Gate, place: StorageMap) -> None:
        """The gate as a weight. Its map is known to keep the order (see `keeps_order`)."""
        nodes: list[onnx.NodeProto] = []
        value = gate.value
        if place.padding:
            pads = self._constant(f"{place.name}/pads", np.asarray([0] * 5 + [place.padding, 0, 0], np.int64))
            nodes.append(_made("Pad", [value, pads], f"{place.name}/padded", ""))
            value = nodes[-1].output[0]
        shape = self._constant(f"{place.name}/shape", np.asarray(place.shape, np.int64))
        nodes.append(_made("Reshape", [value, shape], place.name, ""))
        self.nodes[place.name] = nodes

    def _integers(self, nodes: list[onnx.NodeProto], weight: MixedWeight, bank: IntegerBank, place: StorageMap) -> str:
        """Integers times integers; the same numbers as float32, which are what they are worth where that is known."""
        rounded, zero = self._rounded_routing(weight, bank)
        experts = self._constant(f"{place.name}/experts", place.arrange(bank.experts_en)[None])
        inputs = [rounded, experts, *([zero] if bank.grid.zero_point else [])]
        integers = self._node(nodes, weight, "MatMulInteger", inputs, f"{place.name}/mix")
        # Not DequantizeLinear: ONNX Runtime would draw a rounding of its own across the Reshape behind it.
        row = self._node(nodes, weight, "Cast", [integers], f"{place.name}/as_float", to=TensorProto.FLOAT)
        if bank.column_n is None:
            return row
        column = self._constant(f"{place.name}/worth", place.arrange(bank.column_n[None])[0])
        return self._node(nodes, weight, "Mul", [row, column], f"{place.name}/scaled")

    def _rounded_routing(self, weight: MixedWeight, bank: IntegerBank) -> tuple[str, str]:
        """The routing on its grid and the grid's zero point, once for all layers that share it."""
        name, zero = f"{weight.routing}/integers", f"{weight.routing}/zero"
        if name not in self.nodes:
            scale = self._constant(f"{weight.routing}/scale", np.asarray(bank.grid.scale, np.float32))
            self._constant(zero, np.asarray(bank.grid.zero_point, np.uint8))
            self.nodes[name] = [_made("QuantizeLinear", [weight.routing, scale, zero], name, weight.path)]
        return name, zero

    def _constant(self, name: str, array: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _node(
        self,
        nodes: list[onnx.NodeProto],
        weight: MixedWeight,
        op: str,
        inputs: Sequence[str],
        output: str,
        to: int | None = None,
    ) -> str:
        nodes.append(_made(op, inputs, output, weight.path, to=to))
        return output


def keeps_order(place: StorageMap, count: int) -> bool:
    """Whether all elements stand first and in order, with padding behind them only."""
    return np.array_equal(place.source[:count], np.arange(count)) and bool((place.source[count:] == -1).all())


def _made(op: str, inputs: Sequence[str], output: str, path: str, to: int | None = None) -> onnx.NodeProto:
    """A node named as its result. to: the type that a Cast gives."""
    node = helper.make_node(op, list(inputs), [output], name=output)
    if to is not None:
        node.attribute.append(helper.make_attribute("to", to))
    if path:
        node.metadata_props.add(key=MODULE_KEY, value=path)
    return node
