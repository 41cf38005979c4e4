"""The named CondConv node: what is written into it is read back, and what it costs."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given

from condmix.exporters.errors import GraphError
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.named.condconv import (
    ConvSettings,
    build_condconv,
    conv_settings,
    is_condconv,
    read_condconv,
)
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import produced_by, with_batch
from tests.exporters.sketch import Sketch


@exact_rule
@given(case=condconv_cases())
def test_what_is_written_is_read_back(case: CondConvCase) -> None:
    model = case.sketch().model("y")
    layer = read_condconv(produced_by(model, "y"))
    assert layer.settings == case.conv.settings
    assert layer.path == "block.conv"
    assert (layer.x.name, layer.routing.name, layer.output.name) == ("x", "routing", "y")
    np.testing.assert_array_equal(layer.experts_eoihw, case.experts_eoihw)
    np.testing.assert_array_equal(layer.bias_o, case.bias_o)
    if case.expert_bias_eo is None:
        assert layer.expert_bias_eo is None
    else:
        assert layer.expert_bias_eo is not None
        np.testing.assert_array_equal(layer.expert_bias_eo, case.expert_bias_eo)
    assert layer.input_chw == (case.conv.in_channels, *case.conv.input_size)
    assert layer.output_chw == (case.conv.out_channels, *case.conv.output_size)
    assert layer.experts == len(case.experts_eoihw)

    builder = NodeBuilder("again")
    arrays = (layer.experts_eoihw, layer.bias_o, layer.expert_bias_eo)
    build_condconv(builder, layer.x, layer.routing, *arrays, layer.settings, (1, *layer.output_chw))
    (node,) = builder.nodes
    assert is_condconv(node)
    again = read_condconv(node)
    assert (again.settings, again.input_chw, again.output_chw) == (layer.settings, layer.input_chw, layer.output_chw)
    np.testing.assert_array_equal(again.experts_eoihw, layer.experts_eoihw)


def test_arrays_are_stored_as_float32() -> None:
    case = condconv_case(expert_bias=True)
    layer = read_condconv(produced_by(case.sketch().model("y"), "y"))
    builder = NodeBuilder("a")
    doubles = [array.astype(np.float64) for array in (case.experts_eoihw, case.bias_o, case.expert_bias_eo)]  # type: ignore[union-attr]
    build_condconv(builder, layer.x, layer.routing, *doubles, layer.settings, (1, 6, 7, 5))
    assert [value.dtype for value in builder.constants] == [ir.DataType.FLOAT] * 3
    assert [value.name for value in builder.constants] == ["a/experts", "a/bias", "a/expert_bias"]


def test_the_batch_axis_may_be_free() -> None:
    case = condconv_case()
    model = case.sketch().model("y")
    with_batch(model, None)
    layer = read_condconv(produced_by(model, "y"))
    assert (layer.input_chw, layer.output_chw) == ((4, 7, 5), (6, 7, 5))


def test_depthwise_and_pointwise() -> None:
    def kinds(**choices: object) -> tuple[bool, bool]:
        layer = read_condconv(produced_by(condconv_case(**choices).sketch().model("y"), "y"))  # type: ignore[arg-type]
        return layer.is_depthwise, layer.is_pointwise

    assert kinds() == (False, False)
    assert kinds(kernel=(1, 1)) == (False, True)
    assert kinds(kernel=(1, 1), group=2) == (False, False)
    assert kinds(in_channels=6, group=6) == (True, False)
    assert kinds(in_channels=3, group=3) == (True, False)
    assert kinds(in_channels=1, out_channels=1) == (False, False)


def test_what_a_layer_costs() -> None:
    layer = read_condconv(produced_by(condconv_case(expert_bias=True).sketch().model("y"), "y"))
    assert layer.convolution_multiply_adds == 6 * 4 * 9 * (7 * 5)
    assert layer.mixing_multiply_adds == 3 * 6 * 4 * 9
    assert layer.weight_bytes == 4 * (3 * 6 * 4 * 9 + 6 + 3 * 6)
    assert layer.details()["experts"] == 3
    assert layer.details()["expert_bias"] is True


def test_settings_of_a_convolution_have_the_defaults_of_the_operator() -> None:
    assert conv_settings(ir.node("Conv", []), (3, 2)) == ConvSettings(
        kernel=(3, 2), strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), group=1
    )
    attributes = {"strides": (2, 1), "pads": (1, 2, 3, 4), "dilations": (1, 3), "group": 5}
    settings = conv_settings(ir.node("Conv", [], attributes=attributes), (3, 3))
    assert settings == ConvSettings(kernel=(3, 3), strides=(2, 1), pads=(1, 2, 3, 4), dilations=(1, 3), group=5)
    assert settings.attributes() == {"kernel_shape": (3, 3), **attributes}
    assert settings.attributes(group=10) == {"kernel_shape": (3, 3), **attributes, "group": 10}


def test_other_kernels_are_an_error_that_names_the_node() -> None:
    with pytest.raises(GraphError) as caught:
        conv_settings(ir.node("Conv", [], name="conv1d"), (3,))
    assert str(caught.value) == "'conv1d' has a kernel with 1 spatial axes: expected 2"


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_implicit_padding_is_an_error_that_names_the_node(auto_pad: str) -> None:
    with pytest.raises(GraphError) as caught:
        conv_settings(ir.node("Conv", [], name="same", attributes={"auto_pad": auto_pad}), (3, 3))
    assert str(caught.value) == f"'same' has auto_pad {auto_pad}: expected explicit pads"


def test_explicit_padding_may_be_said_twice() -> None:
    node = ir.node("Conv", [], attributes={"auto_pad": "NOTSET", "pads": (1, 1, 1, 1)})
    assert conv_settings(node, (3, 3)).pads == (1, 1, 1, 1)


def test_computed_experts_are_an_error_that_names_the_node() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 4, 4))
    sketch.input("routing", (1, 3))
    sketch.input("experts", (3, 2, 2, 1, 1))
    bias = sketch.constant("bias", np.zeros(2, dtype=np.float32))
    inputs = ["x", "routing", "experts", bias]
    sketch.node("CondConv", inputs, "y", domain="condmix", shape=(1, 2, 4, 4))
    with pytest.raises(GraphError) as caught:
        read_condconv(produced_by(sketch.model("y"), "y"))
    assert str(caught.value) == (
        "CondConv 'node_y' lacks constant experts or bias: expected (x, routing, experts, bias)"
    )


def test_an_image_of_unknown_size_is_an_error_that_names_the_value() -> None:
    case = condconv_case()
    model = case.sketch().model("y")
    next(iter(model.graph.inputs)).shape = ir.Shape((1, 4, "height", 5))
    with pytest.raises(GraphError) as caught:
        read_condconv(produced_by(model, "y"))
    assert str(caught.value) == "'x' has shape [1,4,height,5]: expected fixed channels, height and width"


def test_only_our_domain_is_ours() -> None:
    assert is_condconv(ir.Node("condmix", "CondConvExpertBias", []))
    assert not is_condconv(ir.Node("", "CondConv", []))
    assert not is_condconv(ir.Node("condmix", "MixConv2", []))
