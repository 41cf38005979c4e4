"""MixConv in TFLite: slices that stay in the delegate, one convolution a kernel size, activations in the branches."""

from __future__ import annotations

from condmix.exporters.named.mixconv import MixConvLayer
from condmix.exporters.tflite.convolution import convolution, needs_bands, row_bands
from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import Activation


def mixconv(emitter: Emitter, x: Tensor, layer: MixConvLayer, activation: Activation) -> Tensor:
    """The layer's output (batch, height, width, channels)."""
    parts: list[Tensor] = []
    first = 0
    for index, branch in enumerate(layer.branches):
        channels = (first, first + branch.in_channels)
        role = f"branch_{index}"
        if branch.is_depthwise and needs_bands(branch.settings):
            # The bands cut their channels and rows out of the input in one go.
            banded = row_bands(
                emitter, x, channels, branch.weight_oihw, branch.bias_o, branch.settings, role, activation
            )
            parts.append(banded)
        else:
            part = emitter.slice(x, (0, 0, 0, first), (*x.shape[:3], branch.in_channels), f"split_{index}")
            parts.append(
                convolution(emitter, part, branch.weight_oihw, branch.bias_o, branch.settings, role, activation)
            )
        first += branch.in_channels
    return emitter.concat(parts, 3, "concat")
