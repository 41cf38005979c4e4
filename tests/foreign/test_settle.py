"""Settling gives statistics and routing that follow the images, and refuses what it cannot settle."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from tests.foreign.settle import example_images, settled

SIZE = (3, 12, 10)


class Routed(nn.Module):
    """A norm, and a router on its pooled output or on a constant."""

    def __init__(self, *, constant: bool = False) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.router = nn.Linear(3, 4)
        self.idle = nn.Linear(3, 4)
        self.constant = constant

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.norm(x).mean((2, 3))
        scores: Tensor = self.router(torch.ones_like(pooled) if self.constant else pooled)
        return scores


settle = partial(settled, seed=5, input_size=SIZE, routers=("router",))


def test_example_images_follow_the_seed_and_differ_in_their_means() -> None:
    images = example_images(6, SIZE, seed=1)
    assert images.shape == (6, *SIZE)
    assert torch.equal(images, example_images(6, SIZE, seed=1))
    assert not torch.equal(images, example_images(6, SIZE, seed=2))
    assert images.mean((2, 3)).std(0).min() > 0.3


@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_routing_varies_as_asked_and_the_norm_has_the_statistics_of_the_images(spread: float) -> None:
    network = settle(Routed, routing_spread=spread)
    images = example_images(24, SIZE, seed=5)
    norm = network.get_submodule("norm")
    assert isinstance(norm, nn.BatchNorm2d)
    torch.testing.assert_close(norm.running_mean, images.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        deviation = network(images).std(0)
    assert deviation.min() > 0.9 * spread
    assert deviation.max() < 1.6 * spread  # the centres ride on how far an image is from the mean


def test_one_image_at_a_time_settles_to_the_same() -> None:
    together, alone = settle(Routed).state_dict(), settle(Routed, images_at_once=1).state_dict()
    torch.testing.assert_close(dict(together), dict(alone), rtol=1e-4, atol=1e-5)


def test_a_router_that_sees_no_difference_is_refused() -> None:
    with pytest.raises(ValueError, match="a routing output hardly varies over the images"):
        settle(partial(Routed, constant=True))


def test_a_router_that_is_never_called_is_refused() -> None:
    with pytest.raises(ValueError, match=r"never called in a forward pass: \['idle'\]"):
        settle(Routed, routers=("router", "idle"))
