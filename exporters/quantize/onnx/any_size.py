"""An int8 graph for any height and width: the float graph is freed before it is rounded, beside its twins.

The twins are the network's rewritten graphs at other sizes, with the weights that are to be rounded and the value names
by which ranges are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from condmix.exporters.build import Prepared
from condmix.exporters.graph.facts import constant, is_op
from condmix.exporters.quantize.onnx.float_graph import FloatGraph, build_float_graph
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.sizes.choice import Sides
from condmix.exporters.sizes.generalise import generalise_size
from condmix.exporters.sizes.twins import align


@dataclass(frozen=True, kw_only=True, eq=False)
class OtherSizes:
    """A network beside the given size. base: its rewritten graph at sides[0], before any weight was improved.

    models: its rewritten graphs at sides[1:]. metadata: what the file says of its sizes.
    """

    sides: tuple[Sides, ...]
    base: ir.Model
    models: tuple[ir.Model, ...]
    metadata: Mapping[str, str]


def free_float_graph(floats: FloatGraph, prepared: Prepared, options: OnnxInt8Options, others: OtherSizes) -> None:
    """The float graph is for any height and width, in place; inner values keep the numbers of the given size.

    Raises NotExportableError for what no rule gives.
    """
    twins = []
    for model in others.models:
        twin = replace(prepared, model=as_twin(prepared.model, others.base, model))
        twins.append(build_float_graph(twin, options, positions=floats.positions).model)
    generalise_size([floats.model, *twins], others.sides, inner=False)


def as_twin(improved: ir.Model, base: ir.Model, other: ir.Model) -> ir.Model:
    """A copy of `other` with the value names of `base` and the weights of `improved`, its own sizes apart."""
    copy = other.clone()
    twins = align([base.clone(), copy], ((0, 0), (1, 1)))
    pairs = [(first, second) for first, (_, second) in twins.partners.items()]
    # Two steps: a name that one value gives up may be another's.
    for number, (_, second) in enumerate(pairs):
        second.name = f"__twin_{number}"
    for first, second in pairs:
        second.name = first.name
    nodes = {node.outputs[0].name: node for node in copy.graph}
    for node in improved.graph:
        if node.outputs[0].name in nodes:
            _take_weights(node, nodes[node.outputs[0].name])
    return copy


def _take_weights(source: ir.Node, target: ir.Node) -> None:
    """Every stored real number of the node; a bias that was added to it as well."""
    graph = target.graph
    assert isinstance(graph, ir.Graph)
    for index, value in enumerate(source.inputs):
        array = constant(value)
        if value is None or array is None or array.dtype != np.float32:
            continue
        own = constant(target.inputs[index]) if index < len(target.inputs) else None
        if own is not None and own.shape == array.shape and np.array_equal(own, array):
            continue
        taken = ir.Value(
            name=f"{target.outputs[0].name}/taken_{index}",
            shape=ir.Shape(array.shape),
            type=ir.TensorType(ir.DataType.FLOAT),
            const_value=ir.tensor(array),
        )
        graph.register_initializer(taken)
        if index >= len(target.inputs):
            target.resize_inputs(index + 1)
        target.replace_input_with(index, taken)


def read_shapes_of_integers(model: ir.Model) -> None:
    """Shape asks the integers, in place: the real numbers they stand for need not be made for it."""
    for node in model.graph:
        source = node.inputs[0] if is_op(node, "Shape") else None
        producer = None if source is None else source.producer()
        if producer is not None and is_op(producer, "DequantizeLinear"):
            node.replace_input_with(0, producer.inputs[0])
