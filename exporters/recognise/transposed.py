"""A transposed convolution with a mixed kernel as CondConv: one output pixel in s x s at a time, then put together.

With stride s an output row Y = s m + rho - pad reads only the taps rho, rho + s, ...: for each of the s x s phases that
is an ordinary convolution at stride 1 with ceil(k / s) taps, and DepthToSpace interleaves their results (Shi et al.
2016, section 3.2). So one CondConv with s x s times the output channels computes the same multiply-adds, but for zeros
where s does not divide k. Mixing commutes with cutting a kernel into its phases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import module_path, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.named.condconv import ConvSettings, conv_settings
from condmix.exporters.recognise.finding import Declined, Recognised
from condmix.exporters.recognise.mixture import Mixture
from condmix.exporters.recognise.name_mixture import name_mixture


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """Of one spatial axis: the taps of a phase, the pads of its convolution, and what is cut out of the result."""

    taps: int
    pads: tuple[int, int]
    rows: int
    """Of every phase."""
    cut: int
    """Rows in front of the first one that is kept."""

    @classmethod
    def of(cls, *, length: int, kernel: int, stride: int, pad: int, wanted: int) -> _Axis:
        taps = -(-kernel // stride)
        first = min(pad // stride, taps - 1)
        behind = max(-(-(pad + wanted) // stride) - length, 0)
        return cls(
            taps=taps,
            pads=(taps - 1 - first, behind),
            rows=length - first + behind,
            cut=pad - first * stride,
        )


def as_condconv(node: ir.Node, mixture: Mixture, stored_bias: np.ndarray | None, proof: str) -> Recognised | Declined:
    """A ConvTranspose whose kernel (in, out / groups, height, width) is a mixture, in its named form."""
    path, x, result = module_path(node), node.inputs[0], node.outputs[0]
    assert x is not None
    settings = conv_settings(node, mixture.experts[0].shape[3:])
    if settings.strides[0] != settings.strides[1] or "output_shape" in node.attributes:
        reason = f"a transposed convolution with strides {settings.strides} or a stated size: not written in phases"
        return Declined(path=path, node=node, reason=reason)
    builder, shape = NodeBuilder(path), static_shape(result)
    stride, group = settings.strides[0], settings.group
    kernels = tuple(_spread(array, settings.dilations) for array in (mixture.experts[0], mixture.constants[0][None]))
    axes = [
        _Axis.of(
            length=static_shape(x)[2 + axis],
            kernel=kernels[0].shape[3 + axis],
            stride=stride,
            pad=settings.pads[axis],
            wanted=shape[2 + axis],
        )
        for axis in (0, 1)
    ]
    experts, constant_part = (_in_phases(array, stride, group, axes) for array in kernels)
    biases = [_bias_in_phases(array, stride, group) for array in (*mixture.experts[1:], *mixture.constants[1:])]
    inner = Mixture(
        routing=mixture.routing,
        experts=(experts, *biases[: len(mixture.experts) - 1]),
        constants=(constant_part[0], *biases[len(mixture.experts) - 1 :]),
    )
    phases = ConvSettings(
        kernel=(axes[0].taps, axes[1].taps),
        strides=(1, 1),
        pads=(axes[0].pads[0], axes[1].pads[0], axes[0].pads[1], axes[1].pads[1]),
        dilations=(1, 1),
        group=group,
    )
    small = (1, shape[1] * stride**2, axes[0].rows, axes[1].rows)
    bias = None if stored_bias is None else _bias_in_phases(stored_bias, stride, group)
    y = name_mixture(builder, x, inner, phases, small, stored_bias=bias)
    y = _together(builder, y, stride, group, axes, shape)
    return Recognised(
        path=path,
        node=node,
        replacement=Replacement(removed=(node,), results=((result, y),), builder=builder),
        routing_names=(mixture.routing.name or "",),
        proof=f"{proof}; transposed, written in {stride} x {stride} phases",
    )


def _spread(kernels: np.ndarray, dilations: tuple[int, int]) -> np.ndarray:
    """Kernels (experts, in, out, height, width) with zeros between their taps."""
    *lead, height, width = kernels.shape
    spread = np.zeros((*lead, (height - 1) * dilations[0] + 1, (width - 1) * dilations[1] + 1), dtype=kernels.dtype)
    spread[..., :: dilations[0], :: dilations[1]] = kernels
    return spread


def _in_phases(kernels: np.ndarray, stride: int, group: int, axes: list[_Axis]) -> np.ndarray:
    """Kernels (experts, in, out / groups, height, width) as (experts, out x phases, in / groups, taps, taps).

    Of one group the phases come first, as DepthToSpace reads depth first; of several they lie within each channel.
    """
    count, channels, per_group, height, width = kernels.shape
    rows, columns = (axis.taps * stride for axis in axes)
    whole = np.zeros((count, channels, per_group, rows, columns), dtype=kernels.dtype)
    whole[..., :height, :width] = kernels
    cut = whole.reshape(count, group, channels // group, per_group, axes[0].taps, stride, axes[1].taps, stride)
    cut = cut[:, :, :, :, ::-1, :, ::-1, :]
    # experts, group, in, out, tap, phase, tap, phase
    order = (0, 5, 7, 1, 3, 2, 4, 6) if group == 1 else (0, 1, 3, 5, 7, 2, 4, 6)
    outputs = group * per_group * stride**2
    return cut.transpose(order).reshape(count, outputs, channels // group, axes[0].taps, axes[1].taps)


def _bias_in_phases(bias: np.ndarray, stride: int, group: int) -> np.ndarray:
    """A bias (..., out) for every phase, in the order of the kernels."""
    if group == 1:
        return np.tile(bias, (*(1,) * (bias.ndim - 1), stride**2))
    return np.repeat(bias, stride**2, axis=-1)


def _together(
    builder: NodeBuilder, y: ir.Value, stride: int, group: int, axes: list[_Axis], shape: tuple[int, ...]
) -> ir.Value:
    """The phases as one image, cut to size."""
    whole = (1, shape[1], axes[0].rows * stride, axes[1].rows * stride)
    if stride > 1:
        mode = "DCR" if group == 1 else "CRD"
        y = builder.one("DepthToSpace", [y], whole, role="phases", attributes={"blocksize": stride, "mode": mode})
    if whole == shape:
        return y
    first = (axes[0].cut, axes[1].cut)
    last = tuple(start + length for start, length in zip(first, shape[2:], strict=True))
    bounds = [builder.ints(first, "cut_first"), builder.ints(last, "cut_last"), builder.ints((2, 3), "cut_axes")]
    return builder.one("Slice", [y, *bounds], shape, role="cut")
