"""MixNet: the block tables, widened and deepened, with their groups, activations and squeeze-excite."""

from functools import cache

import pytest
import torch
from torch import nn

from condmix.models.errors import SettingsError
from condmix.models.inverted_residual_network import InvertedResidualNetwork
from condmix.models.mixconv import MixConv2d, MixPointwise2d
from condmix.models.mixnet import MixNetSettings, mixnet
from condmix.models.padding import Conv2dSame


@cache
def built(**choices: object) -> InvertedResidualNetwork:
    with torch.device("meta"):
        return mixnet(MixNetSettings(**choices))  # type: ignore[arg-type]


def sizes(network: InvertedResidualNetwork) -> list[list[int]]:
    return [
        [branch.kernel_size[0] for branch in block.depthwise.branches]
        if isinstance(block.depthwise, MixConv2d)
        else [block.depthwise.kernel_size[0]]
        for block in network.blocks
    ]


def out_channels(network: InvertedResidualNetwork) -> list[int]:
    return [block.project_norm.num_features for block in network.blocks]


def test_mixnet_s_has_the_papers_kernels() -> None:
    assert sizes(built()) == [
        [3],
        [3],
        [3],
        [3, 5, 7],
        *[[3, 5]] * 3,
        [3, 5, 7],
        *[[3, 5]] * 2,
        [3, 5, 7],
        *[[3, 5, 7, 9]] * 2,
        [3, 5, 7, 9, 11],
        *[[3, 5, 7, 9]] * 2,
    ]


@pytest.mark.parametrize(
    ("choices", "blocks", "depthwise", "pointwise"),
    [
        ({}, 16, 13, 21),
        ({"variant": "m"}, 19, 16, 25),
        ({"variant": "m", "width": 1.3}, 19, 16, 25),
        ({"variant": "m", "width": 1.6, "depth": 1.2}, 23, 20, 32),
        ({"variant": "m", "width": 2.4, "depth": 1.3}, 24, 20, 34),
    ],
)
def test_splits_of_each_size(choices: dict[str, object], blocks: int, depthwise: int, pointwise: int) -> None:
    network = built(**choices)
    assert len(network.blocks) == blocks
    assert sum(isinstance(layer, MixConv2d) for layer in network.modules()) == depthwise
    assert sum(isinstance(layer, MixPointwise2d) for layer in network.modules()) == pointwise


def test_width_rounds_to_eight_and_leaves_the_head() -> None:
    large = built(variant="m", width=1.3)
    assert large.stem.norm.num_features == 32
    assert sorted(set(out_channels(large))) == [32, 40, 56, 104, 160, 264]
    assert large.head.norm.num_features == 1536


def test_relu_without_squeeze_excite_silu_with_it() -> None:
    network = built(variant="m")
    for index, block in enumerate(network.blocks):
        expected = nn.ReLU if index < 3 else nn.SiLU
        assert type(block.activation) is expected
        assert (block.squeeze_excite is not None) == (expected is nn.SiLU)
    assert type(network.stem.activation) is type(network.head.activation) is nn.ReLU
    ratios = [block.squeeze_excite.reduce.out_channels for block in network.blocks[3:8]]
    assert ratios == [16, 20, 20, 20, 10]


def test_the_static_twin_is_3x3_and_dense() -> None:
    assert sizes(built(kernels="static")) == [[3]] * 16
    assert not any(isinstance(layer, MixPointwise2d) for layer in built(kernels="static").modules())


def test_choices_reach_the_mixed_layers() -> None:
    network = built(mix_partition="exponential", mix_dilated=True, padding="same")
    block = network.blocks[13]
    assert block.depthwise.splits == (360, 180, 90, 45, 45)
    assert all(isinstance(branch, Conv2dSame) for branch in block.depthwise.branches)
    assert [branch.dilation[0] for branch in network.blocks[14].depthwise.branches] == [1, 2, 3, 4]


def test_a_depth_that_is_none_is_an_error() -> None:
    with pytest.raises(SettingsError, match="depth is nan, expected a finite number above 0"):
        MixNetSettings(depth=float("nan"))
