"""What a rewrite rule is: it looks at one node and answers with a replacement, a refusal, or nothing.

Rules never edit; only the driver does. Exact and approximate are part of a rule's type: an exact rule computes the same
real function (rounding differs), an approximate one changes it and runs only when it is asked for by name.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

import onnx_ir as ir

from condmix.exporters.graph.splice import Replacement


class Exactness(enum.Enum):
    """Whether a rule keeps the function."""

    EXACT = "exact"
    APPROXIMATE = "approximate"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A rule met its construct and declined, with one sentence why."""

    reason: str


class Rule(Protocol):
    """One rewrite. `name` is the file's name."""

    @property
    def name(self) -> str: ...

    @property
    def exactness(self) -> Exactness: ...

    def match(self, node: ir.Node) -> Replacement | Refusal | None:
        """The replacement for `node`, a refusal with its reason, or None when this is not its business."""
        ...
