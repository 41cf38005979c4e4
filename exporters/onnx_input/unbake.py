"""From a graph for N images to the same network's graph for one.

Somebody exported at batch N, and N went into the graph: as the leading axis of shapes, and, where a layer mixes its
kernels, as N times the groups of one convolution over [1, N * channels, height, width]. The images are followed from
the input through every operator; numbers that hold N are divided by it, an operator that takes images apart or mixes
them is refused by name. The result is proven against the file itself on N different images at once.
"""

from __future__ import annotations

import onnx_ir as ir

from condmix.exporters.graph.facts import module_path
from condmix.exporters.graph.splice import remove_unused
from condmix.exporters.onnx_input.unbake_rules import place_of
from condmix.exporters.onnx_input.unbake_state import All, Place
from condmix.exporters.onnx_input.unbaking import Unbaking


def unbake(model: ir.Model, images: int) -> tuple[str, ...]:
    """The graph's input holds one image instead of `images`, and all constants are for one.

    Returns a sentence for every operator that stands in the way; the model is only sound when there is none. Shapes of
    values other than the inputs are not known any more.
    """
    graph = model.graph
    state = Unbaking(graph=graph, images=images)
    places: dict[ir.Value, Place] = {value: All(0) for value in graph.inputs}
    problems: list[str] = []
    for node in list(graph):
        incoming = [None if value is None else places.get(value) for value in node.inputs]
        if all(place is None for place in incoming):
            continue
        answers = place_of(state, node, incoming)
        if isinstance(answers, str):
            problems.append(f"{module_path(node) or 'network'}: {node.op_type} '{node.name}': {answers}")
            answers = [All(0)] * len(node.outputs)
        for output, place in zip(node.outputs, answers, strict=True):
            places[output] = place
    for output in graph.outputs:
        if places.get(output) != All(0):
            problems.append(f"output '{output.name}' does not hold the {images} images on its first axis")
    if problems:
        return tuple(problems)
    state.finish()
    for value in graph.inputs:
        if value.shape is not None:
            value.shape = ir.Shape((1, *list(value.shape)[1:]))
    for node in graph:
        for output in node.outputs:
            rank = 0 if output.shape is None else len(output.shape)
            output.shape = ir.Shape([None] * rank) if output.is_graph_output() else None
    remove_unused(graph)
    return ()
