"""Settings of detectors: every wrong number at once, and what only a classifier has."""

import pytest

from condmix.models import zoo
from condmix.models.errors import SettingsError


def test_every_problem_is_named():
    changes = {"smallest_anchor": 0.9, "largest_anchor": 0.5, "extra_maps": 5, "finest_stride": 4, "heads": "yolo"}
    with pytest.raises(SettingsError) as caught:
        zoo.build("ssd_condconv_mobilenet_v1", changes)
    assert "heads is 'yolo', expected one of 'ssd', 'ssdlite'" in str(caught.value)
    del changes["heads"]
    for name in ("ssd_condconv_mobilenet_v1", "ssdlite_mixconv_mobilenet_v2"):
        with pytest.raises(SettingsError) as caught:
            zoo.build(name, changes)
        assert caught.value.problems == (
            "smallest_anchor is 0.9 and largest_anchor 0.5, expected 0 < smallest_anchor < largest_anchor <= 1",
            "extra_maps is 5, expected 0 to 4",
            "finest_stride is 4, expected 8 or 16",
        )


@pytest.mark.parametrize("name", ["ssd_condconv_mobilenet_v1", "ssdlite_mixconv_mobilenet_v2"])
def test_a_classifier_s_choices_are_refused(name):
    with pytest.raises(SettingsError, match="dropout has no effect with a detector: leave one of them out"):
        zoo.build(name, {"dropout": 0.2})
