"""Lowering a whole graph: every named node is replaced, every layer recorded, all refusals told at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import NotExportableError
from condmix.exporters.lower.driver import lower
from condmix.exporters.records import LayerKind
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_same, lowered, operators, run, with_batch
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.sketch import Sketch


def two_layers() -> tuple[CondConvCase, Sketch]:
    """CondConv (6 channels, depthwise) and a MixConv behind it."""
    case = condconv_case(in_channels=6, group=6)
    sketch = Sketch()
    sketch.input("x", (1, 6, 7, 5))
    sketch.input("routing", (1, 3))
    case.add_to(sketch, "x", "routing", "middle", module="a.conv")
    mixconv_case(in_channels=(2, 4), kernels=(3, 5), input_size=(7, 5)).add_to(sketch, "middle", "y", module="a.mix")
    return case, sketch


@pytest.mark.parametrize("size", [1, 2, None])
def test_every_named_node_is_replaced_and_recorded_in_order(size: int | None) -> None:
    case, sketch = two_layers()
    model = sketch.model("middle", "y")
    before = run(model, case.one(0))
    records = lower(model, with_batch(model, size), condconv="auto", mixconv="auto")
    assert [(record.path, record.kind, record.recognised) for record in records] == [
        ("a.conv", LayerKind.COND_CONV, True),
        ("a.mix", LayerKind.MIX_CONV, True),
    ]
    assert all(node.domain == "" for node in model.graph)
    feeds = {name: array[: size or 2] for name, array in case.feeds.items()}
    after = run(model, feeds)
    for name in ("middle", "y"):
        assert_same(before[name], after[name][:1])


@exact_rule
@given(case=condconv_cases(images=2), size=st.sampled_from([1, 2, None]))
def test_the_form_chosen_by_rule_equals_the_plain_loop(case: CondConvCase, size: int | None) -> None:
    model = case.sketch().model("y")
    lowered(model, size)
    count = size or 2
    feeds = {name: array[:count] for name, array in case.feeds.items()}
    assert_same(case.expected()[:count], run(model, feeds)["y"])


def test_the_record_of_a_condconv() -> None:
    case = condconv_case(expert_bias=True)
    record = lowered(case.sketch().model("y"), 1)
    assert record.details == {
        "experts": 3,
        "routing": "routing",
        "kernel": (3, 3),
        "strides": (1, 1),
        "group": 1,
        "in_channels": 4,
        "out_channels": 6,
        "output_size": (7, 5),
        "expert_bias": True,
    }
    assert record.multiply_adds == 6 * 4 * 9 * 35 + 3 * 6 * 4 * 9
    assert record.weight_bytes == 4 * (3 * 6 * 4 * 9 + 6 + 3 * 6)


@pytest.mark.parametrize(("form", "taps"), [("parallel", 3 * 9 + 2 * 25 + 4 * 49), ("merged", 9 * 49)])
def test_the_record_of_a_mixconv(form: str, taps: int) -> None:
    record = lowered(mixconv_case().sketch().model("y"), 1, mixconv=form)
    assert record.details == {
        "kernels": ((3, 3), (5, 5), (7, 7)),
        "split": (3, 2, 4),
        "strides": (1, 1),
        "dilations": ((1, 1), (1, 1), (1, 1)),
        "depthwise": True,
        "in_channels": 9,
        "out_channels": 9,
        "output_size": (9, 8),
    }
    assert record.multiply_adds == taps * 72
    assert record.weight_bytes == 4 * (taps + 9)


def test_all_layers_that_cannot_take_the_form_are_named() -> None:
    _, sketch = two_layers()
    model = sketch.model("y")
    with pytest.raises(NotExportableError) as caught:
        lower(model, with_batch(model, None), condconv="matmul", mixconv="hoisted")
    assert caught.value.problems == (
        "a.conv: `matmul` needs a dense kernel: this layer is depthwise (use experts or grouped)",
        "a.mix: `hoisted` needs a convolution (and activation) in front whose output only this layer reads",
    )
    assert str(caught.value).splitlines()[0] == ("2 layers cannot take the form asked for; use auto, or another form:")


def test_a_graph_without_named_nodes_is_left_alone() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 3, 3))
    sketch.node("Relu", ["x"], "y")
    model = sketch.model("y")
    assert lower(model, with_batch(model, 1), condconv="auto", mixconv="auto") == ()
    assert operators(model) == {"Relu": 1}
    x = np.arange(-9, 9, dtype=np.float32).reshape(1, 2, 3, 3)
    np.testing.assert_array_equal(run(model, {"x": x})["y"], np.maximum(x, 0))


def test_one_expert_bank_may_serve_two_layers() -> None:
    case = condconv_case(in_channels=4, out_channels=4, images=1)
    sketch = Sketch()
    sketch.input("x", (1, 4, 7, 5))
    sketch.input("routing", (1, 3))
    case.add_to(sketch, "x", "routing", "first", module="a")
    inputs = ["first", "routing", "first.experts", "first.bias"]
    attributes = dict(case.conv.settings.attributes())
    sketch.node("CondConv", inputs, "y", module="b", domain="condmix", shape=(1, 4, 7, 5), **attributes)
    model = sketch.model("y")
    before = run(model, case.feeds)["y"]
    records = lower(model, with_batch(model, 1), condconv="kernel", mixconv="auto")
    assert [record.path for record in records] == ["a", "b"]
    assert_same(before, run(model, case.feeds)["y"])
