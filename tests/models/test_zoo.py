"""The zoo: every name builds, runs on small inputs, and answers for each image by itself."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from condmix.models import zoo
from condmix.models.condconv import CondConv2d
from condmix.models.errors import ModelError, SettingsError, UnknownArchitectureError
from condmix.models.mixconv import MixConv2d, MixPointwise2d
from tests.models.zoo_names import CLASSIFIERS, DETECTORS, ONE_OF_EACH_FAMILY, quick_for, weightless

MIXED_LAYERS = (CondConv2d, MixConv2d, MixPointwise2d)
TWO_KINDS = tuple(name for name in zoo.names() if zoo.describe(name).settings.kernels != "static")  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_each_name_runs_on_small_grey_images_and_keeps_them_apart(name: str) -> None:
    torch.manual_seed(0)
    network = zoo.build(name, {"in_channels": 1, "num_classes": 5, "width": 0.25}).double().eval()
    images = torch.randn(3, 1, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        scores = network(images)
        assert scores.shape == (3, 5)
        # An image's answer is its own: alone, among others, in another order.
        for order in ([0], [1], [2, 0], [2, 1, 0]):
            torch.testing.assert_close(network(images[order]), scores[order], rtol=1e-9, atol=1e-12)
    assert (scores[0] - scores[1]).abs().max() > 1e-6


def test_the_comparison_of_neighbours_can_fail() -> None:
    """A network in training mode has batch norm across images: there neighbours do matter."""
    torch.manual_seed(0)
    network = zoo.build("condconv_digits").double().train()
    images = torch.randn(3, 1, 32, 32, dtype=torch.float64)
    assert (network(images)[:2] - network(images[:2])).abs().max() > 1e-3


@pytest.mark.parametrize("name", TWO_KINDS)
def test_each_network_has_a_static_twin(name: str) -> None:
    network, twin = weightless(name), weightless(name, kernels="static")
    assert any(isinstance(layer, MIXED_LAYERS) for layer in network.modules())
    assert not any(isinstance(layer, MIXED_LAYERS) for layer in twin.modules())
    assert sum(parameter.numel() for parameter in twin.parameters()) > 0
    channels, _, _ = zoo.describe(name).input_size
    image = torch.zeros(1, channels, 32, 32, device="meta")
    classes = zoo.describe(name).num_classes
    if name in DETECTORS:
        assert twin(image)["scores"].shape[::2] == (1, classes)
    else:
        assert twin(image).shape == (1, classes)


@pytest.mark.parametrize(
    ("named", "name"),
    [
        ("mobilenet_v1", "condconv_mobilenet_v1"),
        ("mobilenet_v1", "mixconv_mobilenet_v1"),
        ("mobilenet_v2", "condconv_mobilenet_v2"),
        ("mobilenet_v2", "mixconv_mobilenet_v2"),
        ("mnasnet_a1", "condconv_mnasnet_a1"),
        ("resnet50", "condconv_resnet50"),
        ("efficientnet_b0", "condconv_efficientnet_b0_8e"),
        ("efficientnet_b0_depth", "condconv_efficientnet_b0_depth_8e"),
    ],
)
def test_the_twin_by_setting_is_the_twin_by_name(named: str, name: str) -> None:
    def shapes(network: nn.Module) -> dict[str, torch.Size]:
        return {path: tensor.shape for path, tensor in network.state_dict().items()}

    assert shapes(weightless(named)) == shapes(weightless(name, kernels="static"))


def test_the_names_tried_quickly_stand_for_every_family() -> None:
    assert {zoo.describe(name).family for name in ONE_OF_EACH_FAMILY} == {
        zoo.describe(name).family for name in zoo.names()
    }
    with pytest.raises(ValueError, match=r"never tried, neither quickly nor slowly: \['mixnet_xs'\]"):
        quick_for(["mixnet_s", "mixnet_xs"])


def test_an_unknown_name_is_an_error_with_the_nearest() -> None:
    with pytest.raises(UnknownArchitectureError) as caught:
        zoo.build("mixnet_xs")
    assert str(caught.value) == (
        "unknown architecture 'mixnet_xs'; nearest: mixnet_s, mixnet_xl, mixnet_m; "
        "condmix.models.zoo.names() lists them all"
    )
    assert isinstance(caught.value, ModelError)
    with pytest.raises(UnknownArchitectureError, match="no name comes near"):
        zoo.describe("?")


def test_wrong_settings_name_the_network_and_every_key() -> None:
    with pytest.raises(SettingsError) as caught:
        zoo.build("condconv_efficientnet_b0_4e", {"expert": 2, "deepth": 2.0, "padding": "valid"})
    assert str(caught.value) == (
        "settings of condconv_efficientnet_b0_4e: unknown setting 'expert' (nearest: experts); "
        "unknown setting 'deepth' (nearest: depth); padding is 'valid', expected one of 'symmetric', 'same'"
    )


def test_too_narrow_a_network_for_its_groups_is_an_error() -> None:
    changes = {"width": 0.1, "mix_groups": 5, "mix_partition": "exponential"}
    with pytest.raises(SettingsError, match="use fewer groups or more channels"):
        zoo.build("mixconv_mobilenet_v1", changes)


def test_settings_for_gives_the_defaults_and_takes_changes() -> None:
    assert zoo.settings_for("mixnet_s") == zoo.describe("mixnet_s").settings
    assert zoo.settings_for("mixnet_s", {"num_classes": 3}).num_classes == 3


def test_importing_the_zoo_builds_nothing() -> None:
    program = (
        "import torch; from torch import nn\n"
        "made = []; kept = nn.Module.__init__\n"
        "def noting(self, *arguments, **names):\n"
        "    made.append(type(self)); kept(self, *arguments, **names)\n"
        "nn.Module.__init__ = noting\n"
        "from condmix.models import zoo\n"
        "assert made == [], made\n"
        "zoo.build('mixnet_digits'); assert made\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
