"""Convolutions whose kernel is experts times attentions of its axes, drawn node by node in several styles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from tests.exporters.conv_cases import ConvCase
from tests.exporters.sketch import Sketch

AXES = {"out": 0, "in": 1, "taps": 2}


@dataclass(frozen=True, kw_only=True)
class OmniCase:
    """A convolution, how many experts, which attentions stand in its kernel, and how it is written."""

    conv: ConvCase
    experts: int
    factors: tuple[str, ...]
    factors_first: bool
    """Attentions multiply the bank, else the mixed kernel."""
    bias: bool
    seed: int

    @property
    def lengths(self) -> dict[str, int]:
        out, per_group, height, width = self.conv.weight_shape
        return {"out": out, "in": per_group, "taps": height * width}

    def arrays(self) -> dict[str, np.ndarray]:
        generator = np.random.default_rng(self.seed)
        shapes = {"r": (1, self.experts), **{name: (1, self.lengths[name]) for name in self.factors}}
        drawn = {name: generator.uniform(0.2, 1.8, shape) for name, shape in shapes.items()}
        drawn["x"] = generator.standard_normal((1, self.conv.in_channels, *self.conv.input_size))
        return {name: array.astype(np.float32) for name, array in drawn.items()}

    def model(self) -> ir.Model:
        """The graph, each attention a graph input of its own with a sigmoid behind it."""
        generator = np.random.default_rng(self.seed + 1)
        sketch = Sketch()
        for name, array in self.arrays().items():
            sketch.input(name, array.shape)
        bank = sketch.constant("bank", self.conv.weights(generator, self.experts))
        gates = {name: self._gate(sketch, name) for name in ("r", *self.factors)}
        kernel = bank
        if self.factors_first:
            for name in self.factors:
                kernel = sketch.node("Mul", [kernel, gates[name]], f"bank_times_{name}", module="layer")
        weighed = sketch.node("Mul", [gates["r"], kernel], "weighed", module="layer")
        kernel = sketch.node(
            "ReduceSum", [weighed, sketch.constant("first", (0,))], "mixed", keepdims=0, module="layer"
        )
        if not self.factors_first:
            for name in self.factors:
                kernel = sketch.node("Mul", [kernel, gates[name]], f"kernel_times_{name}", module="layer")
            shape = sketch.constant("kernel_shape", self.conv.weight_shape)
            kernel = sketch.node("Reshape", [kernel, shape], "kernel", module="layer")
        inputs = ["x", kernel]
        if self.bias:
            numbers = generator.standard_normal(self.conv.out_channels).astype(np.float32)
            inputs.append(sketch.constant("bias", numbers))
        sketch.node("Conv", inputs, "y", module="layer", **dict(self.conv.settings.attributes()))
        return sketch.model("y")

    def _gate(self, sketch: Sketch, name: str) -> str:
        gate = sketch.node("Sigmoid", [name], f"{name}_gate", module="layer")
        height, width = self.conv.settings.kernel
        out, per_group = self.conv.weight_shape[:2]
        inner = {"r": (1, 1, 1, 1), "out": (out, 1, 1, 1), "in": (1, per_group, 1, 1), "taps": (1, 1, height, width)}
        lead = self.experts if name == "r" else 1
        shape = sketch.constant(f"{name}_shape", (lead, *inner[name]))
        return sketch.node("Reshape", [gate, shape], f"{name}_column", module="layer")
