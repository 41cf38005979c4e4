"""Tests of condmix.models.timm_source."""

import sys

import pytest
import torch

from condmix.models import timm_source
from condmix.models.errors import OptionalPackageError, UnknownArchitectureError


@pytest.fixture
def without_timm(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)


def test_a_network_is_built_with_the_sizes_asked_for():
    network = timm_source.build("mixnet_s", 7, 1)
    assert network.conv_stem.weight.shape == (16, 1, 3, 3)
    assert network.classifier.weight.shape == (7, 1536)


def test_sizes_left_out_are_the_name_s_own():
    with torch.device("meta"):
        network = timm_source.build("tf_efficientnet_cc_b0_4e.in1k")
    assert network.conv_stem.weight.shape == (32, 3, 3, 3)
    assert network.classifier.weight.shape == (1000, 1280)


def test_the_data_config_is_that_of_the_name():
    config = timm_source.data_config("tf_efficientnet_cc_b1_8e")
    assert config == {
        "input_size": (3, 240, 240),
        "interpolation": "bicubic",
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "crop_pct": 0.882,
        "crop_mode": "center",
        "num_classes": 1000,
    }


def test_every_timm_network_has_a_data_config():
    names = timm_source.matching("*")
    assert len(names) > 1000
    for name in names:
        assert len(timm_source.data_config(name)["input_size"]) == 3


def test_names():
    assert timm_source.names_like("mixnet_z")[0] in {"mixnet_s", "mixnet_m", "mixnet_l", "mixnet_xl"}
    assert timm_source.names_like("qqqqqqqqqq") == ()
    assert timm_source.matching("tf_mixnet_*") == ("tf_mixnet_l", "tf_mixnet_m", "tf_mixnet_s")
    assert timm_source.knows("mixnet_s")
    assert timm_source.knows("mixnet_s.ft_in1k")
    assert not timm_source.knows("mixnet_s.in21k")
    assert not timm_source.knows("mixnet")


@pytest.mark.parametrize("name", ["hf_hub:timm/mixnet_s", "hf-hub:timm/mixnet_s.ft_in1k", "mixnet_z"])
def test_an_unknown_name_is_refused_before_timm_would_download_it(name, monkeypatch):
    monkeypatch.setattr("socket.socket", None)
    with pytest.raises(UnknownArchitectureError, match=f"unknown architecture 'timm:{name}'"):
        timm_source.build(name)


def test_an_unknown_tag_names_those_there_are():
    with pytest.raises(UnknownArchitectureError) as caught:
        timm_source.data_config("mixnet_s.in21k")
    assert caught.value.nearest == ("timm:mixnet_s", "timm:mixnet_s.ft_in1k")


@pytest.mark.usefixtures("without_timm")
def test_without_timm():
    assert not timm_source.installed()
    assert not timm_source.knows("mixnet_s")
    assert timm_source.names_like("mixnet_s") == ()
    assert timm_source.matching("*") == ()
    for call in (timm_source.build, timm_source.data_config, timm_source.check):
        with pytest.raises(OptionalPackageError) as caught:
            call("mixnet_s")
        assert str(caught.value) == (
            "timm: timm is not installed, networks named timm:... need it; pip install 'condmix[timm]'"
        )
