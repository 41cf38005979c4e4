"""The architectures as a list: what each is, and how large."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from condmix.models import counting, zoo
from condmix.models.weightless import weightless

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class ZooRow:
    """One architecture with its defaults. `multiply_adds` is None where it was not asked for."""

    name: str
    family: str
    paper: str
    summary: str
    input_size: tuple[int, int, int]
    num_classes: int
    parameters: int
    multiply_adds: int | None
    settings: Mapping[str, object]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            **dataclasses.asdict(self),
            "input_size": list(self.input_size),
            "settings": dict(self.settings),
        }


def list_zoo(names: Sequence[str], *, with_counts: bool, report_progress: Callable[[str], None]) -> tuple[ZooRow, ...]:
    """A row for each name, parameters counted on the network itself, built without memory for its weights.

    Multiply-adds are for one image of its default size, as `condmix.models.counting` defines them.
    Raises UnknownArchitectureError.
    """
    entries = [zoo.describe(name) for name in names]
    rows = []
    for entry in entries:
        if with_counts:
            report_progress(f"count {entry.name}")
        with weightless():
            module = zoo.build(entry.name)
        with torch.device("meta"):
            counts = counting.count(module, entry.input_size) if with_counts else None
        rows.append(
            ZooRow(
                name=entry.name,
                family=entry.family,
                paper=entry.paper,
                summary=entry.summary,
                input_size=entry.input_size,
                num_classes=entry.num_classes,
                parameters=sum(parameter.numel() for parameter in module.parameters()),
                multiply_adds=None if counts is None else counts.multiply_adds,
                settings=dataclasses.asdict(entry.settings),
            )
        )
    return tuple(rows)
