"""ResNet-50: sixteen bottleneck blocks, CondConv in the last three, an ordinary shortcut."""

import pytest
import torch
from torch import nn

from condmix.models.condconv import CondConv2d
from condmix.models.resnet50 import Bottleneck, ResNet50, ResNetSettings


def built(**choices: object) -> ResNet50:
    with torch.device("meta"):
        return ResNet50(ResNetSettings(**choices))  # type: ignore[arg-type]


def test_condconv_in_the_last_three_blocks_and_in_the_classifier() -> None:
    network = built()
    routed = [index for index, block in enumerate(network.blocks) if block.routing is not None]
    assert routed == [13, 14, 15]
    assert isinstance(network.classifier.output, CondConv2d)
    shortcut = network.blocks[13].shortcut
    assert shortcut is not None
    assert not any(isinstance(layer, CondConv2d) for layer in shortcut.modules())


def test_the_stride_is_in_the_3x3_layer() -> None:
    network = built(kernels="static")
    strides = [block.spatial.stride[0] for block in network.blocks]
    assert strides == [1] * 3 + [2, 1, 1, 1] + [2, 1, 1, 1, 1, 1] + [2, 1, 1]
    assert all(block.reduce.stride == (1, 1) for block in network.blocks)


@pytest.mark.parametrize("scope", ["block", "layer"])
def test_a_block_adds_its_input_before_the_last_relu(scope: str) -> None:
    torch.manual_seed(0)
    settings = ResNetSettings(condconv_blocks=(0,), routing_scope=scope)  # type: ignore[arg-type]
    block = Bottleneck(32, 8, 1, 0, settings).eval()
    assert block.shortcut is None
    nn.init.zeros_(block.expand_norm.weight)
    x = torch.randn(2, 32, 5, 5)
    torch.testing.assert_close(block(x), x.relu())
