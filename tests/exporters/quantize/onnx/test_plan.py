"""What computes in integers, and what does not and why."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.build import Prepared
from condmix.exporters.quantize.onnx.float_graph import FloatGraph, build_float_graph
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.onnx.plan import Plan, Role, limits
from tests.exporters.graphs import produced_by
from tests.exporters.quantize.onnx.rounding import prepared_of
from tests.exporters.sketch import Sketch


def plan_of(model: ir.Model, float_layers: Collection[str] = (), *, ends: bool = False) -> tuple[Plan, FloatGraph]:
    floats = build_float_graph(prepared_of(model), OnnxInt8Options(float_layers=frozenset(float_layers)))
    return Plan(floats, float_layers, integer_ends=ends), floats


def roles(plan: Plan) -> dict[str, Role]:
    return {node.outputs[0].name or "": role for node, role in plan.roles.items()}


def conv(sketch: Sketch, x: str, output: str, *, channels: int = 16, module: str = "") -> str:
    weight = sketch.constant(f"{output}.w", np.ones((channels, channels, 1, 1), np.float32))
    return sketch.node("Conv", [x, weight], output, module=module or output)


def test_all_of_a_network_but_its_routing(every_form: Prepared) -> None:
    floats = build_float_graph(every_form, OnnxInt8Options())
    plan = Plan(floats, (), integer_ends=False)
    in_float = {node.op_type for node, role in plan.roles.items() if role is Role.FLOAT}
    assert in_float == {"Gemm", "Reshape", "Sigmoid", "MatMul", "Flatten"}
    assert {node for node, role in plan.roles.items() if role is Role.FLOAT} == plan.routing | plan.mixing


def test_operators_without_an_integer_form_are_float_islands() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 16, 4, 4))
    conv(sketch, "x", "a")
    sketch.node("HardSwish", ["a"], "island")
    sketch.node("Sigmoid", ["island"], "behind")
    conv(sketch, "behind", "y")
    plan, _ = plan_of(sketch.model("y"))
    # The sigmoid reads floats: to round for its sake alone would cost time and accuracy.
    assert roles(plan) == {"a": Role.PRODUCT, "island": Role.FLOAT, "behind": Role.FLOAT, "y": Role.PRODUCT}
    assert {value.name for value in plan.held} == {"a", "y"}


def test_what_moves_numbers_in_front_of_integers_moves_integers() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 16, 4))
    sketch.node("Transpose", ["x"], "moved", perm=[0, 2, 1, 3])
    conv(sketch, "moved", "y")
    plan, _ = plan_of(sketch.model("y"))
    assert roles(plan)["moved"] is Role.MOVE


def test_what_moves_floats_for_floats_stays() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 16, 4))
    sketch.node("Transpose", ["x"], "moved", perm=[0, 2, 1, 3])
    sketch.node("Softmax", ["moved"], "y")
    plan, _ = plan_of(sketch.model("y"))
    assert roles(plan)["moved"] is Role.FLOAT


@pytest.mark.parametrize(("last", "held"), [("Softmax", False), ("Sigmoid", True), ("", False)])
def test_a_matrix_product_gives_floats_to_floats(last: str, held: bool) -> None:
    sketch = Sketch()
    sketch.input("x", (1, 16))
    output = sketch.node("Gemm", ["x", sketch.constant("w", np.ones((16, 3), np.float32))], "z", module="classifier")
    if last:
        output = sketch.node(last, ["z"], "y")
    plan, _ = plan_of(sketch.model(output))
    assert ("z" in {value.name for value in plan.held}) == held


def test_integer_ends_are_held() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 16))
    sketch.node("Gemm", ["x", sketch.constant("w", np.ones((16, 3), np.float32))], "y", module="classifier")
    plan, _ = plan_of(sketch.model("y"), ends=True)
    assert {value.name for value in plan.held} == {"x", "y"}


@pytest.mark.parametrize(
    "attributes", [{"alpha": 0.5}, {"beta": 2.0}, {"transA": 1}], ids=["scaled", "scaled bias", "transposed"]
)
def test_products_that_the_runtime_has_no_form_for(attributes: dict[str, object]) -> None:
    sketch = Sketch()
    sketch.input("x", (4, 4))
    inputs = ["x", sketch.constant("w", np.ones((4, 3), np.float32)), sketch.constant("b", np.ones(3, np.float32))]
    sketch.node("Gemm", inputs, "y", module="head", **attributes)
    plan, floats = plan_of(sketch.model("y"))
    node = produced_by(floats.model, "y")
    assert plan.role(node) is Role.FLOAT
    assert plan.why_float(node) == "its weights are computed, or it scales its product"


def test_a_layer_in_float_takes_its_module_with_it() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 16, 4, 4))
    conv(sketch, "x", "a")
    conv(sketch, "a", "b", module="kept")
    conv(sketch, "b", "y")
    plan, floats = plan_of(sketch.model("y"), ("kept",))
    assert roles(plan) == {"a": Role.PRODUCT, "b": Role.FLOAT, "y": Role.PRODUCT}
    assert plan.why_float(produced_by(floats.model, "b")) == "asked to stay in float"


def test_why_the_routing_is_in_float(every_form: Prepared) -> None:
    floats = build_float_graph(every_form, OnnxInt8Options())
    plan = Plan(floats, (), integer_ends=False)
    (gemm,) = (node for node in plan.routing if node.op_type == "Gemm")
    assert plan.why_float(gemm).startswith("the routing decides on the kernel")


def limited(*, readers: int = 1, join: bool = False, op_type: str = "Relu") -> tuple[str, ...]:
    sketch = Sketch()
    sketch.input("x", (1, 16, 4, 4))
    last = conv(sketch, "x", "a")
    if join:
        last = sketch.node("Concat", [last, conv(sketch, "x", "b")], "joined", axis=1)
    if op_type == "Sigmoid":
        last = sketch.node("Sigmoid", [last], "s")
    sketch.node("Relu", [last], "y")
    if readers == 2:
        sketch.node("Sigmoid", [last], "z")
    plan, floats = plan_of(sketch.model("y", *(["z"] if readers == 2 else [])))
    return tuple(value.name or "" for value in plan.limited(produced_by(floats.model, "y")))


def test_values_that_only_a_limit_reads() -> None:
    assert limited() == ("a",)
    assert limited(op_type="Sigmoid") == ("s",)
    assert limited(join=True) == ("joined", "b", "a")
    assert limited(readers=2) == ()
    assert limited(readers=2, join=True) == ()


def test_limits_of_relu_and_clip() -> None:
    sketch = Sketch()
    sketch.input("x", (4,))
    sketch.node("Relu", ["x"], "a")
    sketch.node("Clip", ["a", sketch.constant("low", -1.0), sketch.constant("high", 6.0)], "b")
    sketch.node("Clip", ["b", "", "high"], "c")
    sketch.node("Clip", ["c", "low"], "y")
    assert [limits(node) for node in sketch.model("y").graph] == [
        (0.0, float("inf")),
        (-1.0, 6.0),
        (-float("inf"), 6.0),
        (-1.0, float("inf")),
    ]
