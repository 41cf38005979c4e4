"""The zoo as the tests go through it: networks without memory for their weights, and which names `make check` tries."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import pytest
import torch
from torch import nn

from condmix.models import zoo

ONE_OF_EACH_FAMILY = (
    "mobilenet_v1",
    "condconv_mobilenet_v2",
    "mnasnet_a1",
    "resnet50",
    "efficientnet_b0",
    "mixnet_s",
    "condconv_digits",
    "mixnet_digits",
    "ssd_condconv_shapes",
    "ssdlite_mixconv_mobilenet_v2",
)
DETECTORS = tuple(name for name in zoo.names() if name.startswith("ssd"))
CLASSIFIERS = tuple(name for name in zoo.names() if name not in DETECTORS)


def quick_for(quick: Iterable[str], names: Iterable[str] | None = None) -> list[object]:
    """The names (None: all of the zoo) as parameters, those not in `quick` marked slow. ValueError for others in it."""
    tried, quick = tuple(zoo.names() if names is None else names), frozenset(quick)
    if strangers := sorted(quick.difference(tried)):
        message = f"never tried, neither quickly nor slowly: {strangers}"
        raise ValueError(message)
    return [pytest.param(name, id=name, marks=() if name in quick else pytest.mark.slow) for name in tried]


@cache
def weightless(name: str, **changes: str) -> nn.Module:
    """The network with these changes to its settings, in eval mode, on the meta device; built once, not to be changed.

    For what shapes and structure show: building takes a tenth of a second, and many tests want the same ones.
    """
    with torch.device("meta"):
        return zoo.build(name, changes).eval()
