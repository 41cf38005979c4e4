"""Ranges hold zero, are finite, and say which name is missing."""

from __future__ import annotations

import pytest

from condmix.exporters.errors import CalibrationError
from condmix.exporters.quantize.ranges import Range, Ranges


def ranges() -> Ranges:
    return Ranges(
        method="minmax",
        image_count=2,
        images_sha256="0",
        values={"x": Range.around(-1, 2)},
        inner={"tflite": {"x/band": Range.around(0, 3), "x": Range.around(0, 9)}},
    )


def test_zero_always_belongs() -> None:
    assert Range.around(1, 2) == Range(low=0, high=2)
    assert Range.around(-3, -1) == Range(low=-3, high=0)
    assert Range.around(-3, 1).largest == 3
    assert Range.around(-3, 1).joined(Range.around(-1, 2)) == Range(low=-3, high=2)


@pytest.mark.parametrize("ends", [(1.0, 2.0), (-2.0, -1.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_ends_that_are_no_range_are_refused(ends: tuple[float, float]) -> None:
    with pytest.raises(CalibrationError, match="expected finite ends around zero"):
        Range(low=ends[0], high=ends[1])


def test_a_value_of_the_graph_comes_before_a_tensor_of_the_file() -> None:
    found = ranges()
    assert found.of("x", "tflite") == Range.around(-1, 2)
    assert found.of("x/band", "tflite") == Range.around(0, 3)
    assert found.holds("x/band", "tflite")
    assert not found.holds("x/band")
    assert not found.holds("x/band", "onnx")


def test_a_missing_range_is_named_with_its_place() -> None:
    with pytest.raises(CalibrationError, match="no range is known for 'y' in the graph: these ranges belong to"):
        ranges().of("y")
    with pytest.raises(CalibrationError, match="no range is known for 'y' in the onnx file"):
        ranges().of("y", "onnx")
