"""The networks compute what timm's networks of the same weights compute: padding, activations, epsilon, order.

Parameter counts are compared with fixed numbers read from timm 1.0, so they hold without it.
"""

from collections.abc import Iterator, Mapping

import pytest
import torch
from torch import Tensor, nn

from condmix.models import timm_source, zoo
from condmix.models.condconv import CondConv2d
from tests.models.zoo_names import weightless

PARAMETERS = {
    "condconv_efficientnet_b0_4e": 13_314_116,
    "condconv_efficientnet_b0_8e": 24_013_284,
    "condconv_efficientnet_b0_depth_8e": 39_715_968,
    "mixnet_s": 4_134_606,
    "mixnet_m": 5_014_382,
    "mixnet_l": 7_329_252,
    "mixnet_xl": 11_896_768,
    "efficientnet_b0": 5_288_548,
    "mobilenet_v1": 4_231_976,
    "mobilenet_v2": 3_504_872,
    "mnasnet_a1": 3_887_038,
    "resnet50": 25_557_032,
}

TWINS = [
    ("condconv_efficientnet_b0_4e", "efficientnet_cc_b0_4e"),
    ("condconv_efficientnet_b0_4e", "tf_efficientnet_cc_b0_4e"),
    ("condconv_efficientnet_b0_depth_8e", "tf_efficientnet_cc_b1_8e"),
    ("mixnet_s", "mixnet_s"),
    ("mixnet_s", "tf_mixnet_s"),
    ("mixnet_m", "mixnet_m"),
    ("mixnet_l", "tf_mixnet_l"),
    ("mixnet_xl", "mixnet_xl"),
    ("efficientnet_b0", "efficientnet_b0"),
    ("efficientnet_b0", "tf_efficientnet_b0"),
    ("mobilenet_v1", "mobilenetv1_100"),
    ("mobilenet_v2", "mobilenetv2_100"),
    ("mnasnet_a1", "semnasnet_100"),
    ("resnet50", "resnet50"),
]

QUICK_TWINS = (
    ("condconv_efficientnet_b0_4e", "tf_efficientnet_cc_b0_4e"),
    ("mixnet_s", "mixnet_s"),
    ("mobilenet_v2", "mobilenetv2_100"),
)

needs_timm = pytest.mark.skipif(not timm_source.installed(), reason="timm is not installed")


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_parameter_counts_are_timms_to_the_digit(name: str, parameters: int) -> None:
    assert sum(parameter.numel() for parameter in weightless(name).parameters()) == parameters


@needs_timm
@pytest.mark.parametrize(
    ("name", "timm_name"),
    [pytest.param(*twin, marks=() if twin in QUICK_TWINS else pytest.mark.slow) for twin in TWINS],
)
def test_the_same_weights_give_the_same_scores(name: str, timm_name: str) -> None:
    ours, theirs = twins(name, timm_name)
    # An odd size: SAME and symmetric padding differ in every strided layer.
    images = torch.randn(2, 3, 41, 45, dtype=torch.float64)
    with torch.no_grad():
        scores, expected = ours(images), theirs(images)
    assert expected.std() > 1e-3
    torch.testing.assert_close(scores, expected, rtol=1e-8, atol=1e-10)


@needs_timm
@pytest.mark.parametrize("setting", [{"padding": "same"}, {"batch_norm_epsilon": 1e-3}])
def test_the_comparison_notices_one_wrong_setting(setting: dict[str, object]) -> None:
    ours, theirs = twins("condconv_efficientnet_b0_4e", "efficientnet_cc_b0_4e", setting)
    images = torch.randn(2, 3, 41, 45, dtype=torch.float64)
    with torch.no_grad():
        scores, expected = ours(images), theirs(images)
    assert (scores - expected).abs().max() > 1e-4 * expected.std()


def twins(name: str, timm_name: str, changes: Mapping[str, object] | None = None) -> tuple[nn.Module, nn.Module]:
    """Our network and timm's with the same weights, in float64 and eval mode."""
    torch.manual_seed(0)
    from_tensorflow = timm_name.startswith("tf_")
    settings: dict[str, object] = {"num_classes": 10}
    settings |= {"padding": "same"} if from_tensorflow else {"batch_norm_epsilon": 1e-5}
    ours = zoo.build(name, {**settings, **(changes or {})}).double()
    theirs = timm_source.build(timm_name, num_classes=10).double()
    # Ours keep values in size, so timm's network takes them; batch norm gets statistics as if trained.
    with torch.no_grad():
        for own, other in zip(in_timms_order(ours), theirs.parameters(), strict=True):
            other.copy_(own.reshape(other.shape))
        for network in (ours, theirs):
            generator = torch.Generator().manual_seed(1)
            for norm in network.modules():
                if isinstance(norm, nn.BatchNorm2d):
                    assert norm.running_mean is not None
                    assert norm.running_var is not None
                    norm.running_mean.normal_(0, 0.1, generator=generator)
                    norm.running_var.uniform_(0.5, 1.5, generator=generator)
    return ours.eval(), theirs.eval()


def in_timms_order(network: nn.Module) -> Iterator[Tensor]:
    """Our parameters in timm's order: the same, except that timm has a block's routing at its end."""
    kept: list[Tensor] = []
    for path, module in network.named_modules():
        own = list(module.parameters(recurse=False))
        if path.startswith("blocks") and "routing" in path:
            kept += own
            continue
        if path.count(".") == 1 or not path.startswith("blocks"):
            yield from kept
            kept = []
        yield from own
    assert not kept


def test_the_order_moves_routing_only() -> None:
    network = zoo.build("condconv_efficientnet_b0_4e", {"width": 0.25})
    ordered = list(in_timms_order(network))
    assert {id(parameter) for parameter in ordered} == {id(parameter) for parameter in network.parameters()}
    assert len(ordered) == len(list(network.parameters()))
    assert any(isinstance(module, CondConv2d) for module in network.modules())
