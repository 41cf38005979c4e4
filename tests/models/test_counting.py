"""Counting: by hand on small layers, by torch's own counter on whole networks."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from condmix.models import zoo
from condmix.models.condconv import CondConv2d, RoutedCondConv2d
from condmix.models.counting import count
from tests.models.zoo_names import ONE_OF_EACH_FAMILY, quick_for, weightless

CONDCONV_NAMES = tuple(name for name in zoo.names() if name.startswith("condconv"))


def test_an_ordinary_network_by_hand() -> None:
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 4, 3, groups=4, padding=1, bias=False),
        nn.Flatten(),
        nn.Linear(4 * 5 * 4, 10),
    )
    counted = count(network, (2, 9, 8))
    rows = [(row.path, row.kind, row.parameters, row.multiply_adds) for row in counted.layers]
    assert rows == [
        ("0", "convolution", 2 * 4 * 9 + 4, 2 * 4 * 9 * 20),
        ("1", "norm", 8, 0),
        ("2", "depthwise", 4 * 9, 4 * 9 * 20),
        ("4", "linear", 80 * 10 + 10, 800),
    ]
    assert counted.multiply_adds == 1440 + 720 + 800
    assert counted.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert counted.kernel_mixing_multiply_adds == counted.routing_multiply_adds == 0


def test_condconv_adds_mixing_and_routing() -> None:
    network = RoutedCondConv2d(CondConv2d(4, 6, 3, experts=5, groups=2, bias=True))
    counted = count(network, (4, 7, 7))
    bank, bias = 5 * 6 * 2 * 9, 5 * 6
    by_path = {row.path: row for row in counted.layers}
    assert by_path["convolution"].multiply_adds == 49 * 6 * 2 * 9 + bank + bias
    assert by_path["convolution"].kernel_mixing_multiply_adds == bank + bias
    assert by_path["routing.linear"].kind == "routing"
    assert counted.routing_multiply_adds == 4 * 5
    assert counted.kernel_mixing_multiply_adds == bank + bias
    assert counted.parameters == bank + bias + 4 * 5 + 5


@pytest.mark.parametrize("name", quick_for(ONE_OF_EACH_FAMILY))
def test_every_network_agrees_with_torchs_counter(name: str) -> None:
    agrees_with_torchs_counter(name, weightless(name))


@pytest.mark.parametrize("name", quick_for(["condconv_digits"], CONDCONV_NAMES))
def test_a_routing_for_each_layer_agrees_with_torchs_counter(name: str) -> None:
    agrees_with_torchs_counter(name, weightless(name, routing_scope="layer"))


def agrees_with_torchs_counter(name: str, network: nn.Module) -> None:
    """Both count during the same forward pass: counting runs the network once."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        counted = count(network, zoo.describe(name).input_size)
    assert counter.get_total_flops() > 0
    assert 2 * counted.multiply_adds == counter.get_total_flops()
    assert counted.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert counted.uncounted == ()
    assert (counted.kernel_mixing_multiply_adds > 0) == (counted.routing_multiply_adds > 0) == ("condconv_" in name)


def test_a_weight_that_nobody_counts_is_named() -> None:
    class Foreign(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, 3))
            self.scale = nn.Parameter(torch.ones(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((2, 3)) @ self.weight * self.scale

    counted = count(nn.Sequential(nn.Conv2d(1, 3, 1), Foreign()), (1, 2, 2))
    assert counted.uncounted == ("1",)
    assert counted.multiply_adds == 12
    assert counted.parameters == 6 + 9 + 3


def test_a_layer_used_twice_works_twice_and_has_its_weights_once() -> None:
    shared = nn.Linear(4, 4, bias=False)
    counted = count(nn.Sequential(nn.Flatten(), shared, nn.ReLU(), shared), (1, 2, 2))
    assert counted.parameters == 16
    assert counted.multiply_adds == 32


def test_counting_leaves_the_network_as_it_was() -> None:
    network = zoo.build("condconv_digits").train()
    network.get_submodule("stem").eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    count(network, (1, 32, 32))
    assert network.training
    assert network.get_submodule("blocks.0").training
    assert not network.get_submodule("stem.norm").training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_hooks_and_modes_are_restored_after_a_failure() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1)).train()
    with pytest.raises(RuntimeError, match="channels"):
        count(network, (2, 4, 4))
    assert network[0].training
    assert not network[0]._forward_hooks
