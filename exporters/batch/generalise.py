"""From a graph for one image to the same graph for a batch.

The batch-1 graph is the network's function of one image. The batch axis is followed from the input through every
operator; whatever baked the number one into the graph (Reshape targets) is rewritten, and an operator that would mix
images or has no place for the axis is refused by name. What comes out is proven against PyTorch at several batches.
"""

from __future__ import annotations

import onnx_ir as ir

from condmix.exporters.batch.axis_rules import AXIS_RULES
from condmix.exporters.batch.reshape import batch_place, batched_target
from condmix.exporters.batch.resize import scales_for_sizes, states_sizes
from condmix.exporters.errors import NotExportableError
from condmix.exporters.graph.facts import constant_ints, is_op, module_path, static_shape
from condmix.exporters.graph.splice import remove_unused
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.named.mixconv import is_mixconv


def generalise(model: ir.Model, batch: BatchAxis) -> None:
    """Give the batch-1 graph the batch axis `batch`, in place.

    Raises NotExportableError listing every operator that stands in the way, with its module.
    """
    if batch.is_one:
        return
    graph = model.graph
    axes: dict[ir.Value, int | None] = dict.fromkeys(graph.inputs, 0)
    problems: list[str] = []
    _keep_batch_in_results(graph)
    for node in graph:
        incoming = [None if value is None else axes.get(value) for value in node.inputs]
        if all(axis is None for axis in incoming):
            continue
        answer = _place(graph, node, incoming, batch)
        if isinstance(answer, str):
            problems.append(f"{module_path(node) or 'network'}: {node.op_type} '{node.name}': {answer}")
            # Follow on as if it had kept the leading axis, so that later problems show up as well.
            answer = 0
        for output in node.outputs:
            axes[output] = answer
    problems += [
        f"output '{output.name}' does not depend on the image: it has no row for each"
        for output in graph.outputs
        if axes.get(output) is None
    ]
    if problems:
        summary = "the network cannot be given a batch axis; export it with --batch 1, or change these places:"
        raise NotExportableError(summary, tuple(problems))
    for value, axis in axes.items():
        if axis is not None and value.shape is not None:
            dimensions = list(value.shape)
            dimensions[axis] = batch.dimension if isinstance(batch.dimension, int) else ir.SymbolicDim(batch.dimension)
            value.shape = ir.Shape(dimensions)
    remove_unused(graph)


def _place(graph: ir.Graph, node: ir.Node, incoming: list[int | None], batch: BatchAxis) -> int | str:
    """The batch axis of the node's outputs, or why there is none. Rewrites baked shapes."""
    if is_mixconv(node):
        return 0 if incoming[0] == 0 else "its input has no leading batch axis"
    if is_op(node, "Reshape"):
        return _reshape(graph, node, incoming[0], batch)
    if is_op(node, "Expand"):
        return _expand(node, incoming[0])
    if is_op(node, "Resize"):
        _name_factors(graph, node)
    rule = AXIS_RULES.get(node.op_type)
    if rule is None:
        return "no rule says where its batch axis goes"
    return rule(node, incoming)


def _reshape(graph: ir.Graph, node: ir.Node, axis: int | None, batch: BatchAxis) -> int | str:
    source = node.inputs[0]
    if source is None or axis is None:
        return "its target shape depends on the image"
    place = batch_place(static_shape(source), axis, static_shape(node.outputs[0]))
    if place is None:
        shapes = f"{static_shape(source)} to {static_shape(node.outputs[0])}"
        return f"it merges the batch axis with another ({shapes})"
    target = batched_target(node, place, batch)
    if target is None:
        return "its target shape is computed"
    _register(graph, target)
    node.replace_input_with(1, target)
    node.attributes.pop("allowzero", None)
    return place


def _name_factors(graph: ir.Graph, node: ir.Node) -> None:
    scales = scales_for_sizes(node) if states_sizes(node) else None
    if scales is not None:
        _register(graph, scales)
        node.replace_input_with(2, scales)
        node.resize_inputs(3)


def _register(graph: ir.Graph, value: ir.Value) -> None:
    """The constant under a name that is free: a file of ours that is read again has the same ones."""
    name, number = value.name, 2
    while value.name in graph.initializers:
        value.name, number = f"{name}_{number}", number + 1
    graph.register_initializer(value)


def _expand(node: ir.Node, axis: int | None) -> int | str:
    target = constant_ints(node.inputs[1])
    source = node.inputs[0]
    if target is None or source is None or axis is None:
        return "its target shape is computed"
    # Shapes meet at the right: a target of fewer axes leaves the leading ones as they are.
    more = len(target) - len(static_shape(source))
    if axis + more >= 0 and target[axis + more] != 1:
        return "it repeats images"
    return axis + max(more, 0)


def _keep_batch_in_results(graph: ir.Graph) -> None:
    """A network that squeezes its result loses the batch axis at batch 1 only: its rows are its results otherwise."""
    for output in graph.outputs:
        node = output.producer()
        if node is None or not is_op(node, "Reshape") or node.inputs[0] is None or output.uses():
            continue
        before, after = static_shape(node.inputs[0]), static_shape(output)
        if before[:1] != (1,) or batch_place(before, 0, after) is not None:
            continue
        output.shape = ir.Shape((1, *after))
