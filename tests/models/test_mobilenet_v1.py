"""MobileNetV1: thirteen separable blocks, CondConv from the sixth on, MixConv everywhere."""

import torch
from torch import nn

from condmix.models.condconv import CondConv2d, Routing
from condmix.models.mixconv import MixConv2d
from condmix.models.mobilenet_v1 import MobileNetV1, MobileNetV1Settings, SeparableBlock


def built(**choices: object) -> MobileNetV1:
    with torch.device("meta"):
        return MobileNetV1(MobileNetV1Settings(**choices))  # type: ignore[arg-type]


def routed_blocks(network: MobileNetV1) -> list[int]:
    return [index for index, block in enumerate(network.blocks) if block.routing is not None]


def test_condconv_from_the_sixth_block_on_and_in_the_classifier() -> None:
    network = built()
    assert routed_blocks(network) == list(range(5, 13))
    mixed = [layer for layer in network.modules() if isinstance(layer, CondConv2d)]
    assert len(mixed) == 8 * 2 + 1
    assert {layer.experts for layer in mixed} == {8}
    assert network.classifier.routing is not None


def test_placement_experts_and_classifier_can_be_chosen() -> None:
    network = built(experts=3, condconv_blocks=(0, 12), condconv_classifier=False)
    assert routed_blocks(network) == [0, 12]
    assert {layer.experts for layer in network.modules() if isinstance(layer, CondConv2d)} == {3}
    assert isinstance(network.classifier.output, nn.Linear)


def test_one_routing_serves_both_layers_of_a_block() -> None:
    shared, separate = built(), built(routing_scope="layer")
    assert sum(isinstance(layer, Routing) for layer in shared.modules()) == 8 + 1
    assert sum(isinstance(layer, Routing) for layer in separate.modules()) == 8 * 2 + 1


def test_mixconv_is_in_every_depthwise_layer() -> None:
    network = built(kernels="mixconv", mix_groups=5, mix_partition="exponential", mix_dilated=True)
    for block in network.blocks:
        assert isinstance(block, SeparableBlock)
        assert isinstance(block.depthwise, MixConv2d)
        assert len(block.depthwise.splits) == 5
        assert block.depthwise.splits[0] >= 2 * block.depthwise.splits[1]
    kernels = [branch.kernel_size[0] for branch in network.blocks[0].depthwise.branches]
    assert kernels == [3] * 5
    strided = [branch.kernel_size[0] for branch in network.blocks[1].depthwise.branches]
    assert strided == [3, 5, 7, 9, 11]


def test_one_mixconv_group_is_the_ordinary_network() -> None:
    one, static = built(kernels="mixconv", mix_groups=1), built(kernels="static")
    assert [*one.state_dict()] == [*static.state_dict()]


def test_width_scales_every_stage() -> None:
    network = built(kernels="static", width=0.5)
    assert network.stem.norm.num_features == 16
    assert network.blocks[12].pointwise_norm.num_features == 512
    assert {layer.eps for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)} == {1e-3}
