"""Round trips over the boundary between float and integers: work that computes nothing and may cost accuracy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from condmix.runtime.audit.nodes import AuditedNode, Wiring
from condmix.runtime.audit.vocabulary import Arithmetic, Role, RoundTrip


def round_trips(nodes: Sequence[AuditedNode]) -> Mapping[RoundTrip, int]:
    """How often each kind occurs; kinds that do not occur are not listed.

    A dequantisation counts once for each quantisation that it feeds, a quantisation between float operators once.
    """
    wiring = Wiring(nodes)
    found: Counter[RoundTrip] = Counter()
    for place, node in enumerate(nodes):
        if node.role is Role.REQUANTIZE:
            found[RoundTrip.RESCALED] += 1
        elif node.role is Role.DEQUANTIZE and node.inputs:
            for user, moved in wiring.users(place).items():
                if nodes[user].role is Role.QUANTIZE:
                    found[_kind(node, nodes[user], moved=moved)] += 1
        elif node.role is Role.QUANTIZE and _between_float(wiring, place):
            found[RoundTrip.BETWEEN_FLOAT] += 1
    return {kind: found[kind] for kind in RoundTrip if found[kind]}


def _kind(dequantize: AuditedNode, quantize: AuditedNode, *, moved: bool) -> RoundTrip:
    if moved:
        return RoundTrip.AROUND_MOVEMENT
    same = dequantize.scale is not None and dequantize.scale == quantize.scale
    return RoundTrip.NEEDLESS if same else RoundTrip.RESCALED


def _between_float(wiring: Wiring, place: int) -> bool:
    """A float operator writes what is quantised, and all that is read of it is dequantised for float operators."""
    sources = [wiring.nodes[source].arithmetic for source in wiring.sources(place)]
    back = list(wiring.users(place))
    if not sources or not back or any(source is not Arithmetic.FLOAT for source in sources):
        return False
    if any(wiring.nodes[user].role is not Role.DEQUANTIZE for user in back):
        return False
    after = [wiring.nodes[reader].arithmetic for user in back for reader in wiring.users(user)]
    return bool(after) and all(arithmetic is Arithmetic.FLOAT for arithmetic in after)
