"""Finding MixConv layers by structure: a Concat of convolutions over the consecutive channel slices of one tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.channels import ChannelSlice, channel_slice
from condmix.exporters.graph.facts import (
    attribute_int,
    constant,
    is_op,
    module_path,
    only_consumer,
    static_shape,
)
from condmix.exporters.graph.padding import spatial_zero_pads
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.named.condconv import ConvSettings, conv_settings
from condmix.exporters.named.mixconv import Branch, build_mixconv
from condmix.exporters.recognise.finding import Declined, Recognised


@dataclass(frozen=True, kw_only=True)
class _FoundBranch:
    branch: Branch
    channels: ChannelSlice
    nodes: tuple[ir.Node, ...]


def find_mixconv(model: ir.Model) -> Iterator[Recognised | Declined]:
    """Yield every Concat of convolutions: recognised as MixConv, or declined with its reason.

    A Concat whose branches read different tensors (as in Inception) is not a lookalike and is passed over.
    """
    for node in list(model.graph):
        if not is_op(node, "Concat") or attribute_int(node, "axis", 0) % 4 != 1 or len(node.inputs) < 2:
            continue
        if node.outputs[0].shape is None or len(node.outputs[0].shape) != 4:
            continue
        branches = [_branch(value) for value in node.inputs]
        if any(branch is None for branch in branches):
            continue
        found = [branch for branch in branches if branch is not None]
        sources = {id(branch.channels.source) for branch in found}
        if len(sources) != 1:
            continue
        path = module_path(node)
        reason = _refusal(found)
        if reason is not None:
            yield Declined(path=path, node=node, reason=reason)
            continue
        builder = NodeBuilder(path)
        result = build_mixconv(
            builder,
            found[0].channels.source,
            [branch.branch for branch in found],
            static_shape(node.outputs[0]),
        )
        removed = (*(item for branch in found for item in branch.nodes), node)
        yield Recognised(
            path=path,
            node=node,
            replacement=Replacement(removed=removed, results=((node.outputs[0], result),), builder=builder),
        )


def _branch(value: ir.Value | None) -> _FoundBranch | None:
    """A constant-weight convolution that only the Concat reads, with the padding in front of it taken in."""
    node = value.producer() if value is not None else None
    if value is None or node is None or not is_op(node, "Conv") or only_consumer(value) is None:
        return None
    weight = constant(node.inputs[1])
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    x = node.inputs[0]
    if weight is None or weight.ndim != 4 or x is None or (len(node.inputs) > 2 and bias is None):
        return None
    settings = conv_settings(node, weight.shape[2:])
    nodes: tuple[ir.Node, ...] = (node,)
    padding = spatial_zero_pads(x)
    if padding is not None and only_consumer(x) is not None:
        x = padding.source
        settings = ConvSettings(
            kernel=settings.kernel,
            strides=settings.strides,
            pads=padding.plus(settings.pads),
            dilations=settings.dilations,
            group=settings.group,
        )
        nodes = (padding.node, node)
    channels = channel_slice(x)
    branch = Branch(
        in_channels=channels.stop - channels.start,
        weight_oihw=weight,
        bias_o=np.zeros(weight.shape[0], dtype=np.float32) if bias is None else bias,
        settings=settings,
    )
    return _FoundBranch(branch=branch, channels=channels, nodes=nodes)


def _refusal(branches: list[_FoundBranch]) -> str | None:
    slices = [branch.channels for branch in branches]
    total = static_shape(slices[0].source)[1]
    if all(piece.is_whole for piece in slices):
        return f"not a MixConv: every branch reads all input channels ({total})"
    if [piece.start for piece in slices] != sorted(piece.start for piece in slices):
        return "not a MixConv: the branches take the channel slices in another order than they return them"
    edges = [(piece.start, piece.stop) for piece in slices]
    for (_, stop), (start, _) in pairwise(edges):
        if start < stop:
            return f"not a MixConv: channel slices overlap ({_shown(edges)})"
    if edges[0][0] != 0 or edges[-1][1] != total or any(a[1] != b[0] for a, b in pairwise(edges)):
        return f"not a MixConv: channel slices {_shown(edges)} leave out some of the {total} input channels"
    strides = {branch.branch.settings.strides for branch in branches}
    if len(strides) != 1:
        return f"not a MixConv: branches have different strides {sorted(strides)}"
    return None


def _shown(edges: list[tuple[int, int]]) -> str:
    return ", ".join(f"{start}:{stop}" for start, stop in edges)
