"""Detectors: shapes of heads, anchors beside them, images kept apart, backbones shared with classifiers."""

import pytest
import torch

from condmix.models import zoo
from condmix.models.condconv import CondConv2d
from condmix.models.detector import Detector
from condmix.models.mixconv import MixConv2d
from tests.models.zoo_names import DETECTORS, weightless

SMALL = {"num_classes": 3, "width": 0.25, "input_size": 64}


PAPERS = tuple(name for name in DETECTORS if "mobilenet" in name)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        *((name, {}) for name in PAPERS),
        ("ssd_condconv_mobilenet_v1", {"finest_stride": 8}),
        ("ssdlite_mixconv_mobilenet_v2", {"finest_stride": 8, "extra_maps": 0}),
    ],
)
def test_heads_and_anchors_agree_at_any_size(name, changes):
    with torch.device("meta"):
        network = zoo.build(name, SMALL | changes).eval()
    assert isinstance(network, Detector)
    for height, width in ((64, 64), (65, 97), (32, 33)):
        with torch.device("meta"):
            result = network(torch.zeros(2, 3, height, width))
        count = len(network.anchors(height, width))
        assert result["boxes"].shape == (2, count, 4)
        assert result["scores"].shape == (2, count, 3)


@pytest.mark.parametrize("name", PAPERS)
def test_an_image_s_answer_is_its_own(name):
    torch.manual_seed(0)
    network = zoo.build(name, SMALL).double().eval()
    images = torch.randn(3, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        together = network(images)
        for key, value in together.items():
            torch.testing.assert_close(network(images[[2]])[key], value[[2]], rtol=1e-9, atol=1e-12)
            assert (value[0] - value[1]).abs().max() > 1e-6


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("ssd_condconv_mobilenet_v1", CondConv2d, 16),
        ("ssdlite_mixconv_mobilenet_v1", MixConv2d, 13),
        ("ssdlite_mixconv_mobilenet_v2", MixConv2d, 17),
    ],
)
def test_the_backbone_is_the_papers(name, kind, count):
    network = weightless(name)
    assert sum(isinstance(module, kind) for module in network.modules()) == count
    assert sum(isinstance(module, kind) for module in weightless(name, kernels="static").modules()) == 0


def test_a_classifier_s_backbone_fits_by_name_and_shape():
    classifier = weightless("condconv_mobilenet_v1").state_dict()
    detector = weightless("ssd_condconv_mobilenet_v1").state_dict()
    shared = [name for name in classifier if name.startswith(("stem.", "blocks."))]
    assert len(shared) > 100
    assert all(detector[name].shape == classifier[name].shape for name in shared)


def test_an_untrained_detector_gives_every_class_one_percent():
    torch.manual_seed(0)
    network = zoo.build("ssd_condconv_shapes").eval()
    with torch.no_grad():
        scores = torch.sigmoid(network(torch.randn(2, 3, 96, 96))["scores"])
    assert scores.median().item() == pytest.approx(0.01, rel=0.2)


def test_the_finer_map_comes_first():
    network = weightless("ssd_condconv_shapes")
    with torch.device("meta"):
        maps = network.features(torch.zeros(1, 3, 96, 96))
    assert [tuple(each.shape[2:]) for each in maps] == [(12, 12), (6, 6), (3, 3), (2, 2)]
