"""MixConv in runs: exact, and chosen by cost."""

from __future__ import annotations

import itertools

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.graph.splice import Splicer
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.named.mixconv import MixConvLayer, read_mixconv
from condmix.exporters.quantize.onnx import mixconv
from condmix.exporters.quantize.onnx.mixconv import LoweredMixConv, cheapest_runs, lower_mixconv_int8, ungrouped
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import assert_same, operators, run
from tests.exporters.mixconv_cases import MixConvCase, mixconv_case, mixconv_cases
from tests.exporters.sketch import Sketch


def sketch_of(case: MixConvCase, *, group: int, seed: int, expanded: bool) -> tuple[ir.Model, dict[str, np.ndarray]]:
    """x -> expansion in groups -> SiLU -> MixConv, or x -> MixConv."""
    generator = np.random.default_rng(seed)
    size = case.branches[0].input_size
    sketch = Sketch()
    channels = 2 * group if expanded else case.channels
    last = sketch.input("x", (1, channels, *size))
    if expanded:
        weight = generator.standard_normal((case.channels, 2, 1, 1)).astype(np.float32)
        bias = generator.standard_normal(case.channels).astype(np.float32)
        inputs = [last, sketch.constant("w", weight), sketch.constant("b", bias)]
        last = sketch.node("Conv", inputs, "wide", module="block.widen", group=group)
        gate = sketch.node("Sigmoid", [last], "gate", module="block.act")
        last = sketch.node("Mul", [last, gate], "active", module="block.act")
    case.add_to(sketch, last, "y")
    return sketch.model("y"), {"x": generator.standard_normal((1, channels, *size)).astype(np.float32)}


def lower(model: ir.Model) -> tuple[MixConvLayer, LoweredMixConv]:
    layer = read_mixconv(next(node for node in model.graph if node.op_type.startswith("MixConv")))
    result = lower_mixconv_int8(layer, BatchAxis(size=1))
    splicer = Splicer(model.graph)
    splicer.apply(result.replacement)
    splicer.finish()
    return layer, result


@exact_rule
@given(case=mixconv_cases(), seed=seeds, group=st.integers(1, 3), run_ns=st.sampled_from([0.0, 1.0, 1e9]))
def test_runs_are_exact_whatever_they_cost(case: MixConvCase, seed: int, group: int, run_ns: float) -> None:
    group = group if case.channels % group == 0 else 1
    model, feeds = sketch_of(case, group=group, seed=seed, expanded=True)
    (expected,) = run(model, feeds).values()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixconv, "RUN_NS", run_ns)
        lower(model)
    (result,) = run(model, feeds).values()
    assert_same(expected, result)


def layer_of(case: MixConvCase) -> MixConvLayer:
    model, _ = sketch_of(case, group=1, seed=0, expanded=False)
    return read_mixconv(next(node for node in model.graph if node.op_type.startswith("MixConv")))


def kernels_of(layer: MixConvLayer) -> list[list[int]]:
    return [[branch.settings.kernel[0] for branch in branches] for branches in cheapest_runs(layer)]


def big(channels: tuple[int, ...], kernels: tuple[int, ...], size: int) -> MixConvLayer:
    return layer_of(mixconv_case(in_channels=channels, kernels=kernels, input_size=(size, size)))


def test_small_maps_have_one_kernel() -> None:
    assert kernels_of(big((30, 30, 30), (3, 5, 7), 4)) == [[3, 5, 7]]


def test_large_maps_have_every_kernel_apart() -> None:
    assert kernels_of(big((90, 90, 90), (3, 5, 9), 40)) == [[3], [5], [9]]


def test_in_between_neighbours_share() -> None:
    assert kernels_of(big((90, 90, 90, 90), (3, 5, 7, 9), 14)) == [[3, 5], [7], [9]]


def test_the_cheapest_way_is_found() -> None:
    """Against all ways to cut four branches into runs."""
    layer = big((20, 70, 33, 5), (3, 9, 5, 11), 17)
    positions = 17 * 17
    branches = layer.branches

    def cost(cuts: tuple[int, ...]) -> float:
        ends = (0, *cuts, len(branches))
        return sum(mixconv._cost_ns(layer, branches[a:b], positions) for a, b in itertools.pairwise(ends))

    ways = [tuple(place for place in (1, 2, 3) if bits >> (place - 1) & 1) for bits in range(8)]
    found = cheapest_runs(layer)
    cuts = tuple(np.cumsum([len(branches_) for branches_ in found])[:-1].tolist())
    assert cost(cuts) == min(cost(way) for way in ways)


def test_runs_within_a_group_read_that_group_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixconv, "RUN_NS", 0.0)
    case = mixconv_case(in_channels=(16, 16), kernels=(3, 5), input_size=(9, 9))
    model, _ = sketch_of(case, group=2, seed=0, expanded=True)
    _, result = lower(model)
    assert operators(model)["Split"] == 1
    sources = {value.name: source for value, source in result.sources}
    assert [source for name, source in sources.items() if name and "groups" in name] == ["x", "x"]


def test_runs_across_groups_read_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixconv, "RUN_NS", 0.0)
    case = mixconv_case(in_channels=(24, 8), kernels=(3, 5), input_size=(9, 9))
    model, _ = sketch_of(case, group=2, seed=0, expanded=True)
    lower(model)
    assert operators(model)["Split"] == 0


def test_new_values_know_where_their_numbers_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixconv, "RUN_NS", 0.0)
    case = mixconv_case(in_channels=(16, 4), kernels=(3, 5), input_size=(9, 9))
    model, _ = sketch_of(case, group=1, seed=0, expanded=True)
    _, result = lower(model)
    assert result.form == "runs"
    assert result.why == "kernels 3, 5 apart cost less than one kernel with zeros; each has its own expansion"
    assert [source for _, source in result.sources] == ["wide", "gate", "active"] * 2 + ["y"] * 2


def test_without_an_expansion_one_kernel_holds_all() -> None:
    model, _ = sketch_of(mixconv_case(in_channels=(8, 4), kernels=(3, 5)), group=1, seed=0, expanded=False)
    _, result = lower(model)
    assert (result.form, len(result.depthwise)) == ("merged", 1)


@exact_rule
@given(case=mixconv_cases(depthwise=False), seed=seeds)
def test_branches_that_mix_channels_stay_parallel(case: MixConvCase, seed: int) -> None:
    model, feeds = sketch_of(case, group=1, seed=seed, expanded=False)
    (expected,) = run(model, feeds).values()
    layer, result = lower(model)
    assert result.form == ("merged" if layer.is_depthwise else "parallel")
    (again,) = run(model, feeds).values()
    assert_same(expected, again)


@pytest.mark.parametrize("group", [1, 2, 3])
def test_ungrouped_is_the_same_convolution(group: int) -> None:
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((6, 2, 1, 1)).astype(np.float32)
    x = generator.standard_normal(2 * group).astype(np.float32)
    dense = ungrouped(weight, group)
    assert dense.shape == (6, 2 * group, 1, 1)
    rows = weight.reshape(group, 6 // group, 2)
    exact = np.concatenate([rows[index] @ x[2 * index : 2 * index + 2] for index in range(group)])
    np.testing.assert_allclose(dense[:, :, 0, 0] @ x, exact, rtol=1e-5)
