"""What CondConv and MixConv mean, as plainly as can be written: the oracle for tests of the fast layers.

Nothing here shares code with the layers. Slow; precise if the tensors are float64.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

Pads = tuple[int, int, int, int]


def condconv_reference(
    x: Tensor,
    routing: Tensor,
    weight_eoihw: Tensor,
    bias_eo: Tensor | None = None,
    *,
    stride: tuple[int, int] = (1, 1),
    pads: Pads = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Tensor:
    """sum_e r_e (W_e * x + b_e) for each image by itself (arXiv 1904.04971, section 3).

    `x` is (batch, in, height, width), `routing` (batch, experts), `pads` (top, bottom, left, right); the
    result is (batch, out, h', w'). Runs every expert on every image.
    """
    images = []
    for image, gates in zip(x, routing, strict=True):
        padded = _padded(image.unsqueeze(0), pads)
        mixture: Tensor | None = None
        for expert, gate in enumerate(gates):
            bias = None if bias_eo is None else bias_eo[expert]
            answer = functional.conv2d(padded, weight_eoihw[expert], bias, stride, 0, dilation, groups)
            mixture = gate * answer if mixture is None else mixture + gate * answer
        if mixture is None:
            message = "condconv_reference: there are no experts, expected at least one column in routing"
            raise ValueError(message)
        images.append(mixture)
    return torch.cat(images)


def mixconv_reference(
    x: Tensor,
    weights_c1hw: Sequence[Tensor],
    *,
    stride: int = 1,
    pads: Sequence[Pads],
    dilations: Sequence[int],
) -> Tensor:
    """Each channel convolved with its own kernel, by itself (arXiv 1907.09595, section 3.1).

    `x` is (batch, channels, height, width). There is one entry per group: kernels (channels of the group, 1,
    height, width), pads (top, bottom, left, right) and dilation. The result is (batch, channels, h', w').
    """
    channels: list[Tensor] = []
    for weight_c1hw, group_pads, dilation in zip(weights_c1hw, pads, dilations, strict=True):
        for kernel_1hw in weight_c1hw:
            position = len(channels)
            channel = _padded(x[:, position : position + 1], group_pads)
            channels.append(functional.conv2d(channel, kernel_1hw.unsqueeze(0), None, stride, 0, dilation))
    return torch.cat(channels, dim=1)


def _padded(x: Tensor, pads: Pads) -> Tensor:
    top, bottom, left, right = pads
    return functional.pad(x, (left, right, top, bottom))
