"""Building replacement nodes: every new node knows its module path, every new value its shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import MODULE_KEY

Attributes = Mapping[str, int | float | str | Sequence[int]]


class NodeBuilder:
    """Collects the nodes and constants of one replacement, in topological order.

    Names are `<path>/<role>`; the driver makes them unique when it splices them in.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.nodes: list[ir.Node] = []
        self.constants: list[ir.Value] = []

    def constant(self, array: np.ndarray, role: str) -> ir.Value:
        """A new initializer named after its role."""
        contiguous = np.ascontiguousarray(array)
        value = ir.Value(
            name=f"{self.path}/{role}" if self.path else role,
            shape=ir.Shape(contiguous.shape),
            type=ir.TensorType(ir.DataType.from_numpy(contiguous.dtype)),
            const_value=ir.tensor(contiguous),
        )
        self.constants.append(value)
        return value

    def ints(self, numbers: Sequence[int], role: str) -> ir.Value:
        """A new int64 vector (shapes, axes, pads)."""
        return self.constant(np.asarray(numbers, dtype=np.int64), role)

    def node(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        shapes: Sequence[Sequence[int | str]],
        *,
        role: str | None = None,
        attributes: Attributes | None = None,
        domain: str = "",
        data_type: ir.DataType = ir.DataType.FLOAT,
    ) -> tuple[ir.Value, ...]:
        """A new node; one output value per shape. A string in a shape is a free axis."""
        stem = f"{self.path}/{role or op_type}" if self.path else (role or op_type)
        outputs = [
            ir.Value(
                name=stem if len(shapes) == 1 else f"{stem}_{index}",
                shape=ir.Shape(shape),
                type=ir.TensorType(data_type),
            )
            for index, shape in enumerate(shapes)
        ]
        node = ir.node(
            op_type,
            inputs=list(inputs),
            attributes=dict(attributes) if attributes else None,
            domain=domain,
            outputs=outputs,
            name=stem,
            metadata_props={MODULE_KEY: self.path},
        )
        self.nodes.append(node)
        return tuple(outputs)

    def one(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        shape: Sequence[int | str],
        *,
        role: str | None = None,
        attributes: Attributes | None = None,
        domain: str = "",
        data_type: ir.DataType = ir.DataType.FLOAT,
    ) -> ir.Value:
        """A new node with a single output."""
        outputs = self.node(
            op_type, inputs, [shape], role=role, attributes=attributes, domain=domain, data_type=data_type
        )
        return outputs[0]

    def reshape(self, value: ir.Value, shape: Sequence[int | str], target: Sequence[int], role: str) -> ir.Value:
        """A Reshape to `target` (where 0 copies and -1 infers), whose result has `shape`."""
        return self.one("Reshape", [value, self.ints(target, f"{role}_shape")], shape, role=role)
