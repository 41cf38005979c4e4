"""The named MixConv node: what is written into it is read back, and what it costs."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import GraphError
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.named.mixconv import (
    branch_count,
    build_mixconv,
    is_mixconv,
    read_mixconv,
)
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import produced_by, with_batch
from tests.exporters.mixconv_cases import MixConvCase, mixconv_case, mixconv_cases
from tests.exporters.sketch import Sketch


@exact_rule
@given(data=st.data(), depthwise=st.booleans())
def test_what_is_written_is_read_back(data: st.DataObject, depthwise: bool) -> None:
    case: MixConvCase = data.draw(mixconv_cases(depthwise=depthwise))
    layer = read_mixconv(produced_by(case.sketch().model("y"), "y"))
    assert layer.path == "block.mix"
    assert (layer.x.name, layer.output.name) == ("x", "y")
    assert layer.input_chw == (case.channels, *case.branches[0].input_size)
    assert layer.output_chw == (case.out_channels, *case.output_size)
    assert layer.kernels == tuple(branch.settings.kernel for branch in case.branches)
    for branch, wanted, weight, bias in zip(
        layer.branches, case.branches, case.weights_oihw, case.biases_o, strict=True
    ):
        assert branch.settings == wanted.settings
        assert (branch.in_channels, branch.out_channels) == (wanted.in_channels, wanted.out_channels)
        np.testing.assert_array_equal(branch.weight_oihw, weight)
        np.testing.assert_array_equal(branch.bias_o, bias)

    builder = NodeBuilder("again")
    build_mixconv(builder, layer.x, layer.branches, (1, *layer.output_chw))
    (node,) = builder.nodes
    assert is_mixconv(node)
    again = read_mixconv(node)
    assert (again.kernels, again.input_chw, again.output_chw) == (layer.kernels, layer.input_chw, layer.output_chw)
    assert [branch.settings for branch in again.branches] == [branch.settings for branch in layer.branches]


def test_depthwise_means_every_branch() -> None:
    def is_depthwise(case: MixConvCase) -> bool:
        return read_mixconv(produced_by(case.sketch().model("y"), "y")).is_depthwise

    assert is_depthwise(mixconv_case())
    assert not is_depthwise(mixconv_case(in_channels=(2, 3), kernels=(3, 5), groups=(2, 1)))
    assert not is_depthwise(mixconv_case(in_channels=(2, 3), out_channels=(2, 6), kernels=(3, 5), groups=(2, 3)))


def test_what_a_layer_costs() -> None:
    layer = read_mixconv(produced_by(mixconv_case().sketch().model("y"), "y"))
    taps = 3 * 9 + 2 * 25 + 4 * 49
    assert layer.multiply_adds == taps * 9 * 8
    assert layer.weight_bytes == 4 * (taps + 9)
    assert layer.details()["split"] == (3, 2, 4)


def test_the_batch_axis_may_be_free() -> None:
    model = mixconv_case().sketch().model("y")
    with_batch(model, None)
    layer = read_mixconv(produced_by(model, "y"))
    assert (layer.input_chw, layer.output_chw) == ((9, 9, 8), (9, 9, 8))


def test_the_number_of_branches_stands_in_the_name() -> None:
    assert branch_count(ir.Node("condmix", "MixConv5", [])) == 5
    assert not is_mixconv(ir.Node("", "MixConv5", []))
    assert not is_mixconv(ir.Node("condmix", "CondConv", []))


def test_a_computed_weight_is_an_error_that_names_the_branch() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 4, 4))
    sketch.input("w1", (1, 1, 1, 1))
    ones = sketch.constant("w0", np.ones((1, 1, 1, 1), dtype=np.float32))
    zeros = [sketch.constant(f"b{index}", np.zeros(1, dtype=np.float32)) for index in range(2)]
    sketch.node("MixConv2", ["x", ones, "w1", *zeros], "y", domain="condmix", shape=(1, 2, 4, 4), split=[1, 1])
    with pytest.raises(GraphError) as caught:
        read_mixconv(produced_by(sketch.model("y"), "y"))
    assert str(caught.value) == "MixConv 'node_y' branch 1 lacks a constant weight or bias"


def test_a_missing_shape_is_an_error_that_names_the_node() -> None:
    model = mixconv_case().sketch().model("y")
    produced_by(model, "y").outputs[0].shape = None
    with pytest.raises(GraphError) as caught:
        read_mixconv(produced_by(model, "y"))
    assert str(caught.value) == "MixConv 'node_y' lacks an input or a shape"
