"""What recognition says of a place in the graph."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.splice import Replacement


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """A layer found: where, and the nodes that name it."""

    path: str
    node: ir.Node
    replacement: Replacement
    routing_names: tuple[str, ...] = ()
    """The captured value that holds a CondConv's routing, one number an expert; or those that do together."""
    proof: str = ""
    """What was tried to show that it is the construct."""


@dataclass(frozen=True, kw_only=True)
class Declined:
    """A layer that looks like the construct but is not, or not exactly: it stays as it is."""

    path: str
    node: ir.Node
    reason: str
