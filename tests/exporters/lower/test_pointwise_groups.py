"""A MixConv of 1x1 kernels in each of its forms: grouped, dense with zeros, one convolution a group."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import GraphError
from condmix.exporters.graph.facts import constant
from condmix.exporters.lower.pointwise_groups import (
    GROUPED_KEY,
    POINTWISE_FORMS,
    is_pointwise_groups,
    read_pointwise_groups,
)
from condmix.exporters.records import LayerKind
from condmix.exporters.rewrite.group_pointwise_mixconv import GroupPointwiseMixconv
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_different, assert_same, lower_with, node_of, operators, rewrite, run
from tests.exporters.mixconv_cases import MixConvCase, mixconv_case


def grouped(branches: int, inputs: int, outputs: int, *, seed: int = 0) -> tuple[MixConvCase, ir.Model]:
    """A MixConv of even 1x1 branches, already one convolution."""
    case = mixconv_case(
        in_channels=(inputs,) * branches,
        out_channels=(outputs,) * branches,
        kernels=(1,) * branches,
        groups=(1,) * branches,
        seed=seed,
    )
    model = case.sketch().model("y")
    rewrite(model, GroupPointwiseMixconv())
    return case, model


@exact_rule
@given(
    branches=st.integers(2, 4),
    inputs=st.integers(1, 4),
    outputs=st.integers(1, 4),
    form=st.sampled_from([form.name for form in POINTWISE_FORMS]),
    size=st.sampled_from([1, 2, None]),
)
def test_every_form_equals_the_definition(
    branches: int, inputs: int, outputs: int, form: str, size: int | None
) -> None:
    case, model = grouped(branches, inputs, outputs)
    record = lower_with(model, size, {"block.mix": form})
    assert (record.form, record.kind, record.path) == (form, LayerKind.MIX_CONV, "block.mix")
    count = size or 2
    assert_same(case.expected()[:count], run(model, {"x": case.images_nchw[:count]})["y"])


@pytest.mark.parametrize(
    ("form", "nodes", "groups"),
    [
        ("grouped_conv", {"Conv": 1}, 2),
        ("dense", {"Conv": 1}, 1),
        ("parallel", {"Split": 1, "Conv": 2, "Concat": 1}, 1),
    ],
)
def test_what_is_written(form: str, nodes: dict[str, int], groups: int) -> None:
    _, model = grouped(2, 3, 4)
    lower_with(model, 1, {"block.mix": form})
    assert operators(model) == nodes
    assert node_of(model, "Conv").attributes["group"].as_int() == groups


def test_a_dense_form_has_zeros_where_a_group_does_not_look() -> None:
    case, model = grouped(2, 3, 4)
    record = lower_with(model, 1, {"block.mix": "dense"})
    weight = constant(node_of(model, "Conv").inputs[1])
    assert weight is not None
    assert weight.shape == (8, 6, 1, 1)
    np.testing.assert_array_equal(weight[:4, :3], case.weights_oihw[0])
    np.testing.assert_array_equal(weight[4:, 3:], case.weights_oihw[1])
    assert np.count_nonzero(weight) == 24
    assert record.multiply_adds == 48 * 72
    assert record.weight_bytes == 4 * (48 + 8)


def test_only_what_was_a_mixconv_is_one() -> None:
    _, model = grouped(2, 3, 4)
    node = node_of(model, "Conv")
    assert is_pointwise_groups(node)
    assert read_pointwise_groups(node).details() == {
        "kernels": ((1, 1), (1, 1)),
        "split": (3, 3),
        "strides": (1, 1),
        "dilations": ((1, 1), (1, 1)),
        "depthwise": False,
        "in_channels": 6,
        "out_channels": 8,
        "output_size": (9, 8),
    }
    del node.metadata_props[GROUPED_KEY]
    assert not is_pointwise_groups(node)


def test_a_convolution_without_constants_is_a_fault() -> None:
    _, model = grouped(2, 3, 4)
    node = node_of(model, "Conv")
    node.replace_input_with(1, model.graph.inputs[0])
    with pytest.raises(GraphError, match="lacks a constant weight or bias"):
        read_pointwise_groups(node)


def test_groups_in_another_order_would_be_noticed() -> None:
    case, model = grouped(2, 3, 4)
    lower_with(model, None, {"block.mix": "parallel"})
    first, second = node_of(model, "Conv"), node_of(model, "Conv", 1)
    one, two = first.inputs[1], second.inputs[1]
    first.replace_input_with(1, two)
    second.replace_input_with(1, one)
    assert_different(case.expected(), run(model, {"x": case.images_nchw})["y"])
