"""Which experts calibration saw at work, and images that show all of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import CalibrationError
from condmix.exporters.quantize.coverage import COVERED, block_routing, choose_covering, unexercised
from condmix.exporters.quantize.ranges import Ranges
from tests.exporters.conv_cases import exact_rule, seeds


def ranges(**routing: object) -> Ranges:
    rows = {name: np.array(found, np.float32) for name, found in routing.items()}
    return Ranges(method="mse", image_count=3, images_sha256="0", values={}, routing=rows)


def test_gates_between_0_and_1_are_counted_in_tenths() -> None:
    (found,) = block_routing(ranges(sigmoid=[[0.0, 0.55], [0.05, 0.58], [1.0, 0.91]]))
    assert (found.block, found.low, found.high) == ("sigmoid", 0.0, 1.0)
    assert found.counts == ((2, 0, 0, 0, 0, 0, 0, 0, 0, 1), (0, 0, 0, 0, 0, 2, 0, 0, 0, 1))
    assert found.strongest == pytest.approx((1.0, 0.91))
    assert json.loads(json.dumps(found.to_dict()))["counts"][0][0] == 2


def test_other_gates_are_counted_from_the_least_to_the_largest() -> None:
    (found,) = block_routing(ranges(linear=[[-4.0, 0.0], [1.0, 2.0]]))
    assert (found.low, found.high) == (-4.0, 2.0)
    assert [sum(row) for row in found.counts] == [2, 2]
    assert found.strongest == (4.0, 2.0)


def test_without_condconv_there_is_nothing_to_count_or_warn_of() -> None:
    assert block_routing(ranges()) == ()
    assert unexercised(ranges()) == ()


def test_experts_that_stayed_shut_are_named() -> None:
    found = unexercised(
        ranges(
            first=[[0.8, 0.039, 0.001], [0.2, 0.01, 0.0], [0.1, 0.0, 0.02]],
            second=[[0.8, 0.041], [0.1, 0.0], [0.1, 0.0]],
        )
    )
    assert [(item.block, item.experts) for item in found] == [("first", (1, 2))]
    assert found[0].warning == (
        "block 'first': experts 1, 2 were never exercised by the 3 calibration images (gates up to 0.039, expected "
        "above 0.04): int8 ranges know nothing of what they do; calibrate on more varied images"
    )
    assert found[0].to_dict()["experts"] == [1, 2]


def test_one_expert_is_named_in_the_singular() -> None:
    (found,) = unexercised(ranges(r=[[1.0, 0.3]]), threshold=0.5)
    assert "expert 1 was never exercised by the 1 calibration images" in found.warning


def test_a_strong_negative_gate_is_exercise_too() -> None:
    assert unexercised(ranges(r=[[1.0, -0.9]])) == ()


def test_gates_that_are_all_zero_exercise_none() -> None:
    (found,) = unexercised(ranges(r=[[0.0, 0.0]]))
    assert found.experts == (0, 1)


def test_a_threshold_out_of_range_is_refused() -> None:
    with pytest.raises(CalibrationError, match="is 1: expected from 0 to below 1"):
        unexercised(ranges(), threshold=1.0)


def test_few_images_that_open_every_expert_are_found_in_a_large_pool() -> None:
    rows = np.full((500, 4), 0.1)
    rows[17, [0, 1]], rows[333, 2], rows[490, 3] = 0.9, 0.9, 0.9
    assert choose_covering({"r": rows}, 3, 500) == (17, 333, 490)


def test_blocks_are_covered_together() -> None:
    first, second = np.full((50, 2), 0.1), np.full((50, 2), 0.2)
    first[10, 0], first[20, 1] = 1.0, 1.0
    second[10, 0], second[30, 1] = 0.3, 0.3
    assert choose_covering({"a": first, "b": second}, 3, 50) == (10, 20, 30)


def test_what_is_left_goes_to_images_that_lie_apart() -> None:
    rows = np.full((10, 2), 0.6)
    rows[3], rows[6], rows[8] = (1.0, 1.0), (0.0, 0.0), (0.0, 1.0)
    chosen = choose_covering({"r": rows}, 3, 10)
    assert set(chosen) == {3, 6, 8}


@exact_rule
@given(available=st.integers(1, 40), blocks=st.integers(1, 3), experts=st.integers(1, 5), seed=seeds)
def test_with_an_image_a_gate_every_gate_is_as_strong_as_in_the_pool(
    available: int, blocks: int, experts: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    routing = {str(block): generator.uniform(size=(available, experts)) for block in range(blocks)}
    chosen = list(choose_covering(routing, blocks * experts, available))
    assert len(chosen) == len(set(chosen)) == min(blocks * experts, available)
    for rows in routing.values():
        assert (rows[chosen].max(axis=0) >= COVERED * rows.max(axis=0)).all()


def test_experts_that_never_open_are_no_obstacle() -> None:
    rows = np.zeros((6, 3))
    rows[2, 0] = 1.0
    assert 2 in choose_covering({"r": rows}, 2, 6)
    assert len(choose_covering({"r": np.zeros((6, 3))}, 4, 6)) == 4


def test_without_routing_images_are_spread_evenly() -> None:
    assert choose_covering({}, 3, 9) == (0, 4, 8)
    assert choose_covering({}, 20, 3) == (0, 1, 2)
    assert choose_covering({}, 0, 3) == ()


def test_rows_of_another_pool_are_refused() -> None:
    with pytest.raises(CalibrationError, match=r"routing rows of 5 images were expected: 'r' has shape \(4, 2\)"):
        choose_covering({"r": np.zeros((4, 2))}, 2, 5)
