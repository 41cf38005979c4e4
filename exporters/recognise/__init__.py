"""Finding and naming CondConv and MixConv in a graph, whoever wrote the network."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.errors import GraphError
from condmix.exporters.graph.splice import Splicer
from condmix.exporters.named.condconv import CondConvLayer, is_condconv, read_condconv
from condmix.exporters.named.mixconv import MixConvLayer, is_mixconv, read_mixconv
from condmix.exporters.recognise.condconv import find_condconv
from condmix.exporters.recognise.expert_outputs import find_expert_outputs
from condmix.exporters.recognise.finding import Declined, Recognised
from condmix.exporters.recognise.mixconv import find_mixconv
from condmix.exporters.records import LayerKind, LayerRecord

FINDERS = (
    # First, as on a map of one pixel a sum of outputs is also a product with a matrix that is linear in the map.
    (LayerKind.COND_CONV, find_expert_outputs),
    (LayerKind.COND_CONV, find_condconv),
    (LayerKind.MIX_CONV, find_mixconv),
)


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """What was found: a record a layer, without a form yet, and the routing values."""

    layers: tuple[LayerRecord, ...]
    routing_values: tuple[str, ...]


def recognise(model: ir.Model) -> Recognition:
    """Replace every recognised layer of the graph by its named node, and say what was found and declined."""
    layers: list[LayerRecord] = []
    routing: dict[str, None] = {}
    for kind, find in FINDERS:
        findings = list(find(model))
        splicer = Splicer(model.graph)
        for finding in findings:
            layers.append(_record(kind, finding))
            if isinstance(finding, Recognised):
                splicer.apply(finding.replacement)
                routing.update(dict.fromkeys(finding.routing_names))
        splicer.finish()
    return Recognition(layers=tuple(layers), routing_values=tuple(routing))


def _record(kind: LayerKind, finding: Recognised | Declined) -> LayerRecord:
    """The layer as it was defined; lowering completes it with the form."""
    if isinstance(finding, Declined):
        return LayerRecord(
            path=finding.path,
            kind=kind,
            recognised=False,
            form=None,
            why=finding.reason,
            details={},
            multiply_adds=0,
            weight_bytes=0,
        )
    layer = _read(finding)
    multiply_adds = (
        layer.convolution_multiply_adds + layer.mixing_multiply_adds
        if isinstance(layer, CondConvLayer)
        else layer.multiply_adds
    )
    return LayerRecord(
        path=finding.path,
        kind=kind,
        recognised=True,
        form=None,
        why="",
        details=layer.details(),
        multiply_adds=multiply_adds,
        weight_bytes=layer.weight_bytes,
    )


def _read(finding: Recognised) -> CondConvLayer | MixConvLayer:
    """The named node among the nodes that replace a layer."""
    for node in finding.replacement.builder.nodes:
        if is_condconv(node):
            return read_condconv(node)
        if is_mixconv(node):
            return read_mixconv(node)
    message = f"the replacement of '{finding.path}' holds no named node"
    raise GraphError(message)
