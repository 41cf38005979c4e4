"""The demonstration networks: small, and with everything in them that an export has to cope with."""

import torch
from torch import nn

from condmix.models.condconv import CondConv2d
from condmix.models.demonstration import (
    CondConvDigitsSettings,
    MixDigitsSettings,
    condconv_digits,
    mixnet_digits,
)
from condmix.models.mixconv import MixConv2d, MixPointwise2d


def test_condconv_digits_has_four_condconv_blocks_of_four_experts() -> None:
    network = condconv_digits(CondConvDigitsSettings())
    mixed = [layer for layer in network.modules() if isinstance(layer, CondConv2d)]
    assert len(mixed) == 4 * 3
    assert {layer.experts for layer in mixed} == {4}
    assert {layer.groups > 1 for layer in mixed} == {True, False}
    assert {layer.stride for layer in mixed} == {(1, 1), (2, 2)}


def test_mixnet_digits_has_every_kernel_and_two_group_pointwise_layers() -> None:
    network = mixnet_digits(MixDigitsSettings())
    mixed = [layer for layer in network.modules() if isinstance(layer, MixConv2d)]
    assert [len(layer.splits) for layer in mixed] == [3, 2, 4, 5]
    assert sum(isinstance(layer, MixPointwise2d) for layer in network.modules()) == 4
    assert any(isinstance(layer, nn.SiLU) for layer in network.modules())
    assert sum(block.squeeze_excite is not None for block in network.blocks) == 4


def test_both_take_grey_images_and_learn_one_batch() -> None:
    torch.manual_seed(0)
    images, labels = torch.randn(16, 1, 32, 32), torch.arange(16) % 10
    for network in (condconv_digits(CondConvDigitsSettings()), mixnet_digits(MixDigitsSettings())):
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
        losses = []
        for _ in range(12):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.3 * losses[0]
        assert all(parameter.grad is not None for parameter in network.parameters())
