"""Tests of condmix.models.blueprint."""

import pytest
import torch
from torch import Tensor

from condmix.models import blueprint
from condmix.models.errors import SettingsError, UnknownArchitectureError
from condmix.models.preprocessing import Preprocessing
from tests.models.zoo_names import DETECTORS, ONE_OF_EACH_FAMILY, quick_for


def shapes(drawn: blueprint.Blueprint) -> dict[str, Tensor]:
    with torch.device("meta"):
        return dict(drawn.build().state_dict())


@pytest.mark.parametrize("name", quick_for(ONE_OF_EACH_FAMILY))
def test_every_network_of_the_zoo_has_a_blueprint_that_runs(name):
    drawn = blueprint.draw(name)
    assert (drawn.architecture, drawn.settings) == (name, {})
    with torch.device("meta"):
        network = drawn.build().eval()
        result = network(torch.zeros(1, *drawn.input_size))
        scores = result["scores"][:, 0] if name in DETECTORS else result
        assert scores.shape == (1, drawn.num_classes)
    assert len(drawn.preprocessing.mean) == drawn.input_size[0]
    assert drawn.notes[0].startswith("the file does not say its preprocessing: assumed mean ")


def test_a_detector_sees_whole_pictures():
    preprocessing = blueprint.draw("ssd_condconv_mobilenet_v1").preprocessing
    assert (preprocessing.crop_mode, preprocessing.crop_fraction) == ("squash", 1.0)
    assert blueprint.draw("mobilenet_v1").preprocessing.crop_mode == "center"


def test_settings_change_the_sizes():
    drawn = blueprint.draw("mixnet_digits", {"num_classes": 4, "in_channels": 3, "input_size": 48})
    assert (drawn.num_classes, drawn.input_size) == (4, (3, 48, 48))
    assert drawn.preprocessing == Preprocessing.default(3)
    with torch.device("meta"):
        assert drawn.build().eval()(torch.zeros(1, 3, 48, 48)).shape == (1, 4)


def test_timm_s_preprocessing_is_taken():
    drawn = blueprint.draw("timm:tf_efficientnet_cc_b1_8e")
    assert (drawn.num_classes, drawn.input_size, drawn.notes) == (1000, (3, 240, 240), ())
    assert drawn.preprocessing == Preprocessing(
        mean=(0.5,) * 3, std=(0.5,) * 3, interpolation="bicubic", crop_fraction=0.882
    )


def test_timm_with_other_channels_says_what_it_assumes():
    drawn = blueprint.draw("timm:mixnet_s", {"in_channels": 1, "num_classes": 7})
    assert (drawn.num_classes, drawn.input_size) == (7, (1, 224, 224))
    assert drawn.preprocessing.mean == pytest.approx(((0.485 + 0.456 + 0.406) / 3,))
    assert drawn.preprocessing.std == pytest.approx(((0.229 + 0.224 + 0.225) / 3,))
    assert drawn.notes == ("timm:mixnet_s has no mean and std for 1 input channels: their averages are assumed",)


@pytest.mark.parametrize(
    ("config", "shown"), [({"crop_mode": "border"}, "(border, 0.9)"), ({"crop_pct": 1.15}, "(center, 1.15)")]
)
def test_crops_with_a_border_are_not_done_and_it_is_said(config, shown):
    described = {
        "mean": (0.5,) * 3,
        "std": (0.5,) * 3,
        "interpolation": "bicubic",
        "crop_mode": "center",
        "crop_pct": 0.9,
        **config,
    }
    preprocessing, notes = blueprint.preprocessing_of("timm:x", described, 3)
    assert (preprocessing.crop_mode, preprocessing.crop_fraction) == ("squash", 1.0)
    assert notes == (
        f"the crop of timm:x {shown} adds a border, which is not done here: the whole picture is scaled to the input",
    )


def test_wrong_settings_for_timm_are_all_named():
    with pytest.raises(SettingsError) as caught:
        blueprint.draw("timm:mixnet_s", {"width": 2, "num_classes": -1, "in_channels": True})
    assert str(caught.value) == (
        "settings of timm:mixnet_s: unknown setting 'width' (valid: num_classes, in_channels, features_only, "
        "out_indices, global_pool); num_classes is -1, expected a whole number; in_channels is True, expected a whole "
        "number above 0"
    )


