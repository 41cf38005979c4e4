"""The whole way: what the file computes, what runs in integers, what is on record."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from condmix.exporters.build import Prepared
from condmix.exporters.errors import CalibrationError
from condmix.exporters.quantize.onnx.build import build_int8
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.onnx.records import Int8Build, Int8Kind
from condmix.exporters.quantize.ranges import Range, Ranges
from tests.exporters.graphs import to_bytes
from tests.exporters.quantize.onnx.rounding import batched_outputs, engine_operators, images_of, outputs, quality_db

COMPUTED_IN_FLOAT = {"Conv", "FusedConv", "MatMul", "Mul", "Sigmoid", "QuickGelu", "Add", "Relu", "Clip"}


def build(prepared: Prepared, ranges: Ranges, **choices: Any) -> Int8Build:
    return build_int8(prepared, ranges, OnnxInt8Options(**choices), {"architecture": "every"}, lambda _stage: None)


@pytest.mark.parametrize("target", ["auto", "x86-vnni", "arm"])
@pytest.mark.parametrize("style", ["qdq", "qoperator"])
def test_the_file_computes_the_network(
    every_form: Prepared, ranges: Ranges, images: dict[str, np.ndarray], expected: np.ndarray, target: str, style: str
) -> None:
    proto = build(every_form, ranges, target=target, style=style).proto
    meaning = outputs(proto, images, optimised=False)
    assert quality_db(expected, meaning) > 25
    # What the engine makes of it may round a half differently now and then, and no more.
    assert quality_db(meaning, outputs(proto, images)) > 45


def test_what_the_engine_runs_is_integers(every_form: Prepared, ranges: Ranges, tmp_path: Path) -> None:
    """Every convolution, CondConv among them, and everything between them; but the routing."""
    proto = build(every_form, ranges).proto
    found = engine_operators(proto, tmp_path)
    # stem, depthwise CondConv, dense, two runs with their expansions, squeeze, excite, narrow
    assert found["QLinearConv"] == 10
    # two 1x1 CondConvs and the classifier
    assert found["QGemm"] == 3
    assert found["MatMulIntegerToFloat"] == 3
    assert not COMPUTED_IN_FLOAT & set(found) - {"Clip"}
    # The kernels' grid of 7 bits ends in a Clip of integers, for the two that are not depthwise; so does the routing's.
    assert found["Clip"] == 3
    # The image, the routing and three kernels are rounded; the routing's mean is read in float.
    assert (found["QuantizeLinear"], found["DequantizeLinear"]) == (5, 1)


def test_styles_run_the_same_graph(every_form: Prepared, ranges: Ranges, tmp_path: Path) -> None:
    found = [engine_operators(build(every_form, ranges, style=style).proto, tmp_path) for style in ("qdq", "qoperator")]
    assert found[0] == found[1]


def test_the_qdq_file_is_standard_onnx(every_form: Prepared, ranges: Ranges) -> None:
    proto = build(every_form, ranges).proto
    onnx.checker.check_model(proto, full_check=True)
    assert {node.domain for node in proto.graph.node} == {""}
    assert [item.domain for item in proto.opset_import] == [""]


def test_values_keep_their_names(every_form: Prepared, ranges: Ranges) -> None:
    """What a value of the rewritten graph means it means in the int8 file, rounded."""
    proto = build(every_form, ranges).proto
    known = {output.name for node in every_form.model.graph for output in node.outputs}
    kept = {name for node in proto.graph.node for name in node.output} & known
    assert len(kept) > len(known) / 2


@pytest.mark.parametrize("opset", [17, 21, 24])
def test_operator_sets(
    every_form: Prepared, ranges: Ranges, images: dict[str, np.ndarray], expected: np.ndarray, opset: int
) -> None:
    proto = build(every_form, ranges, opset=opset).proto
    assert proto.opset_import[0].version == opset
    assert quality_db(expected, outputs(proto, images)) > 25


def test_records_name_every_layer(every_form: Prepared, ranges: Ranges) -> None:
    made = build(every_form, ranges)
    assert Counter(layer.kind for layer in made.layers) == {
        Int8Kind.CONV: 6,
        Int8Kind.COND_CONV: 3,
        Int8Kind.MIX_CONV: 1,
        Int8Kind.GEMM: 2,
    }
    forms = {layer.path: (layer.int8, layer.form) for layer in made.layers}
    assert forms["routing.linear"] == (False, "gemm")
    assert forms["expand"] == (True, "gemm")
    assert forms["depthwise"] == (True, "kernel")
    assert forms["widen"] == (True, "sliced")
    assert forms["mix"] == (True, "runs")
    assert forms["narrow"] == (True, "dense")
    assert all(layer.why and layer.multiply_adds > 0 and layer.weight_bytes > 0 for layer in made.layers)
    (routing,) = (layer for layer in made.layers if not layer.int8)
    assert made.int8_share == 1 - routing.multiply_adds / sum(layer.multiply_adds for layer in made.layers)


def test_weights_take_a_quarter(every_form: Prepared, ranges: Ranges) -> None:
    records = {layer.path: layer for layer in build(every_form, ranges).layers}
    # 24 * 10 weights of 4 experts in int8; a scale and, where there is one, a bias a channel in 4 bytes
    assert records["expand"].weight_bytes == 4 * 240 + 24 * 4
    assert records["dense"].weight_bytes == 20 * 10 * 9 + 20 * 8


@pytest.mark.parametrize("layer", ["stem.0", "expand", "depthwise", "mix", "widen", "narrow", "classifier"])
def test_layers_stay_in_float_when_asked(
    every_form: Prepared,
    ranges: Ranges,
    images: dict[str, np.ndarray],
    expected: np.ndarray,
    tmp_path: Path,
    layer: str,
) -> None:
    made = build(every_form, ranges, float_layers=frozenset({layer}))
    kept = {record.path: record.why for record in made.layers if not record.int8}
    assert kept.pop("routing.linear")
    assert kept == {layer: "asked to stay in float"}
    meaning = outputs(made.proto, images, optimised=False)
    assert quality_db(expected, meaning) > 25
    assert quality_db(meaning, outputs(made.proto, images)) > 45
    found = engine_operators(made.proto, tmp_path)
    # routing is one Gemm; the layer that stays is the other product in float
    assert sum(found[name] for name in ("Conv", "FusedConv", "Gemm", "FusedGemm")) >= 2


def test_all_layers_in_float_is_the_float_network(
    every_form: Prepared, ranges: Ranges, images: dict[str, np.ndarray], expected: np.ndarray
) -> None:
    paths = frozenset(layer.path for layer in build(every_form, ranges).layers)
    made = build(every_form, ranges, float_layers=paths)
    assert made.int8_share == 0
    assert quality_db(expected, outputs(made.proto, images)) > 120


def test_the_float_graph_is_exact(
    every_form: Prepared, ranges: Ranges, images: dict[str, np.ndarray], expected: np.ndarray
) -> None:
    proto = build(every_form, ranges).float_proto
    np.testing.assert_allclose(outputs(proto, images), expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize(("io_dtype", "low"), [("uint8", 0), ("int8", -128)])
def test_integers_at_the_ends(
    every_form: Prepared,
    ranges: Ranges,
    images: dict[str, np.ndarray],
    expected: np.ndarray,
    io_dtype: str,
    low: int,
) -> None:
    made = build(every_form, ranges, io_dtype=io_dtype)
    (taken,), (given,) = made.inputs.values(), made.outputs.values()
    assert (taken.grid.low, given.grid.low) == (low, low)
    integers = np.clip(np.rint(images["input"] / taken.scale) + taken.zero_point, low, low + 255).astype(io_dtype)
    logits = outputs(made.proto, {"input": integers})
    assert logits.dtype == io_dtype
    assert quality_db(expected, (logits.astype(np.float32) - given.zero_point) * given.scale) > 25
    written = {prop.key: prop.value for prop in made.proto.metadata_props}
    assert written["condmix_int8.input"] == f"scale={taken.scale!r} zero_point={taken.zero_point}"


def test_both_integer_types_mean_the_same(every_form: Prepared, ranges: Ranges, images: dict[str, np.ndarray]) -> None:
    unsigned, signed = (build(every_form, ranges, io_dtype=name) for name in ("uint8", "int8"))
    affine = unsigned.inputs["input"]
    integers = np.clip(np.rint(images["input"] / affine.scale) + affine.zero_point, 0, 255)
    first = outputs(unsigned.proto, {"input": integers.astype(np.uint8)})
    second = outputs(signed.proto, {"input": (integers - 128).astype(np.int8)})
    np.testing.assert_array_equal(first.astype(int) - 128, second)


@pytest.mark.parametrize(("batch", "sizes"), [(2, (2,)), (5, (5,)), (None, (1, 2, 3, 5))])
@pytest.mark.parametrize("style", ["qdq", "qoperator"])
def test_every_image_of_a_batch_has_its_own_kernel(
    every_form: Prepared,
    ranges: Ranges,
    images: dict[str, np.ndarray],
    expected: np.ndarray,
    batch: int | None,
    sizes: tuple[int, ...],
    style: str,
) -> None:
    made = build(every_form, ranges, batch=batch, style=style)
    alone = outputs(build(every_form, ranges).proto, images)
    turned = {"input": images["input"][::-1].copy()}
    for size in sizes:
        found = batched_outputs(made.proto, images, size)
        assert quality_db(expected, found) > 25
        assert quality_db(alone, found) > 25
        # Among other neighbours it is the same, up to the rounding of a few steps.
        assert quality_db(found, batched_outputs(made.proto, turned, size)[::-1]) > 40
        assert quality_db(batched_outputs(made.proto, images, size, optimised=False), found) > 35


def test_what_a_batch_leaves_in_float_is_said(every_form: Prepared, ranges: Ranges) -> None:
    fixed, free = (
        {layer.path: layer for layer in build(every_form, ranges, batch=batch).layers} for batch in (3, None)
    )
    forms = {path: (fixed[path].form, free[path].form) for path in ("expand", "depthwise", "project")}
    assert forms == {
        "expand": ("product", "product"),
        "depthwise": ("grouped", "experts"),
        "project": ("product", "product"),
    }
    assert all(layer.int8 for layer in fixed.values() if layer.kind is Int8Kind.COND_CONV)
    assert not free["depthwise"].int8
    assert "depthwise or grouped for any number of images" in free["depthwise"].why
    assert "--batch N keeps it in int8" in free["depthwise"].why


def test_layers_that_are_asked_to_stay_in_float_do_at_a_batch(
    every_form: Prepared, ranges: Ranges, images: dict[str, np.ndarray], expected: np.ndarray
) -> None:
    kept = frozenset({"expand", "depthwise"})
    for batch in (3, None):
        made = build(every_form, ranges, batch=batch, float_layers=kept)
        assert {layer.path for layer in made.layers if not layer.int8} >= kept
        assert {layer.why for layer in made.layers if layer.path in kept} == {"asked to stay in float"}
        assert quality_db(expected, batched_outputs(made.proto, images, 3)) > 25


def test_ranges_of_another_network_are_refused(every_form: Prepared, ranges: Ranges) -> None:
    other = Ranges(
        method="minmax",
        image_count=1,
        images_sha256="",
        values={"elsewhere": Range(low=-1, high=1)},
        routing=ranges.routing,
    )
    with pytest.raises(CalibrationError, match=r"first 'input'.*: these ranges belong to another network"):
        build(every_form, other)


def test_routing_must_have_been_seen(every_form: Prepared, ranges: Ranges) -> None:
    blind = Ranges(method="minmax", image_count=8, images_sha256="", values=ranges.values)
    with pytest.raises(CalibrationError, match="no routing is known for 'sigmoid"):
        build(every_form, blind)


def test_a_build_leaves_what_it_was_given(every_form: Prepared, ranges: Ranges) -> None:
    before = to_bytes(every_form.model)
    first, second = (build(every_form, ranges).proto.SerializeToString(deterministic=True) for _ in range(2))
    assert to_bytes(every_form.model) == before
    assert first == second


def test_the_file_says_what_it_is(every_form: Prepared, ranges: Ranges) -> None:
    written = {prop.key: prop.value for prop in build(every_form, ranges).proto.metadata_props}
    assert written == {
        "architecture": "every",
        "condmix_int8": "style=qdq target=auto experts=int8",
        "condmix_stage": "int8",
    }


def test_a_range_that_is_too_small_is_seen(
    every_form: Prepared, ranges: Ranges, images: dict[str, np.ndarray], expected: np.ndarray
) -> None:
    """The yardstick of these tests fails where calibration did."""
    tiny = {name: Range(low=own.low / 8, high=own.high / 8) for name, own in ranges.values.items()}
    squeezed = Ranges(method="minmax", image_count=8, images_sha256="", values=tiny, routing=ranges.routing)
    assert quality_db(expected, outputs(build(every_form, squeezed).proto, images)) < 15


def test_other_images_than_those_of_calibration(every_form_network: Any, every_form: Prepared, ranges: Ranges) -> None:
    import torch

    fresh = images_of((3, 36, 36), seed=5)
    with torch.no_grad():
        wanted = every_form_network(torch.from_numpy(fresh["input"])).numpy()
    assert quality_db(wanted, outputs(build(every_form, ranges).proto, fresh)) > 22
