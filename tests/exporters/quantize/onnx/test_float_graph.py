"""The float graph in forms for int8: the same function, and every new value known by the old ones."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.build import Prepared
from condmix.exporters.graph.facts import module_path
from condmix.exporters.quantize.onnx.float_graph import FloatGraph, build_float_graph, source_layers
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.onnx.records import Int8Kind
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.graphs import assert_same, operators, run
from tests.exporters.quantize.onnx.rounding import prepared_of, rows_of


@pytest.fixture(scope="module")
def floats(every_form: Prepared) -> FloatGraph:
    return build_float_graph(every_form, OnnxInt8Options())


def test_the_function_stays(floats: FloatGraph, images: dict[str, np.ndarray], expected: np.ndarray) -> None:
    for row, wanted in zip(rows_of(images), expected, strict=True):
        (result,) = run(floats.model, row).values()
        assert_same(wanted[None], result)


def test_nothing_named_is_left(floats: FloatGraph) -> None:
    assert all(node.domain == "" for node in floats.model.graph)


def test_every_product_has_an_owner(floats: FloatGraph) -> None:
    products = [node for node in floats.model.graph if node.op_type in ("Conv", "Gemm")]
    assert {node.outputs[0].name for node in products} == set(floats.owners)
    for node in products:
        assert floats.layers[floats.owners[node.outputs[0].name or ""]].path == module_path(node)


def test_slices_of_an_expansion_belong_to_the_expansion(floats: FloatGraph) -> None:
    paths = [floats.layers[owner].path for owner in floats.owners.values()]
    assert (paths.count("widen"), paths.count("mix")) == (2, 2)
    known = {output.name for output in (item for node in floats.model.graph for item in node.outputs)}
    new = {name: source for name, source in floats.sources.items() if name in known}
    # Two groups of the image, two expansions, two sigmoids, two products, two depthwise results.
    assert len(new) == 10


def test_kernels_are_found_by_name(floats: FloatGraph) -> None:
    known = {output.name for node in floats.model.graph for output in node.outputs}
    assert len(floats.kernels) == 3
    for kernel in floats.kernels:
        assert {kernel.routing, kernel.mixed, kernel.kernel} <= known


def test_channels_are_filled(floats: FloatGraph) -> None:
    assert operators(floats.model)["Pad"] == 1
    shapes = {output.name: output.shape for node in floats.model.graph for output in node.outputs}
    widths = [shape[1] for name, shape in shapes.items() if name and shape and "mix/run" in name]
    assert widths == [32, 32]


def test_layers_of_the_rewritten_graph(every_form: Prepared) -> None:
    layers = source_layers(every_form.model.graph)
    assert {layer.path: (layer.kind, layer.multiply_adds) for layer in layers.values() if layer.path != "mix"} == {
        "stem.0": (Int8Kind.CONV, 10 * 27 * 18 * 18),
        "routing.linear": (Int8Kind.GEMM, 40),
        "expand": (Int8Kind.COND_CONV, 240 * 18 * 18 + 4 * 240),
        "depthwise": (Int8Kind.COND_CONV, 24 * 9 * 18 * 18 + 4 * 216),
        "project": (Int8Kind.COND_CONV, 240 * 18 * 18 + 4 * 240),
        "dense": (Int8Kind.CONV, 20 * 90 * 18 * 18),
        "widen": (Int8Kind.CONV, 36 * 10 * 17 * 17),
        "squeeze": (Int8Kind.CONV, 144),
        "excite": (Int8Kind.CONV, 144),
        "narrow": (Int8Kind.CONV, 20 * 18 * 17 * 17),
        "classifier": (Int8Kind.GEMM, 100),
    }


@pytest.mark.parametrize("float_layers", [frozenset(), frozenset({"block.conv"})])
def test_a_mixed_bias_is_on_record_where_it_is_rounded(float_layers: frozenset[str]) -> None:
    case = condconv_case(expert_bias=True)
    floats = build_float_graph(prepared_of(case.sketch().model("y")), OnnxInt8Options(float_layers=float_layers))
    assert len(floats.biases) == len(floats.kernels) == (0 if float_layers else 1)
    (result,) = run(floats.model, case.one(0)).values()
    assert_same(case.expected()[:1], result)


def test_the_operator_set_is_the_one_asked_for(every_form: Prepared) -> None:
    assert build_float_graph(every_form, OnnxInt8Options(opset=21)).model.opset_imports[""] == 21
