"""The largest few, comparisons and choices equal ONNX Runtime's, or are refused with a reason."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from condmix.exporters.errors import NotExportableError
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.resampling_checks import check
from tests.exporters.tflite.running import assert_as_in_onnx, counted, written


def best(count: int = 2, **attributes: int) -> Sketch:
    sketch = Sketch()
    sketch.input("x", (3, 5))
    sketch.node("TopK", ["x", sketch.constant("k", (count,))], ["y", "places"], **attributes)
    return sketch


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_largest_of_each_row(count: int) -> None:
    assert counted(check(best(count))) == {"TOPK_V2": 1}


def test_their_places_with_equal_numbers_first_come_first() -> None:
    sketch = best(3)
    sketch.node("Cast", ["places"], "z", to=onnx.TensorProto.FLOAT)
    x = np.asarray([[1, 3, 3, 2, 3], [0, 0, 0, 0, 0], [5, 1, 4, 2, 3]], dtype=np.float32)
    assert_as_in_onnx(sketch.model("y", "z"), {"x": x})


@pytest.mark.parametrize("attributes", [{"axis": 0}, {"largest": 0}])
def test_another_axis_or_the_smallest_are_refused(attributes: dict[str, int]) -> None:
    with pytest.raises(NotExportableError, match="only the largest along the last axis"):
        written(best(**attributes).model("y"))


@pytest.mark.parametrize("operator", ["Less", "LessOrEqual", "Greater", "GreaterOrEqual"])
@pytest.mark.parametrize("other", ["limit", "row"])
def test_a_comparison_chooses(operator: str, other: str) -> None:
    sketch = Sketch()
    sketch.input("x", (3, 4))
    sketch.constant("limit", 0.25)
    sketch.constant("row", np.asarray([0.0, 1.0, -1.0, 0.5], dtype=np.float32))
    sketch.constant("lowest", -9.0)
    sketch.node(operator, ["x", other], "chosen")
    sketch.node("Where", ["chosen", "x", "lowest"], "kept")
    x = np.asarray([[0.5, 1.0, -1.0, 0.6], [2.0, 0.25, 0.25, 0.4], [-2.0, 3.0, -0.9, 0.3]], dtype=np.float32)
    content = assert_as_in_onnx(sketch.model("kept"), {"x": x})
    assert counted(content)["SELECT_V2"] == 1


def test_images_are_chosen_from_pixel_by_pixel() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 3, 4))
    sketch.node("Greater", ["x", sketch.constant("zero", 0.0)], "positive")
    sketch.node("Neg", ["x"], "negative")
    sketch.node("Where", ["positive", "x", "negative"], "y")
    check(sketch)
