"""One scale for what moves together, fixed ones for gates, zero point 0 for kernels, and what is not known is named."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from condmix.exporters.build import Prepared
from condmix.exporters.errors import CalibrationError
from condmix.exporters.quantize.parameters import Affine
from condmix.exporters.quantize.ranges import Ranges
from condmix.exporters.quantize.tflite.observation import float_twin
from condmix.exporters.quantize.tflite.plan import plan_model
from condmix.exporters.quantize.tflite.scales import (
    GATE_INT8,
    INTEGERS,
    Held,
    affines,
    held_tensors,
    largest_mixed,
    missing_names,
    routing_of,
)
from condmix.exporters.tflite.lower_graph import LoweredGraph
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import Operator


@pytest.fixture(scope="module")
def twin(both: Prepared) -> LoweredGraph:
    return float_twin(both, batch=1, layout="nhwc", metadata={})


def held_in(twin: LoweredGraph, mode: str = "full") -> Held:
    return held_tensors(twin.model, plan_model(twin.model, mode, frozenset()), INTEGERS[mode])


def values_of(twin: LoweredGraph) -> dict[str, tuple[str, ...]]:
    return {tensor: (value,) for value, tensor in twin.tensor_of_value.items()}


def scales(twin: LoweredGraph, ranges: Ranges, mode: str = "full") -> dict[str, Affine]:
    """By tensor name."""
    held = held_in(twin, mode)
    found = affines(
        twin.model, plan_model(twin.model, mode, frozenset()), held, INTEGERS[mode], ranges, values_of(twin)
    )
    return {tensor.name: found[item] for item, tensor in held.tensors.items()}


def test_what_moves_together_has_one_scale(twin: LoweredGraph, both_ranges: Ranges) -> None:
    found = scales(twin, both_ranges)
    joined = found["mix:getitem_11"]
    assert found["mix/branch_0"] == found["mix/branch_1"] == joined


def test_pieces_of_an_expansion_have_scales_of_their_own(twin: LoweredGraph, both_ranges: Ranges) -> None:
    found = scales(twin, both_ranges)
    assert found["expand.2/silu_0"] != found["expand.2/silu_1"]
    assert "silu" not in twin.tensor_of_value


def test_gates_have_the_scale_of_the_specification(twin: LoweredGraph, both_ranges: Ranges) -> None:
    gates = [
        item.outputs[0]
        for item in twin.model.operations
        if item.operator is Operator.LOGISTIC and item.path == "expand.2"
    ]
    assert len(gates) == 2
    assert {scales(twin, both_ranges)[gate.name] for gate in gates} == {GATE_INT8}


def test_kernels_have_no_zero_point_and_hold_the_largest_mixture(twin: LoweredGraph, both_ranges: Ranges) -> None:
    found = scales(twin, both_ranges)
    applied = [item.inputs[1] for item in twin.model.operations if item.operator is Operator.BATCH_MATMUL]
    assert {found[item.name] for item in applied if item is not None} == {found["cond/mix_kernels"]}
    affine = found["cond/mix_kernels"]
    (mixing,) = (item for item in twin.model.operations if item.outputs[0].name == "cond/mix_kernels")
    bank = mixing.inputs[1]
    assert bank is not None
    assert bank.data is not None
    (rows,) = {
        id(rows): rows for rows in both_ranges.routing.values() if rows.shape[1] == 3 and (rows >= 0).all()
    }.values()
    largest = np.abs(rows @ bank.data.reshape(-1, rows.shape[1]).T).max()
    assert affine.zero_point == 0
    assert affine.scale * 127 == pytest.approx(largest, rel=1e-6)


def test_many_rows_of_routing_are_mixed_in_parts(
    twin: LoweredGraph, both_ranges: Ranges, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mixing,) = (item for item in twin.model.operations if item.outputs[0].name == "cond/mix_kernels")
    producer = {id(output): item for item in twin.model.operations for output in item.outputs}
    routing = routing_of(mixing, producer, values_of(twin))
    assert routing.name in values_of(twin)
    whole = largest_mixed(mixing, routing, both_ranges, values_of(twin))
    monkeypatch.setattr("condmix.exporters.quantize.tflite.scales.ROWS_AT_ONCE", 3)
    assert largest_mixed(mixing, routing, both_ranges, values_of(twin)) == pytest.approx(whole, rel=1e-6)


def test_int16_is_symmetric(twin: LoweredGraph, both_ranges: Ranges) -> None:
    found = scales(twin, both_ranges, "int16")
    assert {affine.zero_point for affine in found.values()} == {0}
    assert {affine.grid.high for affine in found.values()} == {32767}


def test_names_to_observe_are_those_that_no_graph_value_tells_of(twin: LoweredGraph) -> None:
    known = frozenset(twin.tensor_of_value.values())
    names = missing_names(twin.model, held_in(twin), known)
    assert names == (
        "cond/row_0_product",
        "cond/row_1_product",
        "cond/sum_row_1",
        "cond/row_2_product",
        "cond/sum_row_2",
        "expand.0/piece_0",
        "expand.2/silu_0",
        "expand.0/piece_1",
        "expand.2/silu_1",
    )
    assert missing_names(twin.model, held_in(twin), known | set(names)) == ()
    assert set(names) < set(missing_names(twin.model, held_in(twin), frozenset()))


def test_ranges_of_another_network_are_refused_by_name(twin: LoweredGraph, both_ranges: Ranges) -> None:
    without = dataclasses.replace(both_ranges, inner={})
    with pytest.raises(CalibrationError) as refusal:
        scales(twin, without)
    assert str(refusal.value).startswith("no range is known for cond/row_0_product, cond/row_1_product")
    assert str(refusal.value).endswith("in the tflite file: these ranges belong to another network or version")
    nothing = dataclasses.replace(both_ranges, inner={}, values={})
    with pytest.raises(CalibrationError, match=r"and \d+ more in the tflite file"):
        scales(twin, nothing)


def test_a_missing_routing_is_refused_by_name(twin: LoweredGraph, both_ranges: Ranges) -> None:
    with pytest.raises(CalibrationError, match="no routing is known for 'routing"):
        scales(twin, dataclasses.replace(both_ranges, routing={}))


def test_the_ends_are_held_too_when_asked(twin: LoweredGraph) -> None:
    plan = plan_model(twin.model, "full", frozenset())
    ends: list[Tensor] = [*twin.model.inputs, *twin.model.outputs]
    held = held_tensors(twin.model, plan, INTEGERS["full"], ends=True)
    assert all(id(item) in held.tensors for item in ends)
    assert id(twin.model.outputs[0]) not in held_tensors(twin.model, plan, INTEGERS["full"]).tensors
