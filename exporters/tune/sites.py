"""What is tuned at once: a layer, together with the grouped expansion in front of it where there is one.

A hoisted MixConv takes in the expansion in front of it, so the best form of one depends on that of the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.lower.expansion import find_expansion
from condmix.exporters.lower.layer_form import named_layers
from condmix.exporters.lower.pointwise_groups import is_pointwise_groups
from condmix.exporters.named.mixconv import is_mixconv, read_mixconv


@dataclass(frozen=True, kw_only=True)
class Site:
    """layers: their names, in the order of the graph. nodes: the nodes of the same."""

    layers: tuple[str, ...]
    nodes: tuple[ir.Node, ...]


def find_sites(graph: ir.Graph) -> tuple[Site, ...]:
    """Every layer of a rewritten graph in exactly one site, in the graph's order."""
    names = {node: name for name, node in named_layers(graph)}
    taken: set[ir.Node] = set()
    sites: list[Site] = []
    for node in names:
        if not is_mixconv(node):
            continue
        expansion = find_expansion(read_mixconv(node).x)
        if expansion is not None and is_pointwise_groups(expansion.conv) and expansion.conv in names:
            taken |= {expansion.conv, node}
            nodes = (expansion.conv, node)
            sites.append(Site(layers=tuple(names[one] for one in nodes), nodes=nodes))
    sites += [Site(layers=(name,), nodes=(node,)) for node, name in names.items() if node not in taken]
    order = {node: place for place, node in enumerate(graph)}
    return tuple(sorted(sites, key=lambda site: order[site.nodes[0]]))
