"""MobileNetV2: seventeen blocks, CondConv in the last six, MixConv everywhere."""

import torch
from torch import nn

from condmix.models.blocks import InvertedResidual
from condmix.models.condconv import CondConv2d
from condmix.models.inverted_residual_network import InvertedResidualNetwork
from condmix.models.mixconv import MixConv2d
from condmix.models.mobilenet_v2 import MobileNetV2Settings, mobilenet_v2


def built(**choices: object) -> InvertedResidualNetwork:
    with torch.device("meta"):
        return mobilenet_v2(MobileNetV2Settings(**choices))  # type: ignore[arg-type]


def test_condconv_in_the_last_six_blocks_and_in_the_classifier() -> None:
    network = built()
    routed = [index for index, block in enumerate(network.blocks) if block.routing is not None]
    assert routed == list(range(11, 17))
    assert len([layer for layer in network.modules() if isinstance(layer, CondConv2d)]) == 6 * 3 + 1
    assert not isinstance(network.head.convolution, CondConv2d)


def test_activation_is_relu6_and_none_follows_the_projection() -> None:
    network = built(kernels="static")
    kinds = {type(layer) for layer in network.modules() if "activation" in type(layer).__module__}
    assert kinds == {nn.ReLU6}
    with torch.device("cpu"):
        torch.manual_seed(0)
        block = mobilenet_v2(MobileNetV2Settings(kernels="static", width=0.25)).eval().blocks[0]
        assert block(torch.randn(1, 8, 8, 8)).min() < 0


def test_mixconv_is_in_every_depthwise_layer() -> None:
    network = built(kernels="mixconv", mix_groups=2)
    for block in network.blocks:
        assert isinstance(block, InvertedResidual)
        assert isinstance(block.depthwise, MixConv2d)
        assert len(block.depthwise.splits) == 2


def test_the_head_is_widened_but_never_narrowed() -> None:
    assert built(width=0.5).head.norm.num_features == 1280
    assert built(width=1.4).head.norm.num_features == 1792
