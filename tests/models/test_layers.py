"""Choosing layers: each number asked for leads to the layer that has it."""

import pytest
import torch
from torch import nn

from condmix.models.condconv import CondConv2d, RoutedCondConv2d
from condmix.models.layers import apply_layer, convolution, depthwise, pointwise, round_channels
from condmix.models.mixconv import MixConv2d, MixPointwise2d
from condmix.models.padding import Conv2dSame


def test_layers_by_what_they_are_asked_for() -> None:
    assert type(convolution(4, 4, 3)) is nn.Conv2d
    assert type(convolution(4, 4, 3, stride=2, padding="same")) is Conv2dSame
    assert type(convolution(4, 4, 3, experts=2)) is CondConv2d
    assert type(convolution(4, 4, 3, experts=2, routing_scope="layer")) is RoutedCondConv2d
    assert type(depthwise(4, (3, 5))) is MixConv2d
    assert type(depthwise(4, (5,), experts=2)) is CondConv2d
    assert type(pointwise(4, 4, groups=2)) is MixPointwise2d
    assert type(pointwise(4, 4)) is nn.Conv2d


@pytest.mark.parametrize("experts", [None, 2])
def test_no_convolution_has_a_bias(experts: int | None) -> None:
    for layer in (convolution(4, 4, 3, experts=experts), depthwise(4, (3,), experts=experts)):
        assert not [name for name, _ in layer.named_parameters() if "bias" in name]


def test_only_condconv_takes_the_gates() -> None:
    x, gates = torch.ones(1, 4, 5, 5), torch.zeros(1, 2)
    assert not apply_layer(convolution(4, 4, 3, experts=2), x, gates).any()
    assert apply_layer(convolution(4, 4, 3), x, gates).any()
    assert apply_layer(convolution(4, 4, 3, experts=2, routing_scope="layer"), x, None).any()


@pytest.mark.parametrize(
    ("channels", "rounded"), [(32 * 1.3, 40), (24 * 1.3, 32), (32 * 1.6, 48), (12, 16), (11, 16), (3, 8), (8, 8)]
)
def test_channels_round_to_eight_and_never_lose_a_tenth(channels: float, rounded: int) -> None:
    assert round_channels(channels) == rounded
