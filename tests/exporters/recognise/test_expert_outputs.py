"""A sum of experts' outputs is one convolution with a mixed kernel, however the sum is written."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given

from condmix.exporters.recognise import recognise
from condmix.exporters.recognise.expert_outputs import find_expert_outputs
from condmix.exporters.recognise.finding import Declined, Recognised
from condmix.exporters.rewrite import TIDY_RULES
from condmix.exporters.rewrite.driver import run_rules
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_different, assert_same, node_of, operators, run
from tests.exporters.sketch import BatchNorm, Sketch

Spelling = Callable[[Sketch, CondConvCase], str]


def routed(case: CondConvCase) -> Sketch:
    """x, and the routing r (1, experts), a sigmoid of the input `routing`."""
    sketch = Sketch()
    sketch.input("x", (1, case.conv.in_channels, *case.conv.input_size))
    sketch.input("routing", (1, len(case.experts_eoihw)))
    sketch.node("Sigmoid", ["routing"], "r", module="router")
    return sketch


def convolution(sketch: Sketch, case: CondConvCase, index: int, x: str = "x") -> str:
    """The output of one expert with its bias."""
    inputs = [x, sketch.constant(f"w{index}", case.experts_eoihw[index])]
    if case.expert_bias_eo is not None:
        inputs.append(sketch.constant(f"b{index}", case.expert_bias_eo[index]))
    attributes = dict(case.conv.settings.attributes())
    return sketch.node("Conv", inputs, f"z{index}", module=f"layer.{index}", **attributes)


def weight(sketch: Sketch, index: int) -> str:
    """r[:, index] as (1, 1, 1, 1)."""
    bounds = [sketch.constant(f"{name}{index}", [at]) for name, at in (("from", index), ("to", index + 1), ("axis", 1))]
    sketch.node("Slice", ["r", *bounds], f"cut{index}", module="layer")
    return sketch.node("Reshape", [f"cut{index}", sketch.constant("one_number", [1, 1, 1, 1])], f"r{index}")


def in_a_loop(sketch: Sketch, case: CondConvCase) -> str:
    parts = []
    for index in range(len(case.experts_eoihw)):
        inputs = [convolution(sketch, case, index), weight(sketch, index)]
        parts.append(sketch.node("Mul", inputs, f"part{index}", module="layer"))
    total = parts[0]
    for index, part in enumerate(parts[1:], 1):
        total = sketch.node("Add", [part, total], f"total{index}", module="layer")
    return total


def weighed_in_front(sketch: Sketch, case: CondConvCase) -> str:
    """conv_e(r_e x): the experts' biases are added as they are."""
    parts = []
    for index in range(len(case.experts_eoihw)):
        scaled = sketch.node("Mul", [weight(sketch, index), "x"], f"x{index}", module="layer")
        parts.append(convolution(sketch, case, index, scaled))
    return sketch.node("Sum", parts, "total", module="layer")


def stacked(sketch: Sketch, case: CondConvCase) -> str:
    axis = sketch.constant("second", [1])
    shape = sketch.constant("five", [1, len(case.experts_eoihw), 1, 1, 1])
    rows = []
    for index in range(len(case.experts_eoihw)):
        inputs = [convolution(sketch, case, index), axis]
        rows.append(sketch.node("Unsqueeze", inputs, f"row{index}", module="layer"))
    sketch.node("Concat", rows, "stack", axis=1, module="layer")
    sketch.node("Mul", ["stack", sketch.node("Reshape", ["r", shape], "r5")], "weighed", module="layer")
    return sketch.node("ReduceSum", ["weighed", axis], "total", keepdims=0, module="layer")


def by_einsum(sketch: Sketch, case: CondConvCase) -> str:
    parts = [convolution(sketch, case, index) for index in range(len(case.experts_eoihw))]
    axis = sketch.constant("zeroth", [0])
    rows = [sketch.node("Unsqueeze", [part, axis], f"{part}.row", module="layer") for part in parts]
    sketch.node("Concat", rows, "stack", axis=0, module="layer")
    return sketch.node("Einsum", ["r", "stack"], "total", equation="be,ebohw->bohw", module="layer")


