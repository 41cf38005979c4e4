"""Which blocks are alike: what decides how fast a graph runs, without its weights and names."""

from __future__ import annotations

import hashlib
import json

import onnx_ir as ir

from condmix.exporters.graph.facts import constant
from condmix.exporters.tune.sites import Site


def signature_of(block: ir.Model, site: Site) -> str:
    """The same text for blocks of the same operators, attributes, shapes and wiring, with the site at one place."""
    numbers: dict[ir.Value, int] = {}
    own = {node.name for node in site.nodes}
    lines: list[object] = []

    def number(value: ir.Value | None) -> object:
        if value is None:
            return None
        array = constant(value)
        if array is not None:
            # Small whole numbers are shapes, axes and pads: they are part of what is computed.
            whole = array.dtype.kind in "iu" and array.size <= 64
            return [str(array.dtype), list(array.shape), array.reshape(-1).tolist() if whole else None]
        return numbers.setdefault(value, len(numbers))

    for value in block.graph.inputs:
        lines.append([number(value), _shape(value)])
    for node in block.graph:
        attributes = sorted((name, str(attribute.value)) for name, attribute in node.attributes.items())
        reads = [number(value) for value in node.inputs]
        writes = [[number(value), _shape(value)] for value in node.outputs]
        lines.append([node.domain, node.op_type, node.name in own, attributes, reads, writes])
    lines.append([number(value) for value in block.graph.outputs])
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def _shape(value: ir.Value) -> list[str]:
    return [str(length) for length in value.shape or ()]
