"""What an export did, as data: rewrite steps and layers. They end up in the `.condmix.json` beside the file."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace


class LayerKind(enum.Enum):
    """The constructs this project exists for."""

    COND_CONV = "CondConv"
    MIX_CONV = "MixConv"


@dataclass(frozen=True, kw_only=True)
class RewriteStep:
    """One rule at one place: applied, or refused with its reason."""

    rule: str
    path: str
    applied: bool
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class LayerRecord:
    """One layer of the network: what it was recognised as, the form it got and why, or why it was left alone."""

    path: str
    kind: LayerKind
    recognised: bool
    form: str | None
    """The lowering chosen; None for a layer that was left alone."""
    why: str
    details: Mapping[str, object]
    """Kernel sizes, experts, groups, strides, channels; of a declined layer nothing."""
    multiply_adds: int
    """Of the form that was written, for one image: convolutions and kernel mixing."""
    weight_bytes: int
    """Stored constants of the layer in the form that was written."""

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        data = asdict(self)
        data["kind"] = self.kind.value
        data["details"] = dict(self.details)
        return data


@dataclass(frozen=True, kw_only=True)
class LayerForm:
    """The form that one layer is to get.

    layer: its module path, with #2 for a second layer of one module. why: for the record.
    """

    layer: str
    form: str
    why: str = ""


GROUPING_RULE = "group_pointwise_mixconv"
"""The rewrite that turns a MixConv into an ordinary grouped convolution before any form is chosen."""


def with_forms(
    found: Sequence[LayerRecord], lowered: Sequence[LayerRecord], steps: Sequence[RewriteStep]
) -> tuple[LayerRecord, ...]:
    """The records of recognition, completed by what lowering and rewriting made of each layer.

    Layers are matched by kind, path and order: one module may hold several.
    """
    waiting: dict[tuple[LayerKind, str], list[LayerRecord]] = {}
    for record in lowered:
        waiting.setdefault((record.kind, record.path), []).append(record)
    grouped = {step.path: step for step in steps if step.rule == GROUPING_RULE and step.applied}
    complete: list[LayerRecord] = []
    for record in found:
        own = waiting.get((record.kind, record.path))
        if record.recognised and own:
            complete.append(own.pop(0))
        elif record.recognised and record.path in grouped:
            complete.append(replace(record, form="grouped_conv", why=grouped[record.path].note))
        else:
            complete.append(record)
    return tuple(complete)
