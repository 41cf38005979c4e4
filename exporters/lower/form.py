"""A lowering: one exact way to write a named layer in standard operators, and when it cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.named.condconv import CondConvLayer
from condmix.exporters.named.mixconv import MixConvLayer


@dataclass(frozen=True, kw_only=True)
class FormRefusal:
    """Why a form does not serve a layer."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class CondConvForm:
    """A lowering of CondConv: `build` adds its nodes and returns the layer's output."""

    name: str
    refuse: Callable[[CondConvLayer, BatchAxis], FormRefusal | None]
    build: Callable[[NodeBuilder, CondConvLayer, BatchAxis], ir.Value]


@dataclass(frozen=True, kw_only=True)
class MixConvForm:
    """A lowering of MixConv: `build` answers with a whole replacement, which may take in nodes in front."""

    name: str
    refuse: Callable[[MixConvLayer, BatchAxis], FormRefusal | None]
    build: Callable[[MixConvLayer, BatchAxis], Replacement]
