"""After measuring again, eval mode sees what the finished weights make of the pictures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from condmix.models.precise_batch_norm import BATCH, measure_statistics_again


def _images(count: int) -> Tensor:
    return torch.randn(count, 3, 6, 6, generator=torch.Generator().manual_seed(1)) * 2 + 1


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.Dropout(0.5), nn.Conv2d(8, 4, 1), nn.BatchNorm2d(4)
    )


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_statistics_are_those_of_all_pictures_in_eval_mode() -> None:
    network, images = _network(), _images(40)
    measure_statistics_again(network, images, _generator())
    # The first norm divides its batch by the biased deviation and hands the unbiased one on.
    for last, relative in ((1, 1e-5), (5, 2 / (40 * 4 * 4))):
        norm = network[last]
        assert isinstance(norm, nn.BatchNorm2d)
        with torch.no_grad():
            reaching = network[:last](images)
        torch.testing.assert_close(norm.running_mean, reaching.mean((0, 2, 3)), rtol=relative, atol=relative)
        torch.testing.assert_close(norm.running_var, reaching.var((0, 2, 3)), rtol=relative, atol=0)


def test_several_batches_are_averaged() -> None:
    network, images = _network(), _images(BATCH + 100)
    measure_statistics_again(network, images, _generator())
    with torch.no_grad():
        scores = network(images)
    torch.testing.assert_close(scores.mean((0, 2, 3)), torch.zeros(4), rtol=0, atol=2e-3)
    torch.testing.assert_close(scores.std((0, 2, 3)), torch.ones(4), rtol=2e-2, atol=0)
    assert int(network[1].num_batches_tracked) == 2


@pytest.mark.parametrize("momentum", [0.1, 0.01])
def test_momentum_and_mode_are_as_for_use_afterwards(momentum: float) -> None:
    network = _network().train()
    for norm in (network[1], network[5]):
        norm.momentum = momentum
    measure_statistics_again(network, _images(8), _generator())
    assert [network[1].momentum, network[5].momentum] == [momentum, momentum]
    assert not any(part.training for part in network.modules())


def test_weights_are_left_alone() -> None:
    network = _network()
    weights = [parameter.clone() for parameter in network.parameters()]
    measure_statistics_again(network, _images(8), _generator())
    assert all(torch.equal(old, new) for old, new in zip(weights, network.parameters(), strict=True))


def test_a_network_without_batch_norm_is_only_put_into_eval_mode() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout())
    measure_statistics_again(network, _images(4), _generator())
    assert not network.training


def test_stale_statistics_are_replaced() -> None:
    network, images = _network(), _images(64)
    with torch.no_grad():
        network[1].running_var.fill_(1e-3)  # as if averaged while the weights were a tenth
        stale = network.eval()(images).abs().max()
        measure_statistics_again(network, images, _generator())
        fresh = network(images).abs().max()
    assert fresh < stale / 10
