"""One network captured at several sizes: the same graph several times over, node by node, but for its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir

from condmix.exporters.captured import CAPTURE_OPSET
from condmix.exporters.errors import NotExportableError
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import constant, is_op, module_path

NEUTRAL = {"pads": 0, "strides": 1, "dilations": 1}
"""What lists are filled with that say nothing, and may be left out."""
Length = int | str
"""Of an axis: a number, or the name of a free one (the batch)."""
Shape = tuple[Length, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Site:
    """One node in every graph, in the order of the sizes; the first is the one that may be edited."""

    nodes: tuple[ir.Node, ...]
    twins: Twins

    @property
    def node(self) -> ir.Node:
        return self.nodes[0]

    @property
    def differing_attributes(self) -> tuple[str, ...]:
        """Names of attributes that are not the same everywhere."""
        names = {name for node in self.nodes for name in node.attributes}
        return tuple(sorted(name for name in names if len({_text(node, name) for node in self.nodes}) > 1))

    @property
    def differing_constants(self) -> tuple[int, ...]:
        """Inputs that are constants, and not the same everywhere."""
        found = []
        for index in range(len(self.node.inputs)):
            arrays = [constant(node.inputs[index]) for node in self.nodes]
            first = arrays[0]
            if any((array is None) != (first is None) for array in arrays) or (
                first is not None and not all(array is not None and _equal(first, array) for array in arrays)
            ):
                found.append(index)
        return tuple(found)

    def integers(self, index: int) -> tuple[tuple[int, ...], ...] | None:
        """The numbers of a constant input in every graph; None where one is missing or computed."""
        if index >= len(self.node.inputs):
            return None
        arrays = [constant(node.inputs[index]) for node in self.nodes]
        found = [tuple(int(item) for item in array.reshape(-1)) for array in arrays if array is not None]
        return tuple(found) if len(found) == len(arrays) else None

    def input_shapes(self, index: int) -> tuple[Shape, ...]:
        """Of one input, in every graph."""
        return tuple(_shape(node.inputs[index]) for node in self.nodes)

    def output_shapes(self, index: int = 0) -> tuple[Shape, ...]:
        """Of one output, in every graph."""
        return tuple(_shape(node.outputs[index]) for node in self.nodes)

    def named(self) -> str:
        """As problems call it."""
        return f"{module_path(self.node) or 'network'}: {self.node.op_type} '{self.node.name}'"


@dataclass(frozen=True, kw_only=True, eq=False)
class Twins:
    """The graphs, aligned."""

    models: tuple[ir.Model, ...]
    partners: Mapping[ir.Value, tuple[ir.Value, ...]]
    """A value of the first graph -> the same value in each."""
    sites: tuple[Site, ...]
    """In the order of the first graph."""

    def shapes(self, value: ir.Value) -> tuple[Shape, ...]:
        """Of a value of the first graph, in every graph."""
        return tuple(_shape(partner) for partner in self.partners[value])

    def earlier(self, node: ir.Node) -> list[ir.Value]:
        """Values that are there before `node`: the graph's inputs, then the nearest first."""
        graph = self.models[0].graph
        before: list[ir.Value] = []
        for one in graph:
            if one is node:
                break
            before += [output for output in one.outputs if output in self.partners]
        return [*graph.inputs, *reversed(before)]


def align(models: Sequence[ir.Model], sizes: Sequence[tuple[int, int]]) -> Twins:
    """The graphs as twins: a Pad that adds nothing at some size, and was left out there, is put back in place.

    Raises NotExportableError where they are not the same operators, naming the places.
    """
    aligner = _Aligner(models, sizes)
    aligner.run()
    if aligner.problems:
        summary = "the network computes different things at different heights and widths; leave --dynamic-size out:"
        raise NotExportableError(summary, tuple(dict.fromkeys(aligner.problems)))
    twins = Twins(models=tuple(models), partners=aligner.partners, sites=())
    found = aligner.found
    sites = tuple(Site(nodes=found[node], twins=twins) for node in models[0].graph if node in found)
    return Twins(models=twins.models, partners=twins.partners, sites=sites)


Reader = tuple[ir.Node, int]


