"""EfficientNet: depth deepens stage by stage, CondConv follows the last three stages, padding as in TensorFlow."""

from functools import cache

import pytest
import torch
from torch import nn

from condmix.models.condconv import CondConv2d
from condmix.models.efficientnet import EfficientNetSettings, efficientnet
from condmix.models.errors import SettingsError
from condmix.models.inverted_residual_network import InvertedResidualNetwork
from condmix.models.padding import Conv2dSame


@cache
def built(**choices: object) -> InvertedResidualNetwork:
    with torch.device("meta"):
        return efficientnet(EfficientNetSettings(**choices))  # type: ignore[arg-type]


@pytest.mark.parametrize(("depth", "routed"), [(1.0, range(8, 16)), (1.1, range(12, 23))])
def test_condconv_in_the_last_three_stages_at_any_depth(depth: float, routed: range) -> None:
    network = built(depth=depth)
    found = [index for index, block in enumerate(network.blocks) if block.routing is not None]
    assert found == list(routed)
    assert isinstance(network.classifier.output, nn.Linear)


def test_depth_rounds_each_stage_up() -> None:
    assert EfficientNetSettings(depth=1.1).repeats() == (2, 3, 3, 4, 4, 5, 2)


@pytest.mark.parametrize("depth", [0.0, -1.0, float("nan"), float("inf")])
def test_a_depth_that_is_none_is_an_error(depth: float) -> None:
    with pytest.raises(SettingsError, match=r"depth is .*, expected a finite number above 0"):
        EfficientNetSettings(depth=depth)


def test_same_padding_reaches_every_strided_layer() -> None:
    network = built(padding="same", condconv_blocks=(11,))
    strided = [layer for layer in network.modules() if getattr(layer, "stride", (1, 1))[0] == 2]
    assert len(strided) == 5
    assert all(
        layer.same_padding if isinstance(layer, CondConv2d) else isinstance(layer, Conv2dSame) for layer in strided
    )
    assert any(isinstance(layer, CondConv2d) for layer in strided)
    assert not any(isinstance(layer, Conv2dSame) for layer in built().modules())


def test_squeeze_excite_has_a_quarter_of_the_blocks_input() -> None:
    reduced = [block.squeeze_excite.reduce.out_channels for block in built().blocks]
    assert reduced == [8, 4, 6, 6, 10, 10, 20, 20, 20, 28, 28, 28, 48, 48, 48, 48]


def test_activation_is_silu_throughout() -> None:
    kinds = {type(layer) for layer in built().modules() if "activation" in type(layer).__module__}
    assert kinds == {nn.SiLU}
