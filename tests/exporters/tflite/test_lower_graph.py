"""Whole graphs: layouts at the borders, fused activations, names, and every unsupported operator at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import GraphError, NotExportableError
from condmix.exporters.tflite import lower_graph as module_under_test
from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.lower_graph import LOWERINGS, lower_graph
from condmix.exporters.tflite.write import write_model
from tests.exporters.conv_cases import conv_case, exact_rule, seeds
from tests.exporters.graphs import assert_same, run
from tests.exporters.sketch import BatchNorm, Sketch
from tests.exporters.tflite.random_steps import STEPS, Step
from tests.exporters.tflite.running import (
    assert_as_in_onnx,
    assert_file_gives,
    counted,
    open_file,
    operator_names,
    read_back,
    results,
    written,
)

IMAGE = (1, 3, 6, 4)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def small_network(shape: tuple[int, ...] = IMAGE) -> Sketch:
    """Two convolutions with norms and activations, squeeze and excitation, a classifier; results `y` and `features`."""
    generator = np.random.default_rng(5)
    sketch = Sketch()
    sketch.input("x", shape)
    stem = conv_case(in_channels=3, out_channels=8)
    names = ["x", sketch.constant("w", stem.weights(generator)), sketch.constant("b", numbers(8))]
    sketch.node("Conv", names, "c", module="stem.conv", pads=[1, 1, 1, 1], strides=[2, 2])
    sketch.node("Relu", ["c"], "r", module="stem.act")
    sketch.node("Conv", ["r", sketch.constant("d", numbers(8, 1, 3, 3))], "dw", module="dw", group=8, pads=[1] * 4)
    sketch.batchnorm("dw", "n", BatchNorm.random(generator, 8), module="dw_norm")
    sketch.node("Sigmoid", ["n"], "s", module="swish")
    sketch.node("Mul", ["n", "s"], "z", module="swish")
    sketch.node("ReduceMean", ["z", sketch.constant("hw", [2, 3])], "pooled", module="se")
    sketch.node("Conv", ["pooled", sketch.constant("k", numbers(8, 8, 1, 1))], "squeezed", module="se.conv")
    sketch.node("Sigmoid", ["squeezed"], "gate", module="se")
    sketch.node("Mul", ["z", "gate"], "features", module="se")
    sketch.node("GlobalAveragePool", ["features"], "g", module="pool")
    sketch.node("Reshape", ["g", sketch.constant("row", [shape[0], 8])], "flat", module="pool")
    sketch.node("Gemm", ["flat", sketch.constant("f", numbers(8, 5))], "y", module="head")
    return sketch


def test_results_keep_onnxs_layout_and_names() -> None:
    model = small_network().model("y", "features")
    content = assert_as_in_onnx(model, {"x": numbers(*IMAGE)})
    signature = open_file(content).signature
    assert [(item.name, item.shape) for item in signature.inputs] == [("x", (1, 6, 4, 3))]
    assert [(item.name, item.shape) for item in signature.outputs] == [("y", (1, 5)), ("features", (1, 8, 3, 2))]


def test_images_may_come_channels_first() -> None:
    model = small_network().model("y")
    content = written(model, layout="nchw")
    x = numbers(*IMAGE)
    for delegate in (True, False):
        assert_same(run(model, {"x": x})["y"], open_file(content, delegate=delegate).run({"x": x})["y"])
    first_is_turned = operator_names(content)[0] == "TRANSPOSE"
    assert (first_is_turned, counted(content)["TRANSPOSE"]) == (True, 1)
    assert counted(written(model))["TRANSPOSE"] == 0


def test_inputs_of_other_ranks_are_as_they_are() -> None:
    sketch = Sketch()
    sketch.node("Neg", [sketch.input("x", (2, 3, 4))], "y")
    for layout in ("nhwc", "nchw"):
        content = written(sketch.model("y"), layout=layout)
        assert operator_names(content) == ["NEG"]


@pytest.mark.parametrize("delegate", [True, False])
def test_different_images_through_one_interpreter_on_two_threads(delegate: bool) -> None:
    model = small_network().model("y", "features")
    session = open_file(written(model), delegate=delegate, threads=2)
    images = [numbers(*IMAGE, seed=seed) for seed in range(6)]
    expected = [run(model, {"x": image}) for image in images]
    for index in [*range(6), *reversed(range(6))]:
        actual = results(session, {"x": images[index]})
        for name in ("y", "features"):
            assert_same(expected[index][name], actual[name])


def test_every_value_that_is_still_there_can_be_found() -> None:
    model = small_network().model("y")
    inner = ["r", "n", "s", "z", "pooled", "gate", "features", "flat", "y"]
    lowered = lower_graph(model, description="")
    # What is fused into its reader is not there.
    assert set(lowered.tensor_of_value) == {"x", "r", "dw", "squeezed", "g", *inner}
    x = numbers(*IMAGE)
    expected = run(small_network().model(*inner), {"x": x})
    for delegate in (True, False):
        session = open_file(write_model(lowered.model), delegate=delegate, preserve=True)
        results(session, {"x": x})
        for name in inner:
            value = session.tensor(lowered.tensor_of_value[name])
            assert_same(expected[name], value.transpose(0, 3, 1, 2) if value.ndim == 4 else value)


def test_operations_say_which_node_they_come_from() -> None:
    lowered = lower_graph(small_network().model("y", "features"), description="")
    found = {item.operator.name: (item.path, item.source) for item in lowered.model.operations}
    assert found["FULLY_CONNECTED"] == ("head", "y")
    assert found["DEPTHWISE_CONV_2D"] == ("dw", "dw")
    # What turns a result back to channels first belongs to no node.
    assert found["TRANSPOSE"] == ("", "")


def test_tensors_are_named_after_module_and_value() -> None:
    names = {tensor.name.decode() for tensor in read_back(written(small_network().model("y"))).subgraphs[0].tensors}
    # A fused activation is named after the module that carries it.
    assert {"stem.conv:r", "stem.conv/conv_weight", "se.conv:squeezed", "head:y", "x"} <= names


@pytest.mark.parametrize("shared", ["read twice", "result"])
def test_an_activation_is_not_fused_where_the_value_before_is_needed(shared: str) -> None:
    sketch = Sketch()
    sketch.node("Add", [sketch.input("x", IMAGE), "x"], "a")
    sketch.node("Relu", ["a"], "y")
    outputs = ["y", "a"]
    if shared == "read twice":
        outputs = ["y", sketch.node("Neg", ["a"], "z")]
    content = assert_as_in_onnx(sketch.model(*outputs), {"x": numbers(*IMAGE)})
    assert counted(content)["RELU"] == 1


def test_an_activation_behind_another_operator_stays() -> None:
    sketch = Sketch()
    sketch.node("Sigmoid", [sketch.input("x", IMAGE)], "s")
    sketch.node("Relu", ["s"], "y")
    assert counted(assert_as_in_onnx(sketch.model("y"), {"x": numbers(*IMAGE)})) == {"LOGISTIC": 1, "RELU": 1}


def test_all_unsupported_operators_are_reported_together_with_their_modules() -> None:
    sketch = Sketch()
    sketch.input("x", IMAGE)
    sketch.node("Softplus", ["x"], "a", module="blocks.0.act")
    sketch.node("Relu", ["a"], "b", module="blocks.1")
    sketch.node("Gather", ["b", sketch.constant("i", [0, 2])], "c", module="blocks.2", axis=1)
    sketch.node("Erf", ["c"], "d")
    sketch.node("LRN", ["d"], "e", module="norm", size=3)
    sketch.node("Conv", ["e", sketch.constant("w", numbers(2, 2, 3, 3))], "y", module="last", auto_pad="SAME_LOWER")
    with pytest.raises(NotExportableError) as refusal:
        written(sketch.model("y"))
    assert refusal.value.problems == (
        "blocks.0.act: Softplus 'node_a': no TFLite form is known",
        "blocks.2: Gather 'node_c': its indices are computed, or there are several",
        "network: Erf 'node_d': no TFLite form is known",
        "norm: LRN 'node_e': no TFLite form is known",
        "last: Conv 'node_y': 'node_y' has auto_pad SAME_LOWER: expected explicit pads",
    )
    assert str(refusal.value).splitlines()[0] == (
        "these operators have no TFLite form here; change the network at these places, or export ONNX:"
    )


def test_an_operator_of_a_strange_domain_is_unsupported_whatever_its_name() -> None:
    sketch = Sketch()
    sketch.node("Relu", [sketch.input("x", (1, 2))], "y", domain="condmix", shape=(1, 2))
    with pytest.raises(NotExportableError, match="Relu 'node_y': no TFLite form is known"):
        written(sketch.model("y"))


def test_a_lowering_with_another_shape_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(emitter: Emitter, node: object, _activation: object) -> object:
        del node
        return emitter.new((1, 7), "mistaken")

    monkeypatch.setattr(module_under_test, "LOWERINGS", {**LOWERINGS, "Neg": mistaken})
    sketch = Sketch()
    sketch.node("Neg", [sketch.input("x", (1, 2))], "y", module="m")
    with pytest.raises(NotExportableError) as refusal:
        written(sketch.model("y"))
    assert refusal.value.problems == ("m: Neg 'node_y': its result has shape (1, 7), expected (1, 2)",)


def test_a_free_batch_is_no_graph_for_a_file() -> None:
    sketch = Sketch()
    sketch.node("Neg", [sketch.input("x", ("batch", 2))], "y")  # type: ignore[arg-type]
    with pytest.raises(GraphError, match=r"value 'x' has shape \[batch,2\]: expected numbers only"):
        written(sketch.model("y"))


@exact_rule
@given(
    steps=st.lists(st.sampled_from(STEPS), min_size=2, max_size=6),
    size=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(2, 5), st.integers(2, 5)),
    seed=seeds,
)
def test_random_networks_give_what_onnx_runtime_gives(steps: list[Step], size: tuple[int, ...], seed: int) -> None:
    sketch = Sketch()
    x, shape = sketch.input("x", size), size
    for index, step in enumerate(steps):
        shape = step(sketch, x, f"v{index}", shape)
        x = f"v{index}"
    model = sketch.model(x)
    feeds = {"x": numbers(*size, seed=seed)}
    assert_file_gives(written(model), feeds, run(model, feeds))
