"""Expansions in front of depthwise convolutions, computed piece by piece: conv, activation, depthwise conv of a piece.

Slicing channels commutes with an elementwise activation and with a depthwise convolution, and slicing a convolution's
output is slicing its weight. So the branches of a MixConv need no slices, and an image that is larger than the caches
never lies in memory as a whole. Measured (LiteRT 2.3, AVX-512, L2 of 1 MB, L3 of 32): 112x112x96 in two pieces takes
0.72 (ReLU, two groups) and 0.79 (SiLU) of one piece's time, 56x56x144 the same in one, two or three.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import onnx_ir as ir

from condmix.exporters.graph.facts import constant, is_op, module_path
from condmix.exporters.lower.expansion import Expansion, find_expansion
from condmix.exporters.named.condconv import ConvSettings, conv_settings
from condmix.exporters.named.mixconv import Branch, is_mixconv, read_mixconv
from condmix.exporters.tflite.arithmetic import is_relu6
from condmix.exporters.tflite.convolution import convolution
from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import Activation, Operator, OptionsUnion

LARGEST_PIECE_BYTES = 5 * 2**19
"""Of an image's activations. Smaller ones are not cut but at branches and groups."""
CHANNELS_AT_ONCE = 16
"""Microkernels compute so many channels together: pieces are multiples."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Channels start to stop of the expanded image: one group of the expansion, one branch of what reads it."""

    start: int
    stop: int
    group: int
    branch: Branch


@dataclass(frozen=True, kw_only=True)
class Expanded:
    """A depthwise convolution or MixConv with the expansion in front of it, in pieces."""

    expansion: Expansion
    settings: ConvSettings
    pieces: tuple[Piece, ...]

    @property
    def nodes(self) -> tuple[ir.Node, ...]:
        """The expansion's, which are written together with what reads them."""
        return (self.expansion.conv, *self.expansion.activation)


def find_expanded(node: ir.Node, *, element_bytes: int) -> Expanded | None:
    """The pieces in which a node is computed; None for what is no such convolution, or better left whole.

    element_bytes: of an activation in the file.
    """
    branches = _branches(node)
    x = node.inputs[0] if node.inputs else None
    expansion = None if not branches or x is None else find_expansion(x)
    if expansion is None or _fused(expansion.activation) is None:
        return None
    settings = conv_settings(expansion.conv, expansion.weight_oihw.shape[2:])
    if settings.kernel != (1, 1) or settings.strides != (1, 1) or any(settings.pads):
        return None
    assert x is not None
    assert x.shape is not None
    channels, height, width = (int(length) for length in x.shape[1:])  # type: ignore[arg-type]
    largest = max(LARGEST_PIECE_BYTES // (height * width * element_bytes), CHANNELS_AT_ONCE)
    if len(branches) == 1 and channels <= largest:
        return None
    pieces = tuple(_cut(branches, channels // settings.group, largest))
    return Expanded(expansion=expansion, settings=settings, pieces=pieces)


def _branches(node: ir.Node) -> tuple[Branch, ...]:
    """Of a depthwise MixConv, or the one that a depthwise convolution with stored weights is."""
    if is_mixconv(node):
        layer = read_mixconv(node)
        return layer.branches if layer.is_depthwise else ()
    weight = constant(node.inputs[1]) if is_op(node, "Conv") else None
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if weight is None or bias is None or weight.ndim != 4:
        return ()
    channels = int(weight.shape[0])
    settings = conv_settings(node, weight.shape[2:])
    branch = Branch(in_channels=channels, weight_oihw=weight, bias_o=bias, settings=settings)
    return (branch,) if branch.is_depthwise else ()


def _cut(branches: Iterable[Branch], per_group: int, largest: int) -> Iterable[Piece]:
    """The pieces, in channel order: cut at groups and branches, and what is larger than `largest` channels evenly."""
    first = 0
    for branch in branches:
        start, end = first, first + branch.in_channels
        while start < end:
            group = start // per_group
            whole = min(end, (group + 1) * per_group) - start
            count = -(-whole // largest)
            each = math.ceil(whole / count / CHANNELS_AT_ONCE) * CHANNELS_AT_ONCE if count > 1 else whole
            stop = start + min(each, whole)
            rows = slice(start - first, stop - first)
            part = replace(
                branch,
                in_channels=stop - start,
                weight_oihw=branch.weight_oihw[rows],
                bias_o=branch.bias_o[rows],
                settings=replace(branch.settings, group=stop - start),
            )
            yield Piece(start=start, stop=stop, group=group, branch=part)
            start = stop
        first = end


def write_expanded(emitter: Emitter, expanded: Expanded, activation: Activation) -> Tensor:
    """The result (batch, height, width, channels) of the convolution behind the expansion.

    activation: behind that convolution, which its pieces carry.
    """
    own_place = emitter.path, emitter.source
    conv = expanded.expansion.conv
    source = conv.inputs[0]
    assert source is not None
    x = emitter.tensor(source)
    fused = _fused(expanded.expansion.activation)
    assert fused is not None
    results: list[Tensor] = []
    for index, piece in enumerate(expanded.pieces):
        _stand_at(emitter, conv)
        y = convolution(
            emitter,
            _group_of(emitter, x, piece.group, expanded.settings.group),
            expanded.expansion.weight_oihw[piece.start : piece.stop],
            expanded.expansion.bias_o[piece.start : piece.stop],
            replace(expanded.settings, group=1),
            f"piece_{index}",
            fused,
        )
        y = _activate(emitter, y, expanded.expansion.activation, index)
        emitter.path, emitter.source = own_place
        branch = piece.branch
        role = f"branch_{index}"
        results.append(convolution(emitter, y, branch.weight_oihw, branch.bias_o, branch.settings, role, activation))
    return emitter.concat(results, 3, "concat")


def _stand_at(emitter: Emitter, node: ir.Node) -> None:
    emitter.path, emitter.source = module_path(node), str(node.outputs[0].name)


def _group_of(emitter: Emitter, x: Tensor, group: int, groups: int) -> Tensor:
    """The channels that a group of the expansion reads; cut once for all of its pieces."""
    each = x.shape[3] // groups
    size = (*x.shape[:3], each)
    return emitter.once(
        ("group", id(x), group, groups), lambda: emitter.slice(x, (0, 0, 0, group * each), size, f"group_{group}")
    )


def _fused(activation: tuple[ir.Node, ...]) -> Activation | None:
    """What the expanding convolution carries itself; None for an activation that is not written in pieces here."""
    if not activation or len(activation) == 2 or is_op(activation[0], "HardSwish"):
        return Activation.NONE
    if is_op(activation[0], "Relu"):
        return Activation.RELU
    return Activation.RELU6 if is_op(activation[0], "Clip") and is_relu6(activation[0]) else None


def _activate(emitter: Emitter, y: Tensor, activation: tuple[ir.Node, ...], index: int) -> Tensor:
    """SiLU or hard swish; what the convolution carries has been applied."""
    if not activation or is_op(activation[0], "Relu", "Clip"):
        return y
    _stand_at(emitter, activation[0])
    if is_op(activation[0], "HardSwish"):
        union = OptionsUnion.HARD_SWISH
        return emitter.emit(Operator.HARD_SWISH, [y], y.shape, role=f"hard_swish_{index}", options_type=union)
    gate = emitter.emit(Operator.LOGISTIC, [y], y.shape, role=f"sigmoid_{index}")
    _stand_at(emitter, activation[1])
    return emitter.binary(Operator.MUL, y, gate, f"silu_{index}")
