"""Several images a call, one after another: the file for one image as the body of a Scan over the batch axis.

Each image then costs what it costs alone, in the forms that are fastest for one (a kernel mixed once, a runtime's own
layout), and what lies between two layers stays in the caches. Exact: the body is the network's function of one image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from condmix.exporters.errors import NotExportableError
from condmix.exporters.lower.batch_axis import BatchAxis

NAME = "images_in_turn"
_AXIS = f"{NAME}/axis"


def in_turn(proto: onnx.ModelProto, batch: BatchAxis) -> onnx.ModelProto:
    """A file for `batch` images from one for a single image, which is left as it was.

    All inputs and outputs have a leading axis of one, which becomes the batch. Raises NotExportableError naming those
    that have not.
    """
    graph = proto.graph
    values = (*graph.input, *graph.output)
    problems = [f"'{value.name}' is {_shown(value)}" for value in values if _shape(value)[:1] != [1]]
    if problems:
        summary = "what does not begin with one image cannot be given a batch axis for images in turn:"
        raise NotExportableError(summary, tuple(problems))
    axis = numpy_helper.from_array(np.asarray([0], np.int64), _AXIS)
    inside = _renamed(graph)
    taken = [_made("Unsqueeze", f"{value.name}/one", value.name) for value in inside.input]
    given = [_made("Squeeze", value.name, f"{value.name}/row") for value in inside.output]
    body = helper.make_graph(
        [*taken, *_in_order(inside.node), *given],
        NAME,
        [_one(value, f"{value.name}/one") for value in inside.input],
        [_one(value, f"{value.name}/row") for value in inside.output],
        [*inside.initializer, axis],
        value_info=list(inside.value_info),
    )
    names = [value.name for value in graph.input]
    scan = helper.make_node(
        "Scan", names, [value.name for value in graph.output], name=NAME, body=body, num_scan_inputs=len(names)
    )
    outer = helper.make_graph(
        [scan],
        graph.name,
        [_all(value, batch) for value in graph.input],
        [_all(value, batch) for value in graph.output],
    )
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    made.graph.CopyFrom(outer)
    return made


def _renamed(graph: onnx.GraphProto) -> onnx.GraphProto:
    """A copy whose inputs and outputs have names of their own: those of the file are taken outside of it."""
    copy = onnx.GraphProto()
    copy.CopyFrom(graph)
    values = (*copy.input, *copy.output)
    names = {value.name: f"{NAME}/{value.name}" for value in values}
    for value in values:
        value.name = names[value.name]
    _rename(copy, names)
    return copy


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Everywhere in the graph and in the graphs of its nodes, which see its values too."""
    for node in graph.node:
        for listed in (node.input, node.output):
            for place, name in enumerate(listed):
                listed[place] = names.get(name, name)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _rename(inner, names)


def _in_order(nodes: Iterable[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Every node behind those it reads, which a runtime wants of a body though not of a file; else as they come."""
    listed = list(nodes)
    makers = {name: place for place, node in enumerate(listed) for name in node.output if name}
    ordered: dict[int, None] = {}
    for start in range(len(listed)):
        waiting = [start]
        while waiting:
            place = waiting[-1]
            read = {makers[name] for name in _reads(listed[place]) if name in makers}
            missing = sorted(read - {place} - ordered.keys())
            if place in ordered or not missing:
                waiting.pop()
                ordered[place] = None
            else:
                waiting += missing
    return [listed[place] for place in ordered]


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _reads(inner)


def _made(op: str, source: str, result: str) -> onnx.NodeProto:
    return helper.make_node(op, [source, _AXIS], [result], name=f"{NAME}/{op}/{source}")


def _shape(value: onnx.ValueInfoProto) -> list[int | str]:
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


def _shown(value: onnx.ValueInfoProto) -> str:
    return "x".join(map(str, _shape(value))) or "a single number"


def _one(value: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    return _of_shape(value, name, _shape(value)[1:])


def _all(value: onnx.ValueInfoProto, batch: BatchAxis) -> onnx.ValueInfoProto:
    return _of_shape(value, value.name, [batch.dimension, *_shape(value)[1:]])


def _of_shape(value: onnx.ValueInfoProto, name: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, value.type.tensor_type.elem_type, list(shape))
