"""One scale for what only moves, the range of the result for what is limited, nothing spent on what a gate drops."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.errors import CalibrationError
from condmix.exporters.quantize.onnx.float_graph import build_float_graph
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.onnx.plan import Plan
from condmix.exporters.quantize.onnx.scales import NEGLIGIBLE_SILU, SATURATED, Scales, activation_scales
from condmix.exporters.quantize.parameters import UINT8, asymmetric
from condmix.exporters.quantize.ranges import Range, Ranges
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.quantize.onnx.rounding import prepared_of
from tests.exporters.sketch import Sketch


def scales_of(
    model: ir.Model, spans: dict[str, tuple[float, float]], routing: dict[str, np.ndarray] | None = None
) -> Scales:
    floats = build_float_graph(prepared_of(model), OnnxInt8Options())
    values = {name: Range(low=low, high=high) for name, (low, high) in spans.items()}
    ranges = Ranges(method="minmax", image_count=1, images_sha256="", values=values, routing=routing or {})
    return activation_scales(floats, Plan(floats, (), integer_ends=False), ranges)


def sketch_with_conv(*, kernel: int = 1) -> Sketch:
    sketch = Sketch()
    sketch.input("x", (1, 16, 4, 4))
    sketch.node("Conv", ["x", sketch.constant("w", np.ones((16, 16, kernel, kernel), np.float32))], "a", module="first")
    return sketch


def test_every_held_value_is_on_the_grid_of_its_range() -> None:
    sketch = sketch_with_conv()
    sketch.node("Sigmoid", ["a"], "y")
    scales = scales_of(sketch.model("y"), {"x": (-2, 3), "a": (-4, 5), "y": (0, 1)})
    assert scales.affines == {
        name: asymmetric(Range(low=low, high=high), UINT8)
        for name, (low, high) in {"x": (-2, 3), "a": (-4, 5), "y": (0, 1)}.items()
    }
    assert not scales.absorbed


def test_what_moves_has_one_scale() -> None:
    sketch = sketch_with_conv()
    sketch.node("MaxPool", ["a"], "pooled", kernel_shape=[2, 2])
    sketch.node("Concat", ["pooled", "pooled"], "joined", axis=1)
    sketch.node("Conv", ["joined", sketch.constant("v", np.ones((4, 32, 1, 1), np.float32))], "y", module="last")
    scales = scales_of(
        sketch.model("y"), {"x": (-1, 1), "a": (-4, 5), "pooled": (-1, 6), "joined": (0, 2), "y": (0, 1)}
    )
    assert scales.affines["a"] == scales.affines["pooled"] == scales.affines["joined"]
    assert scales.affines["a"] == asymmetric(Range(low=-4, high=6), UINT8)


@pytest.mark.parametrize(("high", "absorbed"), [(6.0, True), (6.1, False)])
def test_rounding_limits_where_the_range_ends(high: float, absorbed: bool) -> None:
    sketch = sketch_with_conv()
    sketch.node("Clip", ["a", sketch.constant("low", 0.0), sketch.constant("high", 6.0)], "y")
    scales = scales_of(sketch.model("y"), {"x": (-1, 1), "a": (-40, 50), "y": (0, high)})
    assert bool(scales.absorbed) == absorbed
    assert (scales.affines["a"] == scales.affines["y"]) == absorbed


def test_rounding_limits_past_what_joins() -> None:
    sketch = sketch_with_conv()
    sketch.node("Concat", ["a", "a"], "joined", axis=1)
    sketch.node("Relu", ["joined"], "y")
    model = sketch.model("y")
    # One value read twice has two readers; a second convolution makes it two values.
    assert not scales_of(model, {"x": (-1, 1), "a": (-9, 5), "joined": (-9, 5), "y": (0, 5)}).absorbed
    sketch = sketch_with_conv()
    sketch.node("Conv", ["x", "w"], "b", module="second")
    sketch.node("Concat", ["a", "b"], "joined", axis=1)
    sketch.node("Relu", ["joined"], "y")
    spans = {"x": (-1, 1), "a": (-9, 5), "b": (-9, 4), "joined": (-9, 5), "y": (0, 5)}
    scales = scales_of(sketch.model("y"), spans)
    assert len(scales.absorbed) == 1
    assert {scales.affines[name] for name in ("a", "b", "joined", "y")} == {asymmetric(Range(low=0, high=5), UINT8)}


def test_a_gate_sees_no_farther_than_it_saturates() -> None:
    sketch = sketch_with_conv()
    sketch.node("Sigmoid", ["a"], "y")
    affine = scales_of(sketch.model("y"), {"x": (-1, 1), "a": (-40, 50), "y": (0, 1)}).affines["a"]
    assert affine == asymmetric(Range(low=-SATURATED, high=SATURATED), UINT8)


def test_a_sigmoid_is_saturated_there() -> None:
    assert 1 / (1 + np.exp(SATURATED)) < 0.5 / 255


def test_silu_drops_large_negative_numbers() -> None:
    sketch = sketch_with_conv()
    sketch.node("Sigmoid", ["a"], "gate")
    sketch.node("Mul", ["a", "gate"], "y")
    spans = {"x": (-1, 1), "a": (-40, 50), "gate": (0, 1), "y": (-0.3, 50)}
    assert scales_of(sketch.model("y"), spans).affines["a"] == asymmetric(Range(low=NEGLIGIBLE_SILU, high=50), UINT8)


def test_another_reader_wants_all_of_them() -> None:
    sketch = sketch_with_conv()
    sketch.node("Sigmoid", ["a"], "gate")
    sketch.node("Mul", ["a", "gate"], "gated")
    sketch.node("Add", ["a", "gated"], "y")
    spans = {"x": (-1, 1), "a": (-40, 50), "gate": (0, 1), "gated": (-0.3, 50), "y": (-40, 100)}
    assert scales_of(sketch.model("y"), spans).affines["a"] == asymmetric(Range(low=-40, high=50), UINT8)


def test_a_mixed_bias_follows_from_its_routing() -> None:
    case = condconv_case(images=6, expert_bias=True)
    model = case.sketch().model("y")
    rows = case.routing_ne
    floats = build_float_graph(prepared_of(model), OnnxInt8Options())
    scales = scales_of(model, {"x": (-3, 3), "routing": (-0.5, 1.5), "y": (-4, 4)}, {"routing": rows})
    (bias,) = floats.biases
    mixed = bias.rows(rows)
    own = Range.around(float(mixed.min()), float(mixed.max()))
    assert scales.affines[bias.bias] == asymmetric(own, UINT8)
    assert scales.affines[bias.image] == asymmetric(Range.around(-4 - own.high, 4 - own.low), UINT8)


def test_values_without_a_range_are_named() -> None:
    sketch = sketch_with_conv()
    sketch.node("Sigmoid", ["a"], "y")
    with pytest.raises(CalibrationError) as caught:
        scales_of(sketch.model("y"), {"x": (-1, 1)})
    assert str(caught.value) == (
        "no range is known for 2 values, first 'a', 'y': these ranges belong to another network or version; "
        "calibrate this network"
    )
