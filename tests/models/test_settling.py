"""Settling in one pass: statistics and routing follow the images, and what cannot be settled is refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from condmix.models.settling import ROUTING_SPREAD, settled_in_one_pass
from tests.foreign.settle import example_images

IMAGES = example_images(24, (3, 12, 10), seed=5)


class Routed(nn.Module):
    """Two norms in a row and a router on what is pooled behind them; a module that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.router = nn.Linear(3, 4)
        self.idle = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.router(self.second(self.first(x)).mean((2, 3)))
        return scores


def settle(*routers: str, seed: int = 1) -> Routed:
    network = settled_in_one_pass(Routed, seed=seed, images=IMAGES, routers=lambda _: routers)
    assert isinstance(network, Routed)
    return network


def test_every_norm_has_the_statistics_of_what_reaches_it_once_all_before_it_are_settled() -> None:
    network = settle("router")
    with torch.no_grad():
        between = network.first(IMAGES)
    for norm, maps in ((network.first, IMAGES), (network.second, between)):
        torch.testing.assert_close(norm.running_mean, maps.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
        assert float(norm.weight.detach().abs().min()) >= 0.15
        assert float(norm.weight.detach().abs().max()) <= 0.45


def test_routing_varies_as_asked() -> None:
    with torch.no_grad():
        deviation = settle("router")(IMAGES).std(0)
    assert deviation.min() > 0.9 * ROUTING_SPREAD
    assert deviation.max() < 1.6 * ROUTING_SPREAD  # the centres ride on how far an image is from the mean


def test_the_same_seed_gives_the_same_network_and_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = settle("router"), settle("router"), settle("router", seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert not first.training
    torch.testing.assert_close(dict(first.state_dict()), dict(again.state_dict()), rtol=0, atol=0)
    assert not torch.equal(first.router.weight, other.router.weight)


def test_a_router_that_is_never_called_is_refused() -> None:
    with pytest.raises(ValueError, match=r"never called in a forward pass: \['idle'\]"):
        settle("router", "idle")
