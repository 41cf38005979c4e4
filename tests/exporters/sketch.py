"""Small graphs to be written down in tests: values are names, shapes are inferred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir

from condmix.exporters.finish import IR_VERSION
from condmix.exporters.graph.facts import MODULE_KEY
from condmix.exporters.named.condconv import DOMAIN

OPSET = 18


class Sketch:
    """A graph under construction. Values are names; `model` infers all shapes and checks the result."""

    def __init__(self, *, opset: int = OPSET) -> None:
        self._opset = opset
        self._inputs: dict[str, tuple[int, Sequence[int]]] = {}
        self._constants: dict[str, np.ndarray] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._shapes: dict[str, Sequence[int]] = {}

    def input(self, name: str, shape: Sequence[int], *, element_type: int = onnx.TensorProto.FLOAT) -> str:
        self._inputs[name] = (element_type, shape)
        return name

    def constant(self, name: str, content: np.ndarray | float | Sequence[int]) -> str:
        """An initializer; a plain sequence of integers is an int64 vector, a float a float32 scalar."""
        if isinstance(content, float):
            content = np.asarray(content, dtype=np.float32)
        self._constants[name] = np.asarray(content, dtype=None if isinstance(content, np.ndarray) else np.int64)
        return name

    def node(
        self,
        op_type: str,
        inputs: Sequence[str],
        outputs: str | Sequence[str],
        *,
        module: str = "",
        domain: str = "",
        shape: Sequence[int] | None = None,
        **attributes: object,
    ) -> str:
        """A node with the named outputs; returns the first. `shape` is needed for a named operator only."""
        names = [outputs] if isinstance(outputs, str) else list(outputs)
        node = onnx.helper.make_node(op_type, list(inputs), names, name=f"node_{names[0]}", domain=domain, **attributes)
        node.metadata_props.add(key=MODULE_KEY, value=module)
        self._nodes.append(node)
        if shape is not None:
            self._shapes[names[0]] = shape
        return names[0]

    def batchnorm(self, x: str, output: str, norm: BatchNorm, *, module: str = "norm") -> str:
        """An inference BatchNormalization with these statistics."""
        names = [
            self.constant(f"{output}.{role}", array)
            for role, array in zip(("gamma", "beta", "mean", "variance"), norm.statistics, strict=True)
        ]
        return self.node("BatchNormalization", [x, *names], output, module=module, epsilon=norm.epsilon)

    def model(self, *outputs: str) -> ir.Model:
        """The finished graph with all shapes inferred."""
        float_type = onnx.TensorProto.FLOAT
        graph = onnx.helper.make_graph(
            self._nodes,
            "sketch",
            [onnx.helper.make_tensor_value_info(name, *kind) for name, kind in self._inputs.items()],
            [onnx.helper.make_tensor_value_info(name, float_type, None) for name in outputs],
            [onnx.numpy_helper.from_array(array, name) for name, array in self._constants.items()],
            value_info=[
                onnx.helper.make_tensor_value_info(name, float_type, shape) for name, shape in self._shapes.items()
            ],
        )
        imports = [onnx.helper.make_opsetid("", self._opset), onnx.helper.make_opsetid(DOMAIN, 1)]
        proto = onnx.helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)
        for output in proto.graph.output:
            if output.name in self._shapes:
                output.CopyFrom(onnx.helper.make_tensor_value_info(output.name, float_type, self._shapes[output.name]))
            else:
                output.type.Clear()
        inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True)
        return ir.from_proto(inferred)


@dataclass(frozen=True, kw_only=True)
class BatchNorm:
    """Statistics of an inference BatchNorm: a scale and shift that no test may mistake for the identity."""

    statistics: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    epsilon: float

    @classmethod
    def random(cls, generator: np.random.Generator, channels: int) -> BatchNorm:
        gamma = generator.uniform(0.5, 1.5, channels) * generator.choice([-1.0, 1.0], channels)
        beta, mean = generator.normal(0, 0.5, (2, channels)) + 0.5
        arrays = (gamma, beta, mean, generator.uniform(0.3, 2.0, channels))
        gamma32, beta32, mean32, variance32 = (array.astype(np.float32) for array in arrays)
        return cls(statistics=(gamma32, beta32, mean32, variance32), epsilon=float(generator.choice([1e-5, 1e-3])))

    def apply(self, y: np.ndarray) -> np.ndarray:
        """In float64, from the definition."""
        gamma, beta, mean, variance = (array.astype(np.float64)[:, None, None] for array in self.statistics)
        result: np.ndarray = (y - mean) / np.sqrt(variance + self.epsilon) * gamma + beta
        return result
