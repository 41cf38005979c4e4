"""From the float graph to the int8 graph in QDQ form: every integer operator stands between DequantizeLinear and
QuantizeLinear, so that the file has one meaning everywhere and ONNX Runtime makes integer operators of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import constant, is_op, module_path
from condmix.exporters.graph.splice import remove_unused
from condmix.exporters.quantize.onnx.emit import GraphWriter, integer_type
from condmix.exporters.quantize.onnx.float_graph import FloatGraph
from condmix.exporters.quantize.onnx.layers import Layers
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.onnx.plan import Plan, Role
from condmix.exporters.quantize.onnx.scales import activation_scales
from condmix.exporters.quantize.onnx.values import Values
from condmix.exporters.quantize.parameters import INT8, Affine
from condmix.exporters.quantize.ranges import Ranges


@dataclass(frozen=True, kw_only=True, eq=False)
class RoundedGraph:
    """The int8 graph, what its layers store, and how integers at its ends are to be read."""

    model: ir.Model
    weight_bytes: dict[str, int]
    """By the result of a Conv or Gemm of the float graph."""
    inputs: dict[str, Affine] = field(default_factory=dict)
    outputs: dict[str, Affine] = field(default_factory=dict)


def round_graph(floats: FloatGraph, plan: Plan, ranges: Ranges, options: OnnxInt8Options) -> RoundedGraph:
    """The graph in integers where the plan says so. Raises CalibrationError for values without a range."""
    return _Rounding(floats, plan, ranges, options).run()


class _Rounding:
    """One pass over the float graph, in order."""

    def __init__(self, floats: FloatGraph, plan: Plan, ranges: Ranges, options: OnnxInt8Options) -> None:
        self._model = floats.model
        self._graph = floats.model.graph
        self._plan = plan
        self._io_dtype = options.io_dtype
        names = [value.name or "" for value in self._graph.inputs]
        names += [output.name or "" for node in self._graph for output in node.outputs]
        kernels = {kernel.kernel: kernel for kernel in floats.kernels}
        self._writer = GraphWriter(names)
        self._scales = activation_scales(floats, plan, ranges)
        self._values = Values(self._writer, self._scales.affines)
        wanted = {kernel.routing for kernel in floats.kernels}
        computed = [*self._graph.inputs, *(output for node in self._graph for output in node.outputs)]
        routings = {value.name or "": value for value in computed if value.name in wanted}
        self._layers = Layers(self._writer, self._values, kernels, routings, ranges, options)
        self._kernel_names = kernels.keys()

    def run(self) -> RoundedGraph:
        """Read, write, and connect the ends."""
        inputs: list[ir.Value] = []
        input_affines: dict[str, Affine] = {}
        for value in self._graph.inputs:
            inputs.append(self._input(value, input_affines))
        for node in self._graph:
            self._node(node)
        output_affines: dict[str, Affine] = {}
        outputs = [self._output(value, output_affines) for value in self._graph.outputs]
        graph = ir.Graph(
            inputs,
            outputs,
            nodes=self._writer.nodes,
            initializers=self._writer.initializers,
            opset_imports=dict(self._graph.opset_imports),
            name=self._graph.name,
        )
        remove_unused(graph)
        return RoundedGraph(
            model=ir.Model(graph, ir_version=self._model.ir_version),
            weight_bytes=self._layers.weight_bytes,
            inputs=input_affines,
            outputs=output_affines,
        )

    def _input(self, value: ir.Value, affines: dict[str, Affine]) -> ir.Value:
        own = ir.Value(name=value.name, shape=value.shape, type=value.type)
        if value not in self._plan.held:
            self._values.set_real(value, own)
            return own
        affine = self._end_affine(value)
        affines[value.name or ""] = affine
        own.type = ir.TensorType(integer_type(affine))
        real = self._writer.dequantize(own, affine, self._writer.value(f"{value.name}/real", ir.DataType.FLOAT))
        if self._io_dtype == "uint8":
            self._values.set_integers(value, own)
        else:
            self._values.set_exact(value, real)
        # The input has the value's name: who reads it in float cannot give that to a result of its own.
        self._values.set_real(value, real)
        return own

    def _output(self, value: ir.Value, affines: dict[str, Affine]) -> ir.Value:
        if self._io_dtype == "float32" or value.name not in self._values.affines:
            # A result that no integer operator gives (indices, probabilities of a float operator) stays as it is.
            output = self._values.real(value)
        else:
            affine = self._end_affine(value)
            affines[value.name or ""] = affine
            integers = (
                self._values.integers(value)
                if self._io_dtype == "uint8"
                else self._writer.quantize(self._values.rounded(value), affine, f"{value.name}/int8")
            )
            output = integers
            self._writer.rename(output, value.name or "")
        output.shape = value.shape
        return output

    def _end_affine(self, value: ir.Value) -> Affine:
        """Of integers at an end: of the type that was asked for, the same real numbers."""
        affine = self._values.affine(value)
        if self._io_dtype == "uint8":
            return affine
        return replace(affine, zero_point=affine.zero_point + INT8.low, grid=INT8)

    def _node(self, node: ir.Node) -> None:
        if node in self._plan.mixing:
            if node.outputs[0].name in self._kernel_names:
                self._layers.mix(node)
            return
        role = self._plan.role(node)
        if role is Role.FLOAT:
            self._float(node)
        elif role is Role.MOVE:
            self._move(node)
        elif role is Role.PRODUCT and is_op(node, "MatMul"):
            self._batched_product(node)
        elif role is Role.PRODUCT:
            self._finish(node, self._layers.operands(node))
        elif role is Role.SUM:
            self._finish(node, self._real(node.inputs))
        elif role is Role.LIMIT:
            self._limit(node)
        else:
            self._finish(node, [None if value is None else self._values.rounded(value) for value in node.inputs])

    def _batched_product(self, node: ir.Node) -> None:
        """A product of integers with a scale for each channel, which the runtime's own has not."""
        output = node.outputs[0]
        name = output.name or ""
        steps = self._writer.value(f"{name}/steps", ir.DataType.FLOAT)
        self._writer.copy(node, self._layers.operands(node), [steps])
        held = output in self._plan.held
        exact = self._writer.value(f"{name}/exact" if held else name, ir.DataType.FLOAT, reserved=not held)
        self._writer.node("Mul", [steps, self._layers.factor(node)], exact, module_path(node))
        if held:
            self._values.set_exact(output, exact)
        else:
            self._values.set_real(output, exact)

    def _limit(self, node: ir.Node) -> None:
        """Nothing, where rounding has done its work."""
        x = node.inputs[0]
        assert x is not None
        if node in self._scales.absorbed:
            self._values.set_integers(node.outputs[0], self._values.integers(x))
        else:
            self._finish(node, [self._values.rounded(x), *self._real(node.inputs[1:])])

    def _real(self, inputs: Sequence[ir.Value | None]) -> list[ir.Value | None]:
        return [None if value is None else self._values.real(value) for value in inputs]

    def _float(self, node: ir.Node) -> None:
        outputs = [ir.Value(name=value.name, type=value.type) for value in node.outputs]
        self._writer.copy(node, self._real(node.inputs), outputs)
        for old, new in zip(node.outputs, outputs, strict=True):
            self._values.set_real(old, new)
        if is_op(node, "Conv", "Gemm"):
            stored = [constant(value) for value in node.inputs[1:]]
            size = sum(array.nbytes for array in stored if array is not None)
            self._layers.weight_bytes[node.outputs[0].name or ""] = size

    def _move(self, node: ir.Node) -> None:
        """The same operator on integers."""
        count = len(node.inputs) if is_op(node, "Concat") else 1
        inputs: list[ir.Value | None] = [
            self._values.integers(value) for value in node.inputs[:count] if value is not None
        ]
        inputs += self._real(node.inputs[count:])
        if is_op(node, "Pad"):
            zero = self._values.affine(node.outputs[0]).zero_point
            inputs = [*inputs[:2], self._writer.shared(np.asarray(zero, np.uint8), "pad_zero"), *inputs[3:]]
        outputs = [self._writer.value(f"{value.name}/q", ir.DataType.UINT8) for value in node.outputs]
        self._writer.copy(node, inputs, outputs)
        for old, new in zip(node.outputs, outputs, strict=True):
            self._values.set_integers(old, new)

    def _finish(self, node: ir.Node, inputs: list[ir.Value | None]) -> None:
        """Write an integer operator, and the rounding of its result."""
        output = node.outputs[0]
        name = output.name or ""
        held = output in self._plan.held
        exact = self._writer.value(f"{name}/exact" if held else name, ir.DataType.FLOAT, reserved=not held)
        self._writer.copy(node, inputs, [exact])
        if is_op(node, "Gemm"):
            self._writer.nodes[-1].attributes.pop("transB", None)
        if not held:
            self._values.set_real(output, exact)
        else:
            self._values.set_exact(output, exact)
