"""Fresh weights: values keep their size through every network, in eval mode and before any training."""

import pytest
import torch
from torch import nn

from condmix.models import zoo
from condmix.models.condconv import CondConv2d
from condmix.models.initialise import initialise
from tests.models.zoo_names import DETECTORS, ONE_OF_EACH_FAMILY, quick_for


@pytest.mark.parametrize("name", quick_for(ONE_OF_EACH_FAMILY))
def test_values_neither_vanish_nor_run_away(name: str) -> None:
    torch.manual_seed(0)
    network = zoo.build(name).eval()
    spreads: dict[str, float] = {}

    def note(path: str) -> None:
        def hook(_block: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            spreads[path] = output.std().item()

        network.get_submodule(path).register_forward_hook(hook)

    for index in range(len(network.blocks)):  # type: ignore[arg-type]
        note(f"blocks.{index}")
    with torch.no_grad():
        result = network(torch.randn(2, zoo.describe(name).input_size[0], 96, 96))
    scores = result["scores"] if name in DETECTORS else result
    outside = {path: spread for path, spread in spreads.items() if not 0.01 < spread < 20}
    assert len(spreads) >= 5
    assert not outside
    assert 1e-3 < scores.std().item() < 20


def test_a_mixture_at_gates_of_one_half_has_an_ordinary_kernels_size() -> None:
    torch.manual_seed(0)
    for experts in (1, 4, 8, 32):
        layer = CondConv2d(64, 64, 3, experts=experts)
        initialise(layer)
        mixture = 0.5 * layer.weight_eoihw.sum(0)
        assert mixture.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.03)


def test_every_bias_is_zero() -> None:
    layers = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Linear(4, 4), CondConv2d(4, 4, 3, experts=2, bias=True))
    for parameter in layers.parameters():
        nn.init.ones_(parameter)
    initialise(layers)
    biases = [parameter for name, parameter in layers.named_parameters() if "bias" in name]
    assert len(biases) == 3
    assert not any(bias.any() for bias in biases)


def test_the_same_seed_gives_the_same_weights() -> None:
    def built(seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed)
        return zoo.build("condconv_digits").state_dict()

    first, second, other = built(1), built(1), built(2)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["stem.convolution.weight"], other["stem.convolution.weight"])
