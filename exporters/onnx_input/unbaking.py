"""The edits that turn a graph for N images into one for a single image, collected and made at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import constant, is_op
from condmix.exporters.onnx_input.unbake_state import All


@dataclass(kw_only=True)
class Unbaking:
    """One graph on its way from `images` images to one: what replaces what is done at the end, by `finish`."""

    graph: ir.Graph
    images: int
    replaced: list[tuple[ir.Value, ir.Value]] = field(default_factory=list)
    inputs: list[tuple[ir.Node, int, ir.Value]] = field(default_factory=list)
    groups: list[tuple[ir.Node, int]] = field(default_factory=list)
    count: int = 0

    def constant(self, array: np.ndarray) -> ir.Value:
        """A new initializer."""
        self.count += 1
        value = ir.Value(
            name=f"unbaked_{self.count}",
            shape=ir.Shape(array.shape),
            type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
            const_value=ir.tensor(np.array(array, order="C")),  # ascontiguousarray gives a number an axis
        )
        self.graph.register_initializer(value)
        return value

    def set_ints(self, node: ir.Node, index: int, numbers: Sequence[int]) -> None:
        """An input of a node becomes these integers."""
        self.inputs.append((node, index, self.constant(np.asarray(numbers, dtype=np.int64))))

    def finish(self) -> None:
        """The edits are made."""
        for node, index, value in self.inputs:
            node.replace_input_with(index, value)
            if is_op(node, "Reshape"):
                node.attributes.pop("allowzero", None)
        for node, group in self.groups:
            node.attributes["group"] = ir.AttrInt64("group", group)
        for old, new in reversed(self.replaced):  # what a piece was cut from may be a piece itself
            ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=False)


def store_once(state: Unbaking, node: ir.Node, index: int, place: All) -> str | None:
    """A constant that repeats itself for each image is stored for one."""
    value = node.inputs[index]
    assert value is not None
    array = constant(value)
    if array is None:
        return f"'{value.name}' is computed and has a row for each image"
    shape = array.shape
    if shape[place.axis] != place.outer * state.images * place.inner:
        return f"'{value.name}' of shape {list(shape)} does not fit the images"
    before, after = shape[: place.axis], shape[place.axis + 1 :]
    rows = array.reshape(*before, place.outer, state.images, place.inner, *after)
    first = rows.take([0], axis=place.axis + 1)
    if not np.array_equal(np.broadcast_to(first, rows.shape), rows):
        return f"'{value.name}' has different numbers for different images"
    state.inputs.append((node, index, state.constant(first.reshape(*before, place.outer * place.inner, *after))))
    return None