def in_one_convolution(sketch: Sketch, case: CondConvCase) -> str:
    """One convolution with E times the outputs of each group, cut into experts behind it."""
    experts, group = len(case.experts_eoihw), case.conv.settings.group
    shape = (group, case.conv.out_channels // group)

    def fused(bank: np.ndarray) -> np.ndarray:
        grouped = bank.reshape(experts, *shape, *bank.shape[2:])
        return np.ascontiguousarray(np.moveaxis(grouped, 0, 1)).reshape(-1, *bank.shape[2:])

    inputs = ["x", sketch.constant("w", fused(case.experts_eoihw))]
    if case.expert_bias_eo is not None:
        inputs.append(sketch.constant("b", fused(case.expert_bias_eo)))
    sketch.node("Conv", inputs, "z", module="layer", **dict(case.conv.settings.attributes()))
    size = case.conv.output_size
    cut = sketch.constant("cut", [1, group, experts, shape[1], *size])
    sketch.node("Reshape", ["z", cut], "z6", module="layer")
    number = sketch.constant("six", [1, 1, experts, 1, 1, 1])
    sketch.node("Mul", ["z6", sketch.node("Reshape", ["r", number], "r6")], "weighed", module="layer")
    sketch.node("ReduceSum", ["weighed", sketch.constant("third", [2])], "sum", keepdims=0, module="layer")
    whole = sketch.constant("whole", [1, case.conv.out_channels, *size])
    return sketch.node("Reshape", ["sum", whole], "total", module="layer")


SPELLINGS: tuple[Spelling, ...] = (in_a_loop, weighed_in_front, stacked, by_einsum, in_one_convolution)


def named(sketch: Sketch, result: str, case: CondConvCase) -> tuple[ir.Model, np.ndarray, np.ndarray]:
    """The graph after tidying and recognition, with its result before and after."""
    sketch.node("Abs", [result], "y", module="behind")
    model = sketch.model("y")
    before = run(model, case.feeds)["y"]
    run_rules(model, TIDY_RULES)
    recognise(model)
    return model, before, run(model, case.feeds)["y"]


@pytest.mark.parametrize("spelling", SPELLINGS)
@exact_rule
@given(case=condconv_cases())
def test_the_sum_becomes_one_convolution_and_is_equal(spelling: Spelling, case: CondConvCase) -> None:
    if len(case.experts_eoihw) < 2:
        return
    sketch = routed(case)
    model, before, after = named(sketch, spelling(sketch, case), case)
    assert_same(before, after)
    found = operators(model)
    mixed_bias = case.expert_bias_eo is not None and spelling is not weighed_in_front
    assert found["CondConvExpertBias" if mixed_bias else "CondConv"] == 1, found
    assert found["Conv"] == 0


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_finding_names_module_routing_and_proof(spelling: Spelling) -> None:
    case = condconv_case(images=1)
    sketch = routed(case)
    sketch.node("Abs", [spelling(sketch, case)], "y")
    model = sketch.model("y")
    run_rules(model, TIDY_RULES)
    (finding,) = find_expert_outputs(model)
    assert isinstance(finding, Recognised)
    assert (finding.path, finding.routing_names) == ("layer", ("r",))
    count = 1 if spelling is in_one_convolution else 3
    assert finding.proof.startswith(
        f"a sum of the outputs of {count} convolutions of one map, linear in 'r' (3 numbers)"
    )


def test_a_batchnorm_an_expert_goes_into_the_experts() -> None:
    case, generator = condconv_case(images=1), np.random.default_rng(1)
    sketch = routed(case)
    parts = []
    for index in range(3):
        norm = BatchNorm.random(generator, case.conv.out_channels)
        normed = sketch.batchnorm(convolution(sketch, case, index), f"n{index}", norm)
        parts.append(sketch.node("Mul", [normed, weight(sketch, index)], f"part{index}", module="layer"))
    model, before, after = named(sketch, sketch.node("Sum", parts, "total", module="layer"), case)
    assert_same(before, after)
    assert operators(model)["CondConvExpertBias"] == 1
    assert operators(model)["BatchNormalization"] == operators(model)["Conv"] == 0


def test_two_experts_under_one_gate_and_an_expert_without_any() -> None:
    """g conv_0 + (1 - g) conv_1 + conv_2: one number of routing, and a kernel that no routing touches."""
    case = condconv_case(images=1)
    sketch = routed(case)
    first = weight(sketch, 0)
    second = sketch.node("Sub", [sketch.constant("one", 1.0), first], "second")
    parts = [
        sketch.node("Mul", [convolution(sketch, case, 0), first], "p0", module="layer"),
        sketch.node("Mul", [convolution(sketch, case, 1), second], "p1", module="layer"),
        convolution(sketch, case, 2),
    ]
    model, before, after = named(sketch, sketch.node("Sum", parts, "total", module="layer"), case)
    assert_same(before, after)
    experts = node_of(model, "CondConv").inputs[2]
    assert experts is not None
    assert experts.shape == ir.Shape((2, *case.conv.weight_shape))


def test_weights_with_sources_of_their_own_become_one_routing_vector() -> None:
    case = condconv_case(images=1)
    sketch = routed(case)
    parts = []
    for index in range(3):
        own = sketch.node("Sigmoid", [weight(sketch, index)], f"own{index}", module=f"router.{index}")
        parts.append(sketch.node("Mul", [own, convolution(sketch, case, index)], f"part{index}", module="layer"))
    model, before, after = named(sketch, sketch.node("Sum", parts, "total", module="layer"), case)
    assert_same(before, after)
    assert operators(model)["CondConv"] == 1
    other = {**case.feeds, "routing": case.feeds["routing"][:, ::-1].copy()}
    assert_different(before, run(model, other)["y"])


def test_padding_of_each_expert_goes_into_the_pads() -> None:
    case = condconv_case(images=1)
    sketch = routed(case)
    parts = []
    for index in range(3):
        pads = sketch.constant("pads", [0, 0, 1, 0, 0, 0, 0, 2])
        padded = sketch.node("Pad", ["x", pads], f"x{index}", module="layer")
        parts.append(
            sketch.node("Mul", [convolution(sketch, case, index, padded), weight(sketch, index)], f"part{index}")
        )
    model, before, after = named(sketch, sketch.node("Sum", parts, "total", module="layer"), case)
    assert_same(before, after)
    assert operators(model)["CondConv"] == 1
    assert operators(model)["Pad"] == 0


def findings(*, change: str) -> list[Recognised | Declined]:
    """What is found in a loop over three experts with one thing that makes it another function."""
    case = condconv_case(images=1)
    sketch = routed(case)
    parts = []
    for index in range(3):
        x, by, pads = "x", weight(sketch, index), dict(case.conv.settings.attributes())
        if change == "another map" and index == 1:
            x = sketch.node("Neg", ["x"], "other")
        if change == "another stride" and index == 1:
            shifted = [*case.conv.settings.pads]
            pads["pads"] = (shifted[0] + 1, shifted[1], shifted[2] - 1, shifted[3])
        inputs = [x, sketch.constant(f"w{index}", case.experts_eoihw[index])]
        z = sketch.node("Conv", inputs, f"z{index}", module=f"layer.{index}", **pads)
        if change == "bent outputs":
            z = sketch.node("Relu", [z], f"bent{index}")
        if change == "a weight a channel":
            numbers = sketch.constant(f"spread{index}", np.ones((1, case.conv.out_channels, 1, 1), dtype=np.float32))
            by = sketch.node("Sigmoid", [sketch.node("Mul", [by, numbers], f"wide{index}")], f"gate{index}")
        if change == "a weight a pixel":
            ones = sketch.constant(f"spread{index}", np.ones((1, 1, *case.conv.output_size), dtype=np.float32))
            by = sketch.node("Sigmoid", [sketch.node("Mul", [by, ones], f"wide{index}")], f"gate{index}")
        if change == "a square":
            by = sketch.node("Mul", [by, sketch.node("Mul", [z, by], f"once{index}")], f"part{index}")
            parts.append(by)
            continue
        parts.append(sketch.node("Mul", [z, by], f"part{index}", module="layer"))
    total = sketch.node("Sum", parts, "total", module="layer")
    outputs = ["y", "z1"] if change == "an output read elsewhere" else ["y"]
    sketch.node("Abs", [total], "y")
    model = sketch.model(*outputs)
    run_rules(model, TIDY_RULES)
    return list(find_expert_outputs(model))


@pytest.mark.parametrize(
    "change",
    ["another map", "bent outputs", "a weight a channel", "a weight a pixel", "a square", "an output read elsewhere"],
)
def test_another_function_is_no_finding(change: str) -> None:
    assert findings(change=change) == []


def test_the_same_sum_without_a_change_is_one() -> None:
    assert len(findings(change="none")) == 1


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (7, 5)])
def test_what_is_added_to_the_sum_stays_outside(size: tuple[int, int]) -> None:
    case = condconv_case(images=1, in_channels=6, kernel=(1, 1), input_size=size)
    sketch = routed(case)
    model, before, after = named(sketch, sketch.node("Add", [in_a_loop(sketch, case), "x"], "joined"), case)
    assert_same(before, after)
    assert operators(model)["CondConv"] == operators(model)["Add"] == 1


def test_kernels_that_lie_differently_are_declined() -> None:
    (finding,) = findings(change="another stride")
    assert isinstance(finding, Declined)
    assert finding.path == "layer"
    assert finding.reason == "a sum of convolutions that differ in pads: their kernels cannot be mixed"
