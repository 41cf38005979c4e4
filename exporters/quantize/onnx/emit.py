"""Writing the int8 graph: nodes and constants in order, under names that are free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import Attributes
from condmix.exporters.graph.facts import MODULE_KEY
from condmix.exporters.quantize.onnx.packing import packed
from condmix.exporters.quantize.parameters import Affine


class GraphWriter:
    """A graph being written. Small constants that are equal are stored once."""

    def __init__(self, reserved: Iterable[str]) -> None:
        self.nodes: list[ir.Node] = []
        self.initializers: list[ir.Value] = []
        self._taken = set(reserved)
        self._shared: dict[tuple[str, tuple[int, ...], bytes], ir.Value] = {}

    def unique(self, name: str) -> str:
        """The name, or the next one that is free."""
        candidate, number = name, 2
        while candidate in self._taken:
            candidate, number = f"{name}_{number}", number + 1
        self._taken.add(candidate)
        return candidate

    def constant(self, array: np.ndarray, name: str) -> ir.Value:
        """A new initializer."""
        contiguous = np.asarray(array, order="C")  # np.ascontiguousarray would give a scalar an axis
        value = ir.Value(
            name=self.unique(name),
            shape=ir.Shape(contiguous.shape),
            type=ir.TensorType(ir.DataType.from_numpy(contiguous.dtype)),
            const_value=ir.tensor(contiguous),
        )
        self.initializers.append(value)
        return value

    def shared(self, array: np.ndarray, name: str) -> ir.Value:
        """An initializer that holds these numbers: scales, zero points, shapes. The first user gives the name."""
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._shared:
            self._shared[key] = self.constant(array, name)
        return self._shared[key]

    def value(self, name: str, data_type: ir.DataType, *, reserved: bool = False) -> ir.Value:
        """A value to be computed. reserved: the name is its own already."""
        return ir.Value(name=name if reserved else self.unique(name), type=ir.TensorType(data_type))

    def rename(self, value: ir.Value, name: str) -> None:
        """Give the value this name; whatever had it takes another."""
        for node in self.nodes:
            for output in node.outputs:
                if output.name == name and output is not value:
                    output.name = self.unique(f"{name}/real")
        value.name = name

    def node(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        output: ir.Value,
        path: str = "",
        attributes: Attributes | None = None,
    ) -> ir.Value:
        """A new node; returns its result."""
        self.nodes.append(
            ir.node(
                op_type,
                inputs=list(inputs),
                attributes=dict(attributes) if attributes else None,
                outputs=[output],
                metadata_props={MODULE_KEY: path} if path else None,
            )
        )
        return output

    def copy(self, node: ir.Node, inputs: Sequence[ir.Value | None], outputs: Sequence[ir.Value]) -> None:
        """The same operator with other inputs and outputs."""
        attributes = [ir.Attr(item.name, item.type, item.value) for item in node.attributes.values()]
        self.nodes.append(
            ir.Node(
                node.domain,
                node.op_type,
                list(inputs),
                attributes,
                outputs=list(outputs),
                metadata_props=dict(node.metadata_props),
            )
        )

    def quantize(self, value: ir.Value, affine: Affine, stem: str) -> ir.Value:
        """The integers of a real value, `<stem>/q`."""
        scale, zero_point = self._scale(affine, stem)
        output = self.value(f"{stem}/q", integer_type(affine))
        return self.node("QuantizeLinear", [value, scale, zero_point], output)

    def dequantize(self, value: ir.Value, affine: Affine, output: ir.Value) -> ir.Value:
        """The real numbers of integers, as `output`."""
        scale, zero_point = self._scale(affine, value.name or "")
        return self.node("DequantizeLinear", [value, scale, zero_point], output)

    def dequantize_channels(
        self, value: ir.Value, scale: ir.Value, axis: int, output: ir.Value, *, with_zeros: bool = False
    ) -> ir.Value:
        """The same of a constant or kernel with a scale for each slice along `axis`.

        Zero points are zeros, and left out where the runtime's fused operator does not ask for them.
        """
        inputs = [value, scale]
        if with_zeros:
            assert value.dtype is not None
            assert scale.shape is not None
            inputs.append(self.shared(np.zeros(scale.shape.numpy(), value.dtype.numpy()), f"{output.name}/z"))
        return self.node("DequantizeLinear", inputs, output, attributes={"axis": axis})

    def packed_constant(self, array: np.ndarray, name: str) -> ir.Value:
        """An initializer, or what a runtime makes of several when it loads the file: without zeros around weights."""
        pieces = packed(array)
        parts: list[ir.Value] = []
        for index, piece in enumerate(pieces):
            stem = name if len(pieces) == 1 else f"{name}{index}"
            part = self.constant(piece.array, f"{stem}/box" if any(piece.pads) else stem)
            if any(piece.pads):
                amounts = self.shared(np.asarray(piece.pads, np.int64), f"{stem}/pads")
                part = self.node("Pad", [part, amounts], self.value(stem, ir.DataType.from_numpy(array.dtype)))
            parts.append(part)
        if len(parts) == 1:
            return parts[0]
        output = self.value(name, ir.DataType.from_numpy(array.dtype))
        return self.node("Concat", parts, output, attributes={"axis": 0})

    def _scale(self, affine: Affine, stem: str) -> tuple[ir.Value, ir.Value]:
        return (
            self.shared(np.asarray(affine.scale, np.float32), f"{stem}/s"),
            self.shared(np.asarray(affine.zero_point, integer_type(affine).numpy()), f"{stem}/z"),
        )


def integer_type(affine: Affine) -> ir.DataType:
    """How numbers of the grid are stored."""
    return ir.DataType.UINT8 if affine.grid.low >= 0 else ir.DataType.INT8
