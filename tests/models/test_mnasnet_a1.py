"""MnasNet-A1: sixteen blocks, CondConv in the last three groups of them, ordinary squeeze-excite."""

import torch
from torch import nn

from condmix.models.condconv import CondConv2d
from condmix.models.inverted_residual_network import InvertedResidualNetwork
from condmix.models.mnasnet_a1 import MnasNetSettings, mnasnet_a1


def built(**choices: object) -> InvertedResidualNetwork:
    with torch.device("meta"):
        return mnasnet_a1(MnasNetSettings(**choices))  # type: ignore[arg-type]


def test_condconv_in_the_last_three_groups_and_an_ordinary_classifier() -> None:
    network = built()
    routed = [index for index, block in enumerate(network.blocks) if block.routing is not None]
    assert routed == list(range(10, 16))
    assert isinstance(network.classifier.output, nn.Linear)
    assert len([layer for layer in network.modules() if isinstance(layer, CondConv2d)]) == 6 * 3


def test_squeeze_excite_is_in_three_groups_and_has_a_quarter_of_the_blocks_input() -> None:
    network = built()
    reduced = {
        index: block.squeeze_excite.reduce.out_channels
        for index, block in enumerate(network.blocks)
        if block.squeeze_excite is not None
    }
    assert reduced == {3: 6, 4: 10, 5: 10, 10: 20, 11: 28, 12: 28, 13: 40, 14: 40}


def test_kernels_are_the_papers() -> None:
    network = built(kernels="static")
    sizes = [block.depthwise.kernel_size[0] for block in network.blocks]
    assert sizes == [3, 3, 3, 5, 5, 5, 3, 3, 3, 3, 3, 3, 5, 5, 5, 3]