class _Aligner:
    """Walks all graphs at once, from the outputs back."""

    def __init__(self, models: Sequence[ir.Model], sizes: Sequence[tuple[int, int]]) -> None:
        self.partners: dict[ir.Value, tuple[ir.Value, ...]] = {}
        self.found: dict[ir.Node, tuple[ir.Node, ...]] = {}
        self.problems: list[str] = []
        self._sizes = sizes
        self._graphs = [model.graph for model in models]
        self._restored: dict[tuple[ir.Value, ir.Value], ir.Value] = {}
        self._waiting: list[tuple[tuple[ir.Value, ...], tuple[Reader, ...] | None]] = []

    def run(self) -> None:
        for values in zip(*(graph.inputs for graph in self._graphs), strict=True):
            self.partners[values[0]] = values
        self._waiting += [(values, None) for values in zip(*(graph.outputs for graph in self._graphs), strict=True)]
        while self._waiting:
            self._pair(*self._waiting.pop())

    def _pair(self, values: tuple[ir.Value, ...], readers: tuple[Reader, ...] | None) -> None:
        constants = [constant(value) is not None for value in values]
        if any(constants):
            if not all(constants):
                self.problems.append(_difference(values, self._sizes))
            return
        if readers is not None and len({is_op(value.producer(), "Pad") for value in values}) > 1:
            values = self._with_pads(values, readers)
        first = values[0]
        if first in self.partners:
            if self.partners[first] != values:
                self.problems.append(f"{_place(first)}: '{first.name}' is read by others at {_sides(self._sizes[0])}")
            return
        self.partners[first] = values
        nodes = [value.producer() for value in values]
        whole = tuple(node for node in nodes if node is not None)
        if not _alike(values, nodes):
            self.problems.append(_difference(values, self._sizes))
        elif whole and whole[0] not in self.found:
            self._step(whole)

    def _step(self, nodes: tuple[ir.Node, ...]) -> None:
        self.found[nodes[0]] = nodes
        for outputs in zip(*(node.outputs for node in nodes), strict=True):
            self.partners.setdefault(outputs[0], outputs)
        for index, inputs in enumerate(zip(*(node.inputs for node in nodes), strict=True)):
            present = tuple(value for value in inputs if value is not None)
            if len(present) == len(inputs):
                self._waiting.append((present, tuple((node, index) for node in nodes)))

    def _with_pads(self, values: tuple[ir.Value, ...], readers: tuple[Reader, ...]) -> tuple[ir.Value, ...]:
        """The values with a Pad of nothing where one is missing."""
        template = next(value for value in values if is_op(value.producer(), "Pad"))
        padded = []
        for value, (node, index), graph in zip(values, readers, self._graphs, strict=True):
            if is_op(value.producer(), "Pad"):
                padded.append(value)
                continue
            key = (value, template)
            if key not in self._restored:
                self._restored[key] = _pad_of_nothing(graph, value, template)
            node.replace_input_with(index, self._restored[key])
            padded.append(self._restored[key])
        return tuple(padded)


def _pad_of_nothing(graph: ir.Graph, value: ir.Value, template: ir.Value) -> ir.Value:
    """A Pad like that of `template` which adds nothing to `value`, in `graph`."""
    pad = template.producer()
    assert pad is not None
    builder = NodeBuilder(module_path(pad))
    stem = f"{value.name}/padded_{len(graph)}"
    inputs: list[ir.Value | None] = [value]
    for index, given in enumerate(pad.inputs[1:], start=1):
        array = constant(given)
        if given is None or array is None:
            inputs.append(None)
            continue
        own = ir.Value(
            name=f"{stem}/{index}",
            shape=ir.Shape(array.shape),
            type=given.type,
            const_value=ir.tensor(array if index > 1 else np.zeros_like(array)),
        )
        graph.register_initializer(own)
        inputs.append(own)
    result = builder.one("Pad", inputs, _shape(value), data_type=value.dtype or ir.DataType.FLOAT)
    result.name = stem
    for name, attribute in pad.attributes.items():
        builder.nodes[0].attributes[name] = attribute
    producer = value.producer()
    if producer is None:
        graph.insert_before(graph[0], builder.nodes)
    else:
        graph.insert_after(producer, builder.nodes)
    return result


def _alike(values: Sequence[ir.Value], nodes: Sequence[ir.Node | None]) -> bool:
    if any(node is None for node in nodes):
        return all(node is None for node in nodes)
    facts = {
        (node.domain, node.op_type, len(node.outputs), tuple(value is None for value in node.inputs), value.index())
        for value, node in zip(values, nodes, strict=True)
        if node is not None
    }
    return len(facts) == 1


def _difference(values: Sequence[ir.Value], sizes: Sequence[tuple[int, int]]) -> str:
    first = values[0]
    other = next((i for i, value in enumerate(values) if _kind(value) != _kind(first)), len(values) - 1)
    return (
        f"{_place(first)}: '{first.name}' is {_kind(first)} at {_sides(sizes[0])}, "
        f"and {_kind(values[other])} at {_sides(sizes[other])}"
    )


def _place(value: ir.Value) -> str:
    producer = value.producer()
    return (module_path(producer) if producer is not None else "") or "network"


def _kind(value: ir.Value) -> str:
    producer = value.producer()
    if constant(value) is not None:
        return "a constant"
    return "an input" if producer is None else f"a result of {producer.op_type}"


def _sides(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _shape(value: ir.Value | None) -> Shape:
    if value is None or value.shape is None:
        return ()
    return tuple(dimension if isinstance(dimension, int) else str(dimension.value or "?") for dimension in value.shape)


def _text(node: ir.Node, name: str) -> str:
    """An attribute's value as text; one that is missing has its default."""
    attribute = node.attributes.get(name)
    value = _default(node, name) if attribute is None else attribute.value
    if name in NEUTRAL and isinstance(value, Sequence) and set(value) == {NEUTRAL[name]}:
        return ""
    return "" if value is None else str(value)


def _default(node: ir.Node, name: str) -> object:
    try:
        schema = onnx.defs.get_schema(node.op_type, CAPTURE_OPSET, node.domain)
    except onnx.defs.SchemaError:
        return None
    if name not in schema.attributes or not schema.attributes[name].default_value.type:
        return None
    value = onnx.helper.get_attribute_value(schema.attributes[name].default_value)
    return value.decode() if isinstance(value, bytes) else value


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and np.array_equal(one, other, equal_nan=False)
