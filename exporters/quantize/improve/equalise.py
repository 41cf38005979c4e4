"""Cross-layer equalisation: neighbouring layers share out the sizes of the channels between them.

Nagel et al. 2019, Data-Free Quantization Through Weight Equalization and Bias Correction (arXiv 1906.04721), section
4.1: where f(s x) = s f(x) for positive s, W2 f(W1 x + b1) = (W2 S) f(S^-1 W1 x + S^-1 b1). With
s_i = sqrt(range of channel i in W1 / range of channel i in W2) both ranges are the same afterwards.

Runs before calibration: the values in between change, and get new names because their meaning changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import MODULE_KEY, constant, is_op, only_consumer, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.quantize.improve.layers import Layer, Part, read_layer, rebuilt
from condmix.exporters.rewrite.rule import Exactness, Refusal

MARK = "condmix.equalised"
"""Metadata key: how often a layer's outputs were scaled."""
MOST_TIMES = 12
"""A chain of layers settles step by step; the last steps no longer matter."""
LEAST_FACTOR = 1.1
"""A pair whose factors all lie within this is left as it is."""
LARGEST_FACTOR = 256.0

HOMOGENEOUS = ("Relu", "LeakyRelu", "PRelu", "MaxPool", "AveragePool", "GlobalAveragePool", "Identity")
"""Channel by channel f(s x) = s f(x) for positive s."""
RESHAPES = ("Flatten", "Reshape", "Squeeze")
NOT_HOMOGENEOUS = ("Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "Mul", "Selu", "Sigmoid", "Softplus", "Tanh")


@dataclass(frozen=True)
class Equalise:
    """Layer -> positively homogeneous operators -> layer: the same function with evenly sized channels."""

    name: str = "equalise"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | Refusal | None:
        reader = read_layer(node)
        if reader is None:
            return None
        chain, refusal = _chain_before(reader)
        if refusal is not None:
            return refusal
        writer = _producing_layer(chain[0].inputs[0] if chain else reader.x)
        if writer is None:
            return None
        times = int(writer.node.metadata_props.get(MARK, "0"))
        factors = channel_factors(
            np.concatenate([part.output_ranges() for part in writer.parts]),
            np.concatenate([part.input_ranges() for part in reader.parts]),
            np.concatenate([_largest_bias(part) for part in writer.parts]),
        )
        largest = float(np.exp(np.abs(np.log(factors)).max(initial=0.0)))
        if largest <= LEAST_FACTOR or times >= MOST_TIMES:
            return None
        builder = NodeBuilder(writer.path)
        written = [part.scaled_outputs(1 / factors[part.outputs]) for part in writer.parts]
        value = rebuilt(writer, written, builder, marks={MARK: str(times + 1)})
        value.name = f"{writer.path}/equalised" if writer.path else "equalised"
        for link in chain:
            value = _repeated(link, value, builder)
        read = [part.scaled_inputs(factors[part.inputs]) for part in reader.parts]
        builder.path = reader.path
        result = rebuilt(reader, read, builder, x=value)
        return Replacement(
            removed=(writer.node, *chain, node),
            results=((reader.output, result),),
            builder=builder,
            note=f"{len(factors)} channels behind '{writer.path}' scaled, by {largest:.3g} at most",
        )


def channel_factors(written_o: np.ndarray, read_i: np.ndarray, bias_o: np.ndarray) -> np.ndarray:
    """What each channel between two layers is divided by: float64, above 0.

    written_o, read_i: the ranges of a channel's weights in front and behind; bias_o: its largest bias. A channel that
    is dead on either side keeps its size. No channel is enlarged so far that its bias outgrows all others: the paper
    absorbs such biases (section 4.1.3), which is no exact step.
    """
    alive = (written_o > 0) & (read_i > 0)
    if not alive.any():
        return np.ones(len(written_o))
    exact = np.sqrt(np.where(alive, written_o, 1.0).astype(np.float64) / np.where(alive, read_i, 1.0))
    middle = float(np.median(exact[alive]))
    bias = np.abs(bias_o).astype(np.float64)
    largest_bias = float(bias[alive].max())
    least = middle * np.maximum(bias / largest_bias if largest_bias > 0 else 0.0, 1 / LARGEST_FACTOR)
    return np.where(alive, np.clip(exact, least, np.maximum(least, middle * LARGEST_FACTOR)), 1.0)


def _largest_bias(part: Part) -> np.ndarray:
    rows = [part.bias_o] if part.expert_bias_eo is None else [part.bias_o, *part.expert_bias_eo]
    largest: np.ndarray = np.abs(np.stack(rows)).max(axis=0)
    return largest


def _chain_before(reader: Layer) -> tuple[tuple[ir.Node, ...], Refusal | None]:
    """The operators between `reader` and the layer in front of it, in order; why they cannot be scaled through.

    Without a layer in front there is nothing to refuse.
    """
    chain: list[ir.Node] = []
    value = reader.x
    shared = only_consumer(value) is None
    while (node := value.producer()) is not None and _scales(node):
        chain.insert(0, node)
        value = node.inputs[0]  # type: ignore[assignment]
        shared = shared or only_consumer(value) is None
    if _producing_layer(value) is not None:
        return tuple(chain), Refusal(reason=f"'{value.name}' has other readers") if shared else None
    if node is not None and is_op(node, *NOT_HOMOGENEOUS) and any(_producing_layer(item) for item in _behind(node)):
        return (), Refusal(reason=f"{node.op_type} does not scale with its input")
    return (), None


def _behind(node: ir.Node) -> list[ir.Value]:
    """The computed inputs of a node, through one gate: x Sigmoid(x) counts as reading x."""
    values = [value for value in node.inputs if value is not None and value.producer() is not None]
    gates = [value.producer() for value in values]
    return values + [item for gate in gates if is_op(gate, *NOT_HOMOGENEOUS) for item in gate.inputs[:1] if item]  # type: ignore[union-attr]


def _producing_layer(value: ir.Value | None) -> Layer | None:
    node = None if value is None else value.producer()
    return None if node is None else read_layer(node)


def _scales(node: ir.Node) -> bool:
    if len(node.outputs) != 1 or node.inputs[0] is None:
        return False
    if is_op(node, "PRelu"):
        return constant(node.inputs[1]) is not None
    if is_op(node, *RESHAPES):
        before, after = static_shape(node.inputs[0]), static_shape(node.outputs[0])
        return len(after) > 1 and before[1] == after[1] == int(np.prod(before))
    return is_op(node, *HOMOGENEOUS)


def _repeated(link: ir.Node, x: ir.Value, builder: NodeBuilder) -> ir.Value:
    """The same operator on another input."""
    result = builder.one(link.op_type, [x, *link.inputs[1:]], static_shape(link.outputs[0]), role="equalised")
    copy = builder.nodes[-1]
    copy.attributes.update(link.attributes)
    copy.metadata_props[MODULE_KEY] = link.metadata_props.get(MODULE_KEY, "")
    return result
