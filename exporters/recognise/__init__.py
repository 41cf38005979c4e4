"""Finding and naming CondConv and MixConv in a graph, whoever wrote the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.splice import Splicer
from condmix.exporters.named.condconv import is_condconv
from condmix.exporters.recognise.condconv import find_condconv
from condmix.exporters.recognise.finding import Declined, Recognised
from condmix.exporters.recognise.mixconv import find_mixconv
from condmix.exporters.records import LayerKind, LayerRecord


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """What was found: a record a layer, without a form yet, and the routing values."""

    layers: tuple[LayerRecord, ...]
    routing_values: tuple[str, ...]

    def merge(self, lowered: Sequence[LayerRecord]) -> tuple[LayerRecord, ...]:
        """The lowered records in place of the recognised ones; layers left alone or absorbed stay as they are."""
        by_place = {(record.kind, record.path): record for record in lowered}
        return tuple(by_place.get((record.kind, record.path), record) for record in self.layers)


def recognise(model: ir.Model) -> Recognition:
    """Replace every recognised layer of the graph by its named node, and say what was found and declined."""
    layers: list[LayerRecord] = []
    for kind, find in ((LayerKind.COND_CONV, find_condconv), (LayerKind.MIX_CONV, find_mixconv)):
        findings = list(find(model))
        splicer = Splicer(model.graph)
        for finding in findings:
            layers.append(_record(kind, finding))
            if isinstance(finding, Recognised):
                splicer.apply(finding.replacement)
        splicer.finish()
    routing = [node.inputs[1] for node in model.graph if is_condconv(node)]
    names = dict.fromkeys(value.name or "" for value in routing if value is not None)
    return Recognition(layers=tuple(layers), routing_values=tuple(names))


def _record(kind: LayerKind, finding: Recognised | Declined) -> LayerRecord:
    recognised = isinstance(finding, Recognised)
    return LayerRecord(
        path=finding.path,
        kind=kind,
        recognised=recognised,
        form=None,
        why="" if isinstance(finding, Recognised) else finding.reason,
        details={},
        multiply_adds=0,
        weight_bytes=0,
    )
