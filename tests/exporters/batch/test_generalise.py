"""Giving a whole graph its batch axis: baked ones are rewritten, every obstacle is named, results keep their rows."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import NotExportableError
from condmix.exporters.graph.facts import constant_ints
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_same, node_of, operators, run, with_batch
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.sketch import Sketch

SUMMARY = "the network cannot be given a batch axis; export it with --batch 1, or change these places:"


def images(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, *shape)).astype(np.float32)


def small_network(*, squeezed: bool = False) -> Sketch:
    """x (1, 4, 6, 6) -> Conv -> pool -> Reshape -> Gemm -> logits y; a Reshape of torch with allowzero."""
    generator = np.random.default_rng(1)

    def numbers(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    sketch = Sketch()
    sketch.input("x", (1, 4, 6, 6))
    sketch.node("Conv", ["x", sketch.constant("w", numbers(8, 4, 3, 3))], "features", module="stem")
    sketch.node("GlobalAveragePool", ["features"], "pooled", module="pool")
    sketch.node("Reshape", ["pooled", sketch.constant("flat_shape", [1, 8])], "flat", module="pool", allowzero=1)
    output = "row" if squeezed else "y"
    sketch.node("Gemm", ["flat", sketch.constant("dense", numbers(8, 5))], output, module="classifier")
    if squeezed:
        sketch.node("Reshape", ["row", sketch.constant("squeezed", [5])], "y", module="")
    return sketch


def test_one_image_is_left_as_it_is() -> None:
    model = small_network().model("y")
    before = ir.to_proto(model).SerializeToString(deterministic=True)
    with_batch(model, 1)
    assert ir.to_proto(model).SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("size", [2, 3, None])
def test_a_batch_gives_what_its_images_give_alone(size: int | None) -> None:
    single, model = small_network().model("y"), small_network().model("y")
    x = images(size or 5, 4, 6, 6)
    with_batch(model, size)
    alone = np.concatenate([run(single, {"x": x[index : index + 1]})["y"] for index in range(len(x))])
    assert_same(alone, run(model, {"x": x})["y"])
    node = node_of(model, "Reshape")
    assert constant_ints(node.inputs[1]) == (size or -1, 8)
    assert "allowzero" not in node.attributes
    assert "flat_shape" not in model.graph.initializers


@pytest.mark.parametrize("size", [4, None])
def test_shapes_say_where_the_batch_is(size: int | None) -> None:
    model = small_network().model("y")
    with_batch(model, size)
    dimension = size or ir.SymbolicDim("batch")
    (x,) = model.graph.inputs
    assert x.shape == ir.Shape((dimension, 4, 6, 6))
    assert [output.shape for node in model.graph for output in node.outputs] == [
        ir.Shape((dimension, 8, 4, 4)),
        ir.Shape((dimension, 8, 1, 1)),
        ir.Shape((dimension, 8)),
        ir.Shape((dimension, 5)),
    ]


@pytest.mark.parametrize("size", [1, 3, None])
def test_a_squeezed_result_keeps_its_rows(size: int | None) -> None:
    single, model = small_network(squeezed=True).model("y"), small_network(squeezed=True).model("y")
    x = images(3, 4, 6, 6)
    with_batch(model, size)
    count = size or 3
    alone = np.stack([run(single, {"x": x[index : index + 1]})["y"] for index in range(count)])
    assert alone.shape == (count, 5)
    assert_same(alone[0] if size == 1 else alone, run(model, {"x": x[:count]})["y"])


def test_a_squeeze_on_the_way_is_named_with_its_shapes() -> None:
    sketch = small_network(squeezed=True)
    sketch.node("Relu", ["y"], "z")
    with pytest.raises(NotExportableError) as caught:
        with_batch(sketch.model("z"), None)
    assert caught.value.problems == (
        "network: Reshape 'node_y': it merges the batch axis with another ((1, 5) to (5,))",
    )
    assert str(caught.value).splitlines()[0] == SUMMARY


def test_a_squeezed_result_that_is_read_as_well_is_named() -> None:
    sketch = small_network(squeezed=True)
    sketch.node("Relu", ["y"], "z")
    with pytest.raises(NotExportableError, match="it merges the batch axis with another"):
        with_batch(sketch.model("y", "z"), None)


@exact_rule
@given(
    sizes=st.lists(st.integers(2, 3), min_size=1, max_size=3),
    place=st.integers(0, 3),
    count=st.integers(1, 4),
)
def test_a_reshape_of_images_stacks_their_results(sizes: list[int], place: int, count: int) -> None:
    """x (1, n) to the sizes with a one somewhere: kept when the one leads, named otherwise."""
    total = int(np.prod(sizes))
    target = [*sizes[:place], 1, *sizes[place:]]
    sketch = Sketch()
    sketch.input("x", (1, total))
    sketch.node("Reshape", ["x", sketch.constant("target", target)], "inner", module="m")
    sketch.node("Relu", ["inner"], "y")
    model = sketch.model("y")
    x = images(count, total)
    if place > 0:
        with pytest.raises(NotExportableError) as caught:
            with_batch(model, None)
        assert caught.value.problems == (
            f"m: Reshape 'node_inner': it merges the batch axis with another ((1, {total}) to {tuple(target)})",
        )
        return
    with_batch(model, None)
    np.testing.assert_array_equal(run(model, {"x": x})["y"], np.maximum(x, 0).reshape(count, *sizes))


def test_every_obstacle_is_named_and_the_search_goes_on_behind_it() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4))
    sketch.node("Concat", ["x", "x"], "a", axis=0, module="first")
    sketch.node("ReduceMean", ["a", sketch.constant("axis", [0])], "b", module="second", keepdims=1)
    sketch.node("Expand", ["b", sketch.constant("shape", [3, 4])], "y", module="third")
    with pytest.raises(NotExportableError) as caught:
        with_batch(sketch.model("y"), None)
    assert caught.value.problems == (
        "first: Concat 'node_a': it works along the batch axis",
        "second: ReduceMean 'node_b': it reduces over the batch axis",
        "third: Expand 'node_y': it repeats images",
    )
    assert str(caught.value).splitlines() == [SUMMARY, *(f"  - {problem}" for problem in caught.value.problems)]


def shape_from_x(sketch: Sketch) -> str:
    """Two integers computed from x."""
    sketch.node("Cast", ["x"], "whole", to=7)
    sketch.node("Reshape", ["whole", sketch.constant("two", [2])], "computed")
    return "computed"


@pytest.mark.parametrize(
    ("op_type", "source", "sentence"),
    [
        ("Reshape", "x", "its target shape is computed"),
        ("Reshape", "stored", "its target shape depends on the image"),
        ("Expand", "x", "its target shape is computed"),
        ("Expand", "stored", "its target shape is computed"),
    ],
)
def test_computed_shapes_are_named(op_type: str, source: str, sentence: str) -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2))
    sketch.constant("stored", np.ones((1, 2), dtype=np.float32))
    sketch.node(op_type, [source, shape_from_x(sketch)], "y", module="m", shape=(1, 2))
    with pytest.raises(NotExportableError) as caught:
        with_batch(sketch.model("y"), None)
    assert caught.value.problems[-1] == f"m: {op_type} 'node_y': {sentence}"


def test_named_layers_keep_a_leading_batch() -> None:
    case = condconv_case(in_channels=6, out_channels=6)
    sketch = Sketch()
    sketch.input("x", (1, 6, 7, 5))
    sketch.input("routing", (1, 3))
    case.add_to(sketch, "x", "routing", "middle")
    mixconv_case(in_channels=(2, 4), kernels=(3, 5), input_size=(7, 5)).add_to(sketch, "middle", "y")
    model = sketch.model("y")
    with_batch(model, None)
    dimension = ir.SymbolicDim("batch")
    assert [node.outputs[0].shape for node in model.graph] == [ir.Shape((dimension, 6, 7, 5))] * 2


def test_a_mixconv_whose_batch_lies_elsewhere_is_named() -> None:
    case = mixconv_case(in_channels=(1,), kernels=(1,), input_size=(1, 1))
    sketch = Sketch()
    sketch.input("x", (1, 1, 1, 1))
    sketch.node("Transpose", ["x"], "turned", perm=[1, 0, 2, 3])
    case.add_to(sketch, "turned", "y", module="m")
    with pytest.raises(NotExportableError) as caught:
        with_batch(sketch.model("y"), None)
    assert caught.value.problems == ("m: MixConv1 'node_y': its input has no leading batch axis",)


def test_what_does_not_depend_on_the_image_has_no_batch() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 3))
    sketch.constant("stored", np.arange(6, dtype=np.float32).reshape(2, 3))
    sketch.node("Reshape", ["stored", sketch.constant("shape", [3, 2])], "weight")
    sketch.node("MatMul", ["x", "weight"], "y")
    model = sketch.model("y")
    with_batch(model, None)
    assert node_of(model, "Reshape").outputs[0].shape == ir.Shape((3, 2))
    x = images(4, 3)
    expected = x.astype(np.float64) @ np.arange(6.0).reshape(3, 2)
    assert_same(expected, run(model, {"x": x})["y"])
    assert operators(model) == {"Reshape": 1, "MatMul": 1}


def test_a_result_without_a_row_for_each_image_is_named() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 3))
    sketch.constant("stored", np.arange(6, dtype=np.float32).reshape(2, 3))
    sketch.node("Identity", ["stored"], "anchors")
    sketch.node("Relu", ["x"], "y")
    with pytest.raises(NotExportableError) as caught:
        with_batch(sketch.model("anchors", "y"), None)
    assert caught.value.problems == ("output 'anchors' does not depend on the image: it has no row for each",)
    with_batch(sketch.model("anchors", "y"), 1)
