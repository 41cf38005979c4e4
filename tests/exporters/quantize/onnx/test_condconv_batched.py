"""CondConv for several images a call: exact before anything is rounded, each image with its own kernel after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.batch.generalise import generalise
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.splice import Replacement, Splicer
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.named.condconv import read_condconv
from condmix.exporters.quantize.onnx.condconv_batched import FLOAT, GROUPED, PRODUCT, batched_form, build_for_batch
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_same, node_of, run
from tests.exporters.quantize.onnx.rounding import batched_outputs, built, engine_operators, outputs, quality_db

CASES = {
    "points": condconv_case(images=6, kernel=(1, 1), in_channels=12, out_channels=20, experts=5),
    "points with expert bias": condconv_case(images=6, kernel=(1, 1), expert_bias=True),
    "dense": condconv_case(images=6, kernel=(3, 3)),
    "depthwise": condconv_case(images=6, in_channels=8, out_channels=8, group=8),
    "depthwise with expert bias": condconv_case(images=6, in_channels=8, out_channels=8, group=8, expert_bias=True),
    "grouped": condconv_case(images=6, in_channels=8, out_channels=12, group=2),
}


def layer_of(case: CondConvCase):  # type: ignore[no-untyped-def]
    model = case.sketch().model("y")
    node = node_of(model, "CondConv" if case.expert_bias_eo is None else "CondConvExpertBias")
    return model, read_condconv(node)


@exact_rule
@given(case=st.one_of(condconv_cases(images=3), condconv_cases(images=3, pointwise=True)), free=st.booleans())
def test_every_form_is_the_layer(case: CondConvCase, free: bool) -> None:
    model, _ = layer_of(case)
    batch = BatchAxis(size=None if free else 3)
    generalise(model, batch)
    layer = read_condconv(node_of(model, "CondConv" if case.expert_bias_eo is None else "CondConvExpertBias"))
    if batched_form(layer, batch) == FLOAT:
        return
    builder = NodeBuilder(layer.path)
    result = build_for_batch(builder, layer, batch)
    splicer = Splicer(model.graph)
    splicer.apply(Replacement(removed=(layer.node,), results=((layer.output, result.output),), builder=builder))
    splicer.finish()
    assert_same(case.expected(), run(model, case.feeds)["y"])


@pytest.mark.parametrize(
    ("name", "fixed", "free"),
    [
        ("points", PRODUCT, PRODUCT),
        ("dense", PRODUCT, PRODUCT),
        ("depthwise", GROUPED, FLOAT),
        ("grouped", GROUPED, FLOAT),
    ],
)
def test_the_form_of_a_layer(name: str, fixed: str, free: str) -> None:
    _, layer = layer_of(CASES[name])
    assert [batched_form(layer, BatchAxis(size=size)) for size in (3, None)] == [fixed, free]
    assert batched_form(layer, BatchAxis(size=1)) in ("gemm", "kernel")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("batch", [3, None])
def test_a_condconv_in_int8(name: str, batch: int | None) -> None:
    case = CASES[name]
    model = case.sketch().model("y")
    proto = built(model, case.feeds, batch=batch).proto
    alone = outputs(built(model, case.feeds).proto, case.feeds)
    for size in (3,) if batch else (1, 2, 3, 5):
        found = batched_outputs(proto, case.feeds, size)
        assert quality_db(case.expected(), found) > 25
        assert quality_db(alone, found) > 28
        assert quality_db(batched_outputs(proto, case.feeds, size, optimised=False), found) > 45


def test_images_of_a_batch_do_not_share_a_kernel() -> None:
    """Two routings for one image: results differ as they do one by one."""
    case = CASES["points"]
    proto = built(case.sketch().model("y"), case.feeds, batch=None).proto
    same = {"x": np.repeat(case.images_nchw[:1], 6, axis=0), "routing": case.routing_ne}
    found = batched_outputs(proto, same, 6)
    assert quality_db(np.concatenate([batched_outputs(proto, {k: v[i : i + 1] for k, v in same.items()}, 1)
                                      for i in range(6)]), found) > 60  # fmt: skip
    assert quality_db(found[:1], found[1:2]) < 20


@pytest.mark.parametrize("name", CASES)
def test_what_the_engine_runs_is_integers(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    found = engine_operators(built(case.sketch().model("y"), case.feeds, batch=3).proto, tmp_path)
    depthwise_or_grouped = name.split()[0] in ("depthwise", "grouped")
    assert found["MatMulIntegerToFloat"] == (1 if depthwise_or_grouped else 2)
    assert found["QLinearConv"] == depthwise_or_grouped
    assert not {"Conv", "FusedConv", "MatMul"} & set(found)
