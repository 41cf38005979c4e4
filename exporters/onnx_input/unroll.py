"""Loops that run a fixed number of times, written out turn by turn: what tf.map_fn over the images becomes.

How often one runs may depend on the shapes, so on the batch, but never on the numbers in the image (`fixed_values`).
Nothing is run that has a loop, or values beyond reason: the turns are counted on what decides them alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, helper, numpy_helper

from condmix.exporters.errors import OnnxInputError
from condmix.exporters.onnx_input.fixed_values import body_of, fixed_values, inner_names, runs_a_fixed_number_of_times
from condmix.exporters.onnx_input.refuse import opset_of
from condmix.exporters.onnx_input.shapes import ImageInput
from condmix.exporters.onnx_input.static import require_small, with_sizes
from condmix.exporters.verify.shown_values import with_outputs
from condmix.runtime.errors import ModelUnreadableError, SessionFailedError
from condmix.runtime.onnx_session import OnnxRuntimeBackend

MOST_TURNS = 64
"""As many as images in a baked batch."""
MOST_LOOPS = 256
_AXES_ARE_AN_INPUT = 13
"""Of Unsqueeze, from this operator set on."""


def unroll(place: str, proto: onnx.ModelProto, taken: ImageInput, images: int) -> onnx.ModelProto:
    """The same function without Loop, for so many images of this size.

    Raises OnnxInputError where the image decides how often a loop runs, and for loops of more than MOST_TURNS turns.
    """
    for _ in range(MOST_LOOPS):
        loop = next((node for node in proto.graph.node if node.op_type == "Loop"), None)
        if loop is None:
            return proto
        if not _fits(loop):
            text = f"inputs and outputs of its Loop {_called(loop)} do not fit those of its body: export it again"
            raise OnnxInputError(place, (("ONNX_INVALID", text),))
        if not runs_a_fixed_number_of_times(loop, fixed_values(proto.graph)):
            text = f"the image decides how often its Loop {_called(loop)} runs: export it with that loop unrolled"
            raise _refused(place, text)
        turns = _Counting(place=place, proto=proto, taken=taken, images=images).turns(loop)
        proto = _written_out(proto, loop, turns).proto
    raise _refused(place, f"it has more than {MOST_LOOPS} loops, the inner ones counted at every turn")


def _refused(place: str, text: str) -> OnnxInputError:
    return OnnxInputError(place, (("ONNX_CONTROL_FLOW", text),))


def _fits(loop: onnx.NodeProto) -> bool:
    """Whether the body takes the turn, the condition and what is carried, and gives one more than the loop does."""
    body = body_of(loop)
    carried = len(loop.input) - 2
    return (
        carried >= 0
        and len(body.input) == len(loop.input)
        and len(body.output) > carried
        and len(loop.output) < len(body.output)
        and bool(loop.output[0])
    )


def _called(node: onnx.NodeProto) -> str:
    return f"'{node.name or node.output[0]}'"


@dataclass(frozen=True, kw_only=True)
class _Counting:
    """How often the first loop of a graph runs."""

    place: str
    proto: onnx.ModelProto
    taken: ImageInput
    images: int

    def turns(self, loop: onnx.NodeProto) -> int:
        """From 1 to MOST_TURNS; the condition that is known before a turn decides whether there is one."""
        most, first = loop.input[:2]
        values = self._values(self.proto, [name for name in (most, first) if name])
        allowed = int(values[most].item()) if most else MOST_TURNS + 1
        if first and not values[first].item():
            allowed = 0
        tried = min(allowed, MOST_TURNS + 1)
        if tried >= 1:
            written = _written_out(self.proto, loop, tried)
            goes_on = self._values(written.proto, written.conditions)
            flags = [bool(goes_on[name].item()) for name in written.conditions]
            # The last condition is about a turn that the count does not allow any more.
            tried = flags[:-1].index(False) + 1 if False in flags[:-1] else tried
        if not 1 <= tried <= MOST_TURNS:
            found = "never" if tried < 1 else f"more than {MOST_TURNS} times"
            raise _refused(self.place, f"its Loop {_called(loop)} runs {found}: export it with that loop unrolled")
        return tried

    def _values(self, proto: onnx.ModelProto, names: Sequence[str]) -> dict[str, np.ndarray]:
        """What the names hold on images of zeros; they depend on shapes alone. Only what they need is run."""
        needed = _needed(with_sizes(proto, self.taken, self.images), names)
        require_small(self.place, needed)
        inputs = self.taken
        feeds = {inputs.name: np.zeros(inputs.with_images(self.images), dtype=np.float32)}
        feeds |= {name: np.zeros((self.images, *row), dtype=np.float32) for name, row in inputs.more.items()}
        try:
            session = OnnxRuntimeBackend().open(with_outputs(needed, names).SerializeToString(), threads=1)
            found = dict(session.run(feeds))
        except (ModelUnreadableError, SessionFailedError) as error:
            text = f"how often its loop runs cannot be computed: {error}"
            raise _refused(self.place, text) from error
        if any(value.size != 1 for value in found.values()):
            raise _refused(self.place, "how often its loop runs is not one number: export it with that loop unrolled")
        return found


def _needed(proto: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Of a graph without outputs, the nodes on the way to these values."""
    wanted = set(names)
    kept: list[onnx.NodeProto] = []
    for node in reversed(proto.graph.node):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(inner_names(node))
    stored = [tensor for tensor in proto.graph.initializer if tensor.name in wanted]
    del proto.graph.node[:], proto.graph.initializer[:], proto.graph.output[:]
    proto.graph.node.extend(reversed(kept))
    proto.graph.initializer.extend(stored)
    return proto


