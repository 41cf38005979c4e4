"""Resize under a batch: factors stay, sizes become factors, and the result is the one of every single image."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.batch.resize import scales_for_sizes, states_sizes
from condmix.exporters.errors import NotExportableError
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_same, node_of, run, with_batch
from tests.exporters.sketch import Sketch

IMAGES = np.random.default_rng(3).standard_normal((3, 2, 5, 4)).astype(np.float32)


def resized(*, batch_last: bool = False, **given_: object) -> ir.Model:
    """x to y by a Resize whose further inputs are `scales` or `sizes`; the rest are attributes."""
    sketch = Sketch()
    x = sketch.input("x", (1, 2, 5, 4))
    if batch_last:
        x = sketch.node("Transpose", ["x"], "turned", perm=[1, 2, 3, 0])
    inputs = [x, ""]
    scales, sizes = given_.pop("scales", None), given_.pop("sizes", None)
    if scales is not None:
        inputs.append(sketch.constant("scales", np.asarray(scales, dtype=np.float32)))
    if sizes is not None:
        inputs += ["", sketch.constant("sizes", sizes)]  # type: ignore[arg-type]
    sketch.node("Resize", inputs, "y", module="up", **given_)
    return sketch.model("y")


def image_by_image(model: ir.Model) -> np.ndarray:
    return np.concatenate([run(model, {"x": image[None]})["y"] for image in IMAGES])


@pytest.mark.parametrize("size", [3, None])
@pytest.mark.parametrize(
    "choices",
    [
        {"scales": [1, 1, 2, 1.5], "mode": "linear"},
        {"sizes": [1, 2, 7, 9], "mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
        {"sizes": [1, 2, 10, 3], "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        {"sizes": [7, 9], "axes": [2, 3], "mode": "linear"},
        {"scales": [2, 2], "axes": [-2, -1]},
    ],
)
def test_every_image_of_a_batch_is_resized_as_it_is_alone(choices: dict[str, object], size: int | None) -> None:
    expected = image_by_image(resized(**choices))
    model = resized(**choices)
    with_batch(model, size)
    assert_same(expected, run(model, {"x": IMAGES})["y"])


def test_sizes_become_factors_only_where_there_is_a_batch() -> None:
    model = resized(sizes=[1, 2, 10, 9])
    assert states_sizes(node_of(model, "Resize"))
    with_batch(model, 1)
    assert states_sizes(node_of(model, "Resize"))
    with_batch(model, None)
    node = node_of(model, "Resize")
    assert not states_sizes(node)
    scales = node.inputs[2]
    assert scales is not None
    assert scales.const_value is not None
    np.testing.assert_array_equal(scales.const_value.numpy(), np.asarray([1, 1, 2, 2.25], dtype=np.float32))


def test_the_batch_may_lie_on_another_axis() -> None:
    choices: dict[str, object] = {"batch_last": True, "scales": [1, 2, 1, 1]}
    expected = np.concatenate([run(resized(**choices), {"x": image[None]})["y"] for image in IMAGES], axis=3)
    model = resized(**choices)
    with_batch(model, None)
    assert_same(expected, run(model, {"x": IMAGES})["y"])


@exact_rule
@given(length=st.integers(1, 500), wanted=st.integers(1, 2000))
def test_the_factor_gives_the_size_in_float32_and_in_float64(length: int, wanted: int) -> None:
    sketch = Sketch()
    sketch.input("x", (1, 1, length, 1))
    sketch.node("Resize", ["x", "", "", sketch.constant("sizes", [1, 1, wanted, 1])], "y")
    scales = scales_for_sizes(node_of(sketch.model("y"), "Resize"))
    assert scales is not None
    assert scales.const_value is not None
    factor = scales.const_value.numpy()[2]
    assert int(np.float32(length) * factor) == int(length * float(factor)) == wanted
    assert factor == pytest.approx(wanted / length, rel=1e-6)


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ({"batch_last": True, "scales": [1, 1, 1, 2]}, "it resizes the batch axis"),
        ({"scales": [2, 1, 1, 1]}, "it resizes the batch axis"),
        ({"scales": [1.5, 1, 1, 1]}, "it resizes the batch axis"),
        (
            {"sizes": [1, 2, 10, 10], "keep_aspect_ratio_policy": "not_larger"},
            "it states the size of the batch axis, or its factors are computed",
        ),
    ],
)
def test_what_has_no_place_for_a_batch_is_refused(choices: dict[str, object], reason: str) -> None:
    model = resized(**choices)  # type: ignore[arg-type]
    with pytest.raises(NotExportableError) as refusal:
        with_batch(model, None)
    assert refusal.value.problems == (f"up: Resize 'node_y': {reason}",)


def test_a_size_computed_from_the_image_is_refused() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 5, 4))
    sketch.node("Shape", ["x"], "sizes", module="up")
    sketch.node("Resize", ["x", "", "", "sizes"], "y", module="up", shape=(1, 2, 5, 4))
    with pytest.raises(NotExportableError, match="Resize 'node_y': its size depends on the image"):
        with_batch(sketch.model("y"), None)
