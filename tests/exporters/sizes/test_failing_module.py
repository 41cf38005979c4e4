"""The module that stops is named, and no hook stays behind."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from condmix.exporters.sizes.failing_module import failing_module
from tests.conformance.any_size_networks import Flattened, SameMix


class Halved(nn.Module):
    """Adds a map to its own other half."""

    def forward(self, x: Tensor) -> Tensor:
        return x[..., ::2] + x[..., 1::2]


def test_the_innermost_module_is_named() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), Halved())
    assert failing_module(network, (3, 8, 9)) == "1"
    assert failing_module(Flattened().eval(), (3, 25, 24)) == "classifier"
    assert failing_module(Halved(), (3, 8, 9)) == ""


def test_a_network_that_runs_has_none_and_is_left_as_it_was() -> None:
    network = SameMix().eval().double()
    assert failing_module(network, (3, 9, 11)) is None
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules()]
    assert set(hooks) == {0}
    assert next(network.parameters()).dtype == torch.float64
