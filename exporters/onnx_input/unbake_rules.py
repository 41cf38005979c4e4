"""Where the images go through each operator of a graph for N of them, and what of N it holds itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx_ir as ir

from condmix.exporters.batch.axis_rules import AXIS_RULES, ELEMENTWISE
from condmix.exporters.graph.facts import attribute_int, attribute_ints, constant, constant_ints, is_op, static_shape
from condmix.exporters.onnx_input.unbake_state import All, One, Place, after_reshape
from condmix.exporters.onnx_input.unbaking import Unbaking, store_once

Answer = list[Place] | str
CHANNELWISE = ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")


def place_of(state: Unbaking, node: ir.Node, incoming: Sequence[Place]) -> Answer:
    """The place of each output, or why there is none."""
    present = [place for place in incoming if place is not None]
    single = {place for place in present if isinstance(place, One)}
    if is_op(node, "Concat") and len(single) == len(incoming) == state.images > 1:
        return _gathered(state, node, incoming)
    if single:
        if len(single) != 1 or len(present) != len([p for p in present if isinstance(p, One)]):
            return "it mixes images"
        return [single.pop()] * len(node.outputs)
    rule = _RULES.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    if rule is not None:
        return rule(state, node, incoming)
    if node.op_type in ELEMENTWISE:
        return _aligned(state, node, incoming)
    general = AXIS_RULES.get(node.op_type)
    axes = [place.axis if isinstance(place, All) else None for place in incoming]
    if general is None:
        return "no rule says where its images go"
    if not all(isinstance(place, All) and place.is_plain for place in present):
        return "it works on an axis that holds the images among other things"
    axis = general(node, axes)
    return axis if isinstance(axis, str) else [All(axis)] * len(node.outputs)


def _gathered(state: Unbaking, node: ir.Node, incoming: Sequence[Place]) -> Answer:
    """All images after one another again, each by its own branch: the branch of the first stands for all."""
    if [place.index for place in incoming if isinstance(place, One)] != list(range(state.images)):
        return "it puts the images in another order"
    first = node.inputs[0]
    assert first is not None
    axis = attribute_int(node, "axis", 0) % len(static_shape(first))
    node.resize_inputs(1)
    return [All(axis, 1, static_shape(first)[axis])]


def _aligned(state: Unbaking, node: ir.Node, incoming: Sequence[Place]) -> Answer:
    """Broadcasting aligns from the right; what is stored once an image is stored once."""
    rank = len(static_shape(node.outputs[0]))
    found = {
        All(place.axis + rank - len(static_shape(value)), place.outer, place.inner)
        for value, place in zip(node.inputs, incoming, strict=True)
        if value is not None and isinstance(place, All)
    }
    if len(found) != 1:
        return "its inputs hold the images in different ways"
    place = found.pop()
    for index, (value, own) in enumerate(zip(node.inputs, incoming, strict=True)):
        axis = -1 if value is None else place.axis - (rank - len(static_shape(value)))
        if value is None or own is not None or axis < 0 or static_shape(value)[axis] == 1:
            continue
        problem = store_once(state, node, index, All(axis, place.outer, place.inner))
        if problem is not None:
            return problem
    return [place] * len(node.outputs)


def _reshape(state: Unbaking, node: ir.Node, incoming: Sequence[Place]) -> Answer:
    source, place = node.inputs[0], incoming[0]
    if source is None or not isinstance(place, All):
        return "its target shape depends on the images"
    target = static_shape(node.outputs[0])
    found = after_reshape(place, state.images, static_shape(source), target)
    if found is None:
        return f"it cuts through the images ({list(static_shape(source))} to {list(target)})"
    numbers = list(target)
    numbers[found.axis] //= state.images
    state.set_ints(node, 1, numbers)
    return [found]


def _expand(state: Unbaking, node: ir.Node, incoming: Sequence[Place]) -> Answer:
    source, place, target = node.inputs[0], incoming[0], constant_ints(node.inputs[1])
    if source is None or not isinstance(place, All) or target is None:
        return "its target shape is computed"
    more = len(static_shape(node.outputs[0])) - len(static_shape(source))
    axis = place.axis + more
    numbers = list(static_shape(node.outputs[0]))
    if numbers[axis] != static_shape(source)[place.axis]:
        return "it repeats images"
    numbers[axis] //= state.images
    state.set_ints(node, 1, numbers)
    return [All(axis, place.outer, place.inner)]


def _conv(state: Unbaking, node: ir.Node, incoming: Sequence[Place]) -> Answer:
    x, *others = incoming
    weight = node.inputs[1]
    assert weight is not None
    if x == All(0) and all(place is None for place in others):
        return [All(0)]
    group = attribute_int(node, "group", 1)
    merged = isinstance(x, All) and x.axis == 1 and x.outer == 1
    if not merged or group % state.images or static_shape(weight)[0] % state.images:
        return "its weights depend on the images, which are not its groups"
    for index, place in enumerate(others, start=1):
        value = node.inputs[index]
        if value is None:
            continue
        wanted = All(0, 1, static_shape(value)[0] // state.images)
        if place is None:
            problem = store_once(state, node, index, wanted)
            if problem is not None:
                return problem
        elif place != wanted:
            return "its weights do not hold the images in the order of its groups"
    state.groups.append((node, group // state.images))
    return [All(1, 1, static_shape(node.outputs[0])[1] // state.images)]


def _channelwise(_state: Unbaking, node: ir.Node, incoming: Sequence[Place]) -> Answer:
    place = incoming[0]
    if not isinstance(place, All) or place.axis > 1:
        return "it works on an axis that holds the images"
    return [place] * len(node.outputs)


def _matmul(_state: Unbaking, node: ir.Node, incoming: Sequence[Place]) -> Answer:
    ranks = [len(static_shape(value)) for value in node.inputs if value is not None]
    rank = len(static_shape(node.outputs[0]))
    if min(ranks) < 2:
        return "a product with a vector has no place for the images"
    left, right = incoming
    if isinstance(left, All) and right is None and left.axis == ranks[0] - 2:
        return [All(rank - 2, left.outer, left.inner)]
    if left is None and isinstance(right, All) and right.axis == ranks[1] - 1:
        return [All(rank - 1, right.outer, right.inner)]
    found = set()
    for place, own in zip(incoming, ranks, strict=True):
        if isinstance(place, All):
            if place.axis >= own - 2:
                return "the images lie on one of the two axes that are multiplied"
            found.add(All(place.axis + rank - own, place.outer, place.inner))
    if len(found) != 1:
        return "its inputs hold the images in different ways"
    place = found.pop()
    for value, other, own in zip(node.inputs, incoming, ranks, strict=True):
        axis = place.axis - (rank - own)
        if other is None and value is not None and axis >= 0 and static_shape(value)[axis] != 1:
            return f"'{value.name}' has a row for each image"
    return [place]


def _gemm(state: Unbaking, node: ir.Node, incoming: Sequence[Place]) -> Answer:
    if incoming[0] != All(0) or attribute_int(node, "transA", 0) or any(place is not None for place in incoming[1:]):
        return "only its first input may hold the images, as rows"
    added = node.inputs[2] if len(node.inputs) > 2 else None
    if added is not None and len(static_shape(added)) == 2 and static_shape(added)[0] != 1:
        problem = store_once(state, node, 2, All(0))
        if problem is not None:
            return problem
    return [All(0)]


def _transpose(_state: Unbaking, node: ir.Node, incoming: Sequence[Place]) -> Answer:
    place = incoming[0]
    assert isinstance(place, All)
    rank = len(static_shape(node.outputs[0]))
    permutation = attribute_ints(node, "perm", tuple(reversed(range(rank))))
    return [All(permutation.index(place.axis), place.outer, place.inner)]


def _split(state: Unbaking, node: ir.Node, incoming: Sequence[Place]) -> Answer:
    source, place = node.inputs[0], incoming[0]
    assert source is not None
    assert isinstance(place, All)
    axis = attribute_int(node, "axis", 0) % len(static_shape(source))
    if axis != place.axis:
        return [place] * len(node.outputs)
    lengths = {static_shape(output)[axis] for output in node.outputs}
    if len(node.outputs) != state.images or place.outer != 1 or lengths != {place.inner}:
        return "it cuts the images apart unevenly"
    state.replaced += [(output, source) for output in node.outputs]
    return [One(index) for index in range(state.images)]


def _slice(state: Unbaking, node: ir.Node, incoming: Sequence[Place]) -> Answer:
    source, place = node.inputs[0], incoming[0]
    assert source is not None
    if not isinstance(place, All):
        return "its bounds depend on the images"
    shape = static_shape(source)
    starts, ends = constant_ints(node.inputs[1]), constant_ints(node.inputs[2])
    axes = constant_ints(node.inputs[3]) if len(node.inputs) > 3 else tuple(range(len(starts or ())))
    steps = constant_ints(node.inputs[4]) if len(node.inputs) > 4 else (1,) * len(starts or ())
    if starts is None or ends is None or axes is None or steps is None:
        return "its bounds are computed"
    cut = {axis % len(shape): bounds for axis, *bounds in zip(axes, starts, ends, steps, strict=True)}
    if place.axis not in cut:
        return [place]
    length = shape[place.axis]
    begin, end, step = cut[place.axis]
    start, stop, _ = slice(begin, end, step).indices(length)
    if (start, stop, step) == (0, length, 1):
        if len(cut) > 1:
            own = [axis % len(shape) == place.axis for axis in axes]
            pairs = zip(own, ends, strict=True)
            state.set_ints(node, 2, [length // state.images if is_own else stop for is_own, stop in pairs])
        else:
            state.replaced.append((node.outputs[0], source))
        return [place]
    # One element may be picked by a step beyond the end: TensorFlow's exporters write x[1] so.
    if place.outer != 1 or range(start, stop, step) != range(start, start + place.inner) or start % place.inner:
        return "it slices the axis of the images"
    if len(cut) > 1:
        # One image of many, and a part of it: of the one that is left, the same part.
        own = [axis % len(shape) == place.axis for axis in axes]
        state.set_ints(node, 1, [0 if is_own else first for is_own, first in zip(own, starts, strict=True)])
        state.set_ints(node, 2, [place.inner if is_own else last for is_own, last in zip(own, ends, strict=True)])
    else:
        state.replaced.append((node.outputs[0], source))
    return [One(start // place.inner)]


def _gather(state: Unbaking, node: ir.Node, incoming: Sequence[Place]) -> Answer:
    source, place, indices = node.inputs[0], incoming[0], constant(node.inputs[1])
    if source is None or not isinstance(place, All) or indices is None:
        return "its indices depend on the images"
    own = attribute_int(node, "axis", 0) % len(static_shape(source))
    if own == place.axis:
        if indices.size != 1 or not place.is_plain:
            return "it picks among the images"
        state.inputs.append((node, 1, state.constant(np.zeros_like(indices))))
        return [One(int(indices.reshape(-1)[0]) % state.images)]
    shift = 0 if place.axis < own else indices.ndim - 1
    return [All(place.axis + shift, place.outer, place.inner)]


_RULES: Mapping[str, Callable[[Unbaking, ir.Node, Sequence[Place]], Answer]] = {
    "Reshape": _reshape,
    "Expand": _expand,
    "Conv": _conv,
    "ConvTranspose": _conv,
    **dict.fromkeys(CHANNELWISE, _channelwise),
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Transpose": _transpose,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
}
