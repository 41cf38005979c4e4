"""From the same graph at several sizes to one graph for any height and width.

What differs between the twins is what the size of the image decided. Each such number is replaced by a rule that gives
it at every captured size; what no rule explains is refused by name. Sizes that were not captured prove the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import onnx_ir as ir

from condmix.exporters.errors import NotExportableError
from condmix.exporters.graph.facts import attribute_ints, module_path
from condmix.exporters.graph.splice import remove_unused
from condmix.exporters.records import RewriteStep
from condmix.exporters.sizes.pads import free_pad, free_window, is_window
from condmix.exporters.sizes.slices import free_slice
from condmix.exporters.sizes.targets import free_expand, free_reshape, free_resize
from condmix.exporters.sizes.twins import Shape, Site, Twins, align

HEIGHT, WIDTH = "height", "width"
RULE = "free_size"
Rule = Callable[[Site], str | None]
NUMBER_RULES: Mapping[str, tuple[tuple[int, ...], Rule]] = {
    "Reshape": ((1,), free_reshape),
    "Expand": ((1,), free_expand),
    "Resize": ((2, 3), free_resize),
    "Slice": ((1, 2), free_slice),
    "Pad": ((1,), free_pad),
}
"""Operators whose numbers may depend on the size: which inputs hold them, and who explains them."""


def generalise_size(
    models: Sequence[ir.Model], sizes: Sequence[tuple[int, int]], *, inner: bool = True
) -> tuple[RewriteStep, ...]:
    """The first of the models is for any height and width, in place; one step a node that had to change.

    sizes: the height and width that each was captured at. inner: values that are neither inputs nor outputs lose the
    numbers of the first size too.
    Raises NotExportableError naming every place whose numbers no rule gives.
    """
    twins = align(models, sizes)
    steps: list[RewriteStep] = []
    problems: list[str] = []
    for site in twins.sites:
        before = site.node.op_type
        changed = bool(site.differing_attributes or site.differing_constants)
        problem = _free(site) if changed else None
        if problem is not None:
            problems.append(f"{site.named()}: {problem}")
        elif changed:
            steps.append(RewriteStep(rule=RULE, path=module_path(site.node), applied=True, note=before))
    if problems:
        summary = "height and width cannot be left open; leave --dynamic-size out, or change these places:"
        raise NotExportableError(summary, tuple(problems))
    _name_axes(twins, inner=inner)
    graph = models[0].graph
    remove_unused(graph)
    return tuple(steps)


def _free(site: Site) -> str | None:
    node = site.node
    attributes, constants = set(site.differing_attributes), site.differing_constants
    if is_window(node) and not constants:
        if attributes <= {"kernel_shape", "strides"} and _is_global(site):
            _pool_globally(node)
            return None
        return free_window(site) if attributes == {"pads"} else _attributes(attributes)
    known = NUMBER_RULES.get(node.op_type) if not node.domain else None
    if attributes:
        return _attributes(attributes)
    if known is None or not set(constants) <= set(known[0]):
        value = node.inputs[constants[0]]
        shown = "" if value is None else f" '{value.name}'"
        return f"its constant{shown} depends on the size of the image (such as a grid, anchors, or a layer of weights)"
    return known[1](site)


def _attributes(names: set[str]) -> str:
    return f"its {' and '.join(sorted(names))} depend on the size of the image, and no operator computes them"


def _is_global(site: Site) -> bool:
    """Whether the window is the whole map at every size."""
    return site.node.op_type in ("AveragePool", "MaxPool") and all(
        attribute_ints(node, "kernel_shape", ()) == shape[2:]
        and not any(attribute_ints(node, "pads", (0, 0, 0, 0)))
        and set(attribute_ints(node, "dilations", (1, 1))) == {1}
        and after[2:] == (1, 1)
        for node, shape, after in zip(site.nodes, site.input_shapes(0), site.output_shapes(), strict=True)
    )


def _pool_globally(node: ir.Node) -> None:
    node.op_type = f"Global{node.op_type}"
    node.attributes.clear()


def _name_axes(twins: Twins, *, inner: bool) -> None:
    """Axes that depend on the size lose their numbers; those of inputs and outputs get names."""
    graph = twins.models[0].graph
    all_shapes = {value: twins.shapes(value) for value in twins.partners}
    for value, shapes in all_shapes.items():
        named = value.is_graph_input() or value.is_graph_output()
        if value.shape is None or not (inner or named):
            continue
        dimensions = [
            lengths[0] if len(set(lengths)) == 1 else _axis_name(all_shapes, value, axis) if named else None
            for axis, lengths in enumerate(zip(*shapes, strict=True))
        ]
        value.shape = ir.Shape([one if isinstance(one, int) else ir.SymbolicDim(one) for one in dimensions])
    for node in graph:
        for output in node.outputs:
            if output not in twins.partners and node.op_type == "Pad" and output.shape is not None:
                output.shape = ir.Shape([*list(output.shape)[:2], ir.SymbolicDim(None), ir.SymbolicDim(None)])


def _axis_name(shapes: Mapping[ir.Value, Sequence[Shape]], value: ir.Value, axis: int) -> str:
    """`height` and `width` for the axes of the image; an output's by its own name, unless it is as long."""
    image = next(value for value in shapes if value.is_graph_input())
    lengths = [shape[axis] for shape in shapes[value]]
    for place, name in ((2, HEIGHT), (3, WIDTH)):
        if lengths == [shape[place] for shape in shapes[image]]:
            return name
    usual = {2: HEIGHT, 3: WIDTH}.get(axis, f"axis{axis}") if len(shapes[value][0]) == 4 else f"axis{axis}"
    return f"{value.name}_{usual}"
