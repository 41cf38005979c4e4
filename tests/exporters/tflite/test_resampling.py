"""Resizing equals ONNX Runtime's and PyTorch's, or is refused with a reason."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from condmix.exporters.capture import capture
from condmix.exporters.errors import NotExportableError
from condmix.exporters.tflite.emitter import Emitter, nhwc
from condmix.exporters.tflite.model import Tensor, TfliteModel
from condmix.exporters.tflite.schema import Operator, OptionsUnion, TensorType
from condmix.exporters.tflite.write import write_model
from condmix.runtime.delegate_coverage import coverage
from tests.exporters.conv_cases import exact_rule, pairs
from tests.exporters.graphs import run
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.resampling_checks import check, numbers
from tests.exporters.tflite.running import assert_file_gives, counted, open_file, options_of, results, written


def refused(sketch: Sketch, output: str = "y") -> str:
    with pytest.raises(NotExportableError) as refusal:
        written(sketch.model(output))
    (problem,) = refusal.value.problems
    return problem


def resized(size: tuple[int, int], *, scales: list[float] | None = None, **choices: object) -> Sketch:
    """x (2, 3, *size) to y by a Resize with these attributes; `to` states a size instead of factors."""
    sketch = Sketch()
    sketch.input("x", (2, 3, *size))
    names = ["x", ""]
    to = choices.pop("to", None)
    if to is None:
        names.append(sketch.constant("scales", np.asarray([1, 1, *(scales or ())], dtype=np.float32)))
    else:
        names += ["", sketch.constant("sizes", [2, 3, *to])]  # type: ignore[misc]
    sketch.node("Resize", names, "y", module="up", **choices)
    return sketch


@exact_rule
@given(
    size=pairs(1, 6),
    to=pairs(1, 12),
    mode=st.sampled_from(["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]),
)
def test_any_bilinear_size(size: tuple[int, int], to: tuple[int, int], mode: str) -> None:
    # A single row of several: PyTorch takes the first, ONNX's half_pixel the middle, TFLite has the latter only.
    assume(mode != "pytorch_half_pixel" or all(own > 1 or before == 1 for own, before in zip(to, size, strict=True)))
    sketch = resized(size, to=to, mode="linear", coordinate_transformation_mode=mode)
    assert counted(check(sketch))["RESIZE_BILINEAR"] == 1


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("half_pixel", {"alignCorners": False, "halfPixelCenters": True}),
        ("pytorch_half_pixel", {"alignCorners": False, "halfPixelCenters": True}),
        ("align_corners", {"alignCorners": True, "halfPixelCenters": False}),
        ("asymmetric", {"alignCorners": False, "halfPixelCenters": False}),
    ],
)
@pytest.mark.parametrize("factor", [2.0, 3.0, 0.5])
def test_bilinear_conventions_stay_in_the_delegate(mode: str, options: dict[str, bool], factor: float) -> None:
    content = check(resized((4, 6), scales=[factor, factor], mode="linear", coordinate_transformation_mode=mode))
    assert vars(options_of(content, "RESIZE_BILINEAR")) == options
    assert coverage(open_file(content)).complete


def by_hand(x: np.ndarray, to: tuple[int, int], align_corners: bool, half_pixel: bool) -> np.ndarray:
    """What the runtime makes of one of its conventions."""
    emitter = Emitter()
    source = Tensor(name="x", shape=nhwc(x.shape), type=TensorType.FLOAT32)
    result = emitter.emit(
        Operator.RESIZE_NEAREST_NEIGHBOR,
        [source, emitter.int32s(to, "size")],
        (x.shape[0], *to, x.shape[1]),
        options_type=OptionsUnion.RESIZE_NEAREST_NEIGHBOR,
        options={0: ("bool", align_corners), 1: ("bool", half_pixel)},
    )
    model = TfliteModel(
        description="",
        operations=tuple(emitter.operations),
        inputs=(source,),
        outputs=(result,),
        signature_inputs=("x",),
        signature_outputs=("y",),
    )
    return results(open_file(write_model(model)), {"x": x})["y"].transpose(0, 3, 1, 2)


CONVENTIONS = ((False, True), (False, False), (True, False))


@pytest.mark.parametrize("rounding", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
@pytest.mark.parametrize("mode", ["half_pixel", "align_corners", "asymmetric"])
@pytest.mark.parametrize("factor", [1.0, 2.0, 3.0, 4.0, 0.5, 0.25])
def test_nearest_is_exact_and_refused_only_where_no_convention_is(mode: str, rounding: str, factor: float) -> None:
    size = (8, 12)
    to = (int(8 * factor), int(12 * factor))
    choices = {"mode": "nearest", "coordinate_transformation_mode": mode, "nearest_mode": rounding}
    sketch = resized(size, scales=[factor, factor], **choices)
    x = numbers(2, 3, *size)
    expected = run(sketch.model("y"), {"x": x})["y"]
    if any(np.array_equal(by_hand(x, to, *convention), expected) for convention in CONVENTIONS):
        assert counted(check(sketch)) == {"RESIZE_NEAREST_NEIGHBOR": 1}
    else:
        assert refused(sketch) == (
            f"up: Resize 'node_y': mode nearest, coordinates {mode}, from {size} to {to}: TFLite reads other "
            "positions; use align_corners, a whole factor, or a size instead of a factor"
        )


@pytest.mark.parametrize(
    ("mode", "rounding", "factor", "exact"),
    [
        ("asymmetric", "floor", 2.0, True),
        ("asymmetric", "floor", 0.5, True),
        ("half_pixel", "round_prefer_floor", 2.0, True),
        ("half_pixel", "round_prefer_ceil", 0.5, True),
        ("asymmetric", "ceil", 2.0, False),
        ("align_corners", "floor", 2.0, False),
    ],
)
def test_both_happen(mode: str, rounding: str, factor: float, exact: bool) -> None:
    choices = {"mode": "nearest", "coordinate_transformation_mode": mode, "nearest_mode": rounding}
    sketch = resized((8, 12), scales=[factor, factor], **choices)
    if exact:
        check(sketch)
    else:
        assert "TFLite reads other positions" in refused(sketch)


@pytest.mark.parametrize("rounding", ["round_prefer_ceil", "round_prefer_floor"])
@pytest.mark.parametrize(("size", "to"), [((2, 2), (3, 3)), ((3, 4), (5, 7))])
def test_halves_are_rounded_to_the_side_that_onnx_says(
    rounding: str, size: tuple[int, int], to: tuple[int, int]
) -> None:
    # Corners on corners: every second element of the result lies just between two.
    choices = {"mode": "nearest", "coordinate_transformation_mode": "align_corners", "nearest_mode": rounding}
    check(resized(size, to=to, **choices))


@exact_rule
@given(size=pairs(1, 40), to=pairs(1, 40))
def test_the_usual_nearest_of_any_size_equals_torch_or_is_refused(size: tuple[int, int], to: tuple[int, int]) -> None:
    sketch = resized(size, to=to, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    x = numbers(2, 3, *size)
    try:
        content = written(sketch.model("y"))
    except NotExportableError:
        # Where a position is a whole number, float32 may fall below it.
        assert any((index * own) % wanted == 0 and index for own, wanted in zip(size, to, strict=True)
                   for index in range(wanted))  # fmt: skip
        return
    expected = torch.nn.functional.interpolate(torch.from_numpy(x), to, mode="nearest").numpy()
    assert_file_gives(content, {"x": x}, {"y": expected})


@pytest.mark.parametrize(
    ("mode", "size", "to"), [("nearest", (4, 5), (7, 15)), ("bilinear", (6, 4), (3, 9)), ("corners", (5, 4), (7, 9))]
)
def test_what_torch_writes_for_interpolate(mode: str, size: tuple[int, int], to: tuple[int, int]) -> None:
    class Interpolate(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if mode == "corners":
                return torch.nn.functional.interpolate(x, to, mode="bilinear", align_corners=True)
            return torch.nn.functional.interpolate(x, to, mode=mode)

    x = torch.from_numpy(numbers(1, 3, *size))
    content = written(capture(Interpolate(), (3, *size)).model)
    assert_file_gives(content, {"input": x.numpy()}, {"output": Interpolate()(x).numpy()})


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        (
            {"scales": [2, 2], "mode": "cubic"},
            "mode cubic from (2, 3, 4, 6) to (2, 3, 8, 12): nearest and linear of height and width are supported",
        ),
        (
            {"scales": [0.5, 2], "mode": "linear", "antialias": 1},
            "it is smoothed before it is made smaller (antialias)",
        ),
        (
            {"scales": [1.3, 2], "mode": "linear"},
            "mode linear, coordinates half_pixel, from (4, 6) to (5, 12): TFLite reads other positions; "
            "use align_corners, a whole factor, or a size instead of a factor",
        ),
        (
            {"to": [1, 12], "mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
            "mode linear, coordinates pytorch_half_pixel, from (4, 6) to (1, 12): TFLite reads other positions; "
            "use align_corners, a whole factor, or a size instead of a factor",
        ),
    ],
)
def test_resizes_that_are_refused(choices: dict[str, object], reason: str) -> None:
    assert refused(resized((4, 6), **choices)) == f"up: Resize 'node_y': {reason}"  # type: ignore[arg-type]


def test_a_crop_and_more_channels_are_refused() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 3, 4, 4))
    roi = sketch.constant("roi", np.asarray([0, 0, 0, 0, 1, 1, 1, 1], dtype=np.float32))
    names = ["x", roi, sketch.constant("scales", np.asarray([1, 1, 2, 2], dtype=np.float32))]
    sketch.node("Resize", names, "a", module="a", coordinate_transformation_mode="tf_crop_and_resize")
    sketch.node("Resize", ["x", "", sketch.constant("more", np.asarray([1, 2, 1, 1], dtype=np.float32))], "b")
    with pytest.raises(NotExportableError) as refusal:
        written(sketch.model("a", "b"))
    assert refusal.value.problems == (
        "a: Resize 'node_a': coordinate_transformation_mode tf_crop_and_resize has no TFLite form",
        "network: Resize 'node_b': mode nearest from (1, 3, 4, 4) to (1, 6, 4, 4): nearest and linear of height "
        "and width are supported",
    )


def test_smoothing_does_nothing_where_an_image_grows() -> None:
    check(resized((4, 6), scales=[2, 2], mode="linear", antialias=1))


def test_factors_of_two_axes_only() -> None:
    sketch = Sketch()
    sketch.input("x", (2, 3, 4, 6))
    names = ["x", "", sketch.constant("scales", np.asarray([3, 2], dtype=np.float32))]
    sketch.node("Resize", names, "y", axes=[3, 2], mode="linear")
    model = sketch.model("y")
    x = numbers(2, 3, 4, 6)
    assert run(model, {"x": x})["y"].shape == (2, 3, 8, 18)
    check(sketch)