@dataclass(frozen=True, kw_only=True)
class _Written:
    """A graph with one loop less, and the names of what its turns said about going on."""

    proto: onnx.ModelProto
    conditions: tuple[str, ...]


def _written_out(proto: onnx.ModelProto, loop: onnx.NodeProto, turns: int) -> _Written:
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    del copy.graph.node[:]
    writer = _Writer(copy.graph, f"{loop.name or 'loop'}/{loop.output[0]}", opset_of(proto))
    for node in proto.graph.node:
        if node is loop:
            writer.write(node, turns)
        else:
            copy.graph.node.append(node)
    return _Written(proto=copy, conditions=tuple(writer.conditions))


class _Writer:
    """Writes one Loop's turns into a graph, behind its last node."""

    def __init__(self, graph: onnx.GraphProto, prefix: str, opset: int) -> None:
        self.graph, self.prefix, self.opset = graph, prefix, opset
        self.conditions: list[str] = []

    def write(self, loop: onnx.NodeProto, turns: int) -> None:
        """Each turn reads what the one before carried on; what a turn gives beside that is stacked."""
        body = body_of(loop)
        stored = {tensor.name: f"{self.prefix}/{tensor.name}" for tensor in body.initializer}
        for tensor in body.initializer:
            kept = self.graph.initializer.add()
            kept.CopyFrom(tensor)
            kept.name = stored[tensor.name]
        count = len(body.input) - 2
        carried, stacked = list(loop.input[2:]), [list[str]() for _ in body.output[1 + count :]]
        for turn in range(turns):
            names = dict(stored)
            names[body.input[0].name] = self._constant(f"turn {turn}", np.asarray(turn, dtype=np.int64))
            names[body.input[1].name] = self._constant(f"go on {turn}", np.asarray(True))
            names.update(zip((value.name for value in body.input[2:]), carried, strict=True))
            for node in body.node:
                names.update({output: f"{self.prefix}/{turn}/{output}" for output in node.output if output})
            for node in body.node:
                self.graph.node.append(renamed(node, names, f"_turn_{turn}"))
            going_on, *after = [names.get(value.name, value.name) for value in body.output]
            self.conditions.append(going_on)
            carried = after[:count]
            for rows, name in zip(stacked, after[count:], strict=True):
                rows.append(self._with_axis(name, f"{self.prefix}/{turn}/row {name}"))
        for name, output in zip(carried, loop.output[:count], strict=False):
            self._node("Identity", [name], output)
        for rows, output in zip(stacked, loop.output[count:], strict=False):
            self._node("Concat", rows, output, axis=0)

    def _constant(self, name: str, array: np.ndarray) -> str:
        name = f"{self.prefix}/{name}"
        self.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def _with_axis(self, name: str, output: str) -> str:
        if self.opset < _AXES_ARE_AN_INPUT:
            return self._node("Unsqueeze", [name], output, axes=[0])
        return self._node("Unsqueeze", [name, self._constant(f"{output}/axis", np.zeros(1, dtype=np.int64))], output)

    def _node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        if output:
            self.graph.node.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def renamed(node: onnx.NodeProto, names: Mapping[str, str], suffix: str) -> onnx.NodeProto:
    """A copy that reads and gives values under other names; graphs within it read them under these too."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.name = f"{node.name}{suffix}" if node.name else ""  # in the folder that it names
    copy.input[:] = [names.get(name, name) for name in node.input]
    copy.output[:] = [names.get(name, name) for name in node.output]
    for attribute in copy.attribute:
        if attribute.type == AttributeProto.GRAPH:
            inner = attribute.g
            for position, child in enumerate(list(inner.node)):
                inner.node[position].CopyFrom(renamed(child, names, suffix))
            for value in inner.output:
                value.name = names.get(value.name, value.name)
    return copy