def test_a_timm_name_without_its_prefix_is_told():
    with pytest.raises(UnknownArchitectureError) as caught:
        blueprint.draw("resnet18")
    assert caught.value.nearest == ("timm:resnet18",)


def test_building_leaves_torch_s_generator_alone():
    before = torch.random.get_rng_state()
    for name in ("condconv_digits", "timm:mixnet_s"):
        blueprint.draw(name).build()
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("name", ["condconv_digits", "mixnet_digits", "timm:mixnet_s"])
@pytest.mark.parametrize("sizes", [{"num_classes": 6}, {"in_channels": 4}, {"num_classes": 6, "in_channels": 4}])
def test_sizes_are_read_off_the_tensors(name, sizes):
    standard, changed = blueprint.draw(name), blueprint.draw(name, sizes)
    assert blueprint.with_sizes_of(standard, shapes(standard), shapes(changed)) == changed


def test_a_classifier_of_experts_tells_its_classes():
    standard = blueprint.draw("condconv_mobilenet_v2")
    changed = blueprint.draw("condconv_mobilenet_v2", {"num_classes": 6})
    assert blueprint.with_sizes_of(standard, shapes(standard), shapes(changed)) == changed


def test_sizes_set_by_hand_and_equal_tensors_change_nothing():
    standard, other = (
        blueprint.draw("mixnet_digits", {"num_classes": 10}),
        blueprint.draw("mixnet_digits", {"num_classes": 6}),
    )
    assert blueprint.with_sizes_of(standard, shapes(standard), shapes(other)) is standard
    assert blueprint.with_sizes_of(other, shapes(other), shapes(other)) is other


def test_tensors_that_contradict_each_other_change_nothing():
    standard = blueprint.draw("mixnet_digits")
    found = shapes(standard)
    names = [name for name in found if name.startswith("classifier") and found[name].shape[0] == 10]
    assert len(names) == 2
    found[names[0]], found[names[1]] = torch.ones(6, *found[names[0]].shape[1:]), torch.ones(7)
    assert blueprint.with_sizes_of(standard, shapes(standard), found) is standard


def test_timm_s_features_and_embeddings():
    features = blueprint.draw("timm:mixnet_s", {"features_only": True, "out_indices": [1, 3]})
    assert features.without_head
    assert not {"conv_head.weight", "classifier.weight"} & set(shapes(features))
    with torch.device("meta"):
        found = features.build().eval()(torch.zeros(1, 3, 64, 64))
    assert [tuple(one.shape) for one in found] == [(1, 24, 16, 16), (1, 120, 4, 4)]
    embedding = blueprint.draw("timm:mixnet_s", {"num_classes": 0})
    assert embedding.without_head
    assert "conv_head.weight" in shapes(embedding)
    assert not blueprint.draw("timm:mixnet_s").without_head


def test_settings_of_features_that_cannot_be():
    settings = {"features_only": 1, "out_indices": "1", "global_pool": 3, "num_classes": -1, "other": 1}
    with pytest.raises(SettingsError) as caught:
        blueprint.draw("timm:mixnet_s", settings)
    assert [problem.split(",")[0] for problem in caught.value.problems] == [
        "unknown setting 'other' (valid: num_classes",
        "num_classes is -1",
        "features_only is 1",
        "out_indices is '1'",
        "out_indices chooses among feature maps: set features_only=true as well",
        "global_pool is 3",
    ]
    both = blueprint.draw("timm:mixnet_s", {"features_only": True})
    assert both.without_head
    with pytest.raises(SettingsError, match="features_only has none: leave one out"):
        blueprint.draw("timm:mixnet_s", {"features_only": True, "global_pool": "avg"})
    with pytest.raises(SettingsError, match="timm does not build it so"):
        blueprint.draw("timm:mixnet_s", {"features_only": True, "out_indices": [9]}).build()
