"""The frame: stem, blocks, head and classifier in that order, with the numbers it is given."""

import torch
from torch import nn

from condmix.models.blocks import InvertedResidualShape
from condmix.models.inverted_residual_network import InvertedResidualNetwork
from condmix.models.padding import Conv2dSame
from condmix.models.settings import NetworkSettings

SHAPES = (
    InvertedResidualShape(in_channels=8, expanded_channels=16, out_channels=12),
    InvertedResidualShape(in_channels=12, expanded_channels=24, out_channels=16, stride=2),
)


def built() -> InvertedResidualNetwork:
    torch.manual_seed(0)
    settings = NetworkSettings(num_classes=5, in_channels=2)
    return InvertedResidualNetwork(SHAPES, 20, settings, stem_activation="silu", padding="same").eval()


def test_the_parts_are_applied_in_order() -> None:
    network, x = built(), torch.randn(2, 2, 16, 16)
    y = network.stem(x)
    assert y.shape == (2, 8, 8, 8)
    for block in network.blocks:
        y = block(y)
    assert y.shape == (2, 16, 4, 4)
    y = network.head(y)
    assert y.shape == (2, 20, 4, 4)
    assert torch.equal(network(x), network.classifier(y))
    assert network(x).shape == (2, 5)


def test_stem_and_head_share_the_activation_and_the_stem_has_the_padding() -> None:
    network = built()
    assert type(network.stem.activation) is type(network.head.activation) is nn.SiLU
    assert type(network.stem.convolution) is Conv2dSame


def test_one_pixel_is_enough() -> None:
    assert built()(torch.randn(1, 2, 1, 1)).shape == (1, 5)
