"""Images are chosen by what they do to the routing; how far they drive it apart is stated."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from condmix.exporters.build import build_from
from condmix.exporters.capture import Captured
from condmix.exporters.options import ExportOptions
from condmix.exporters.verify.images import candidate_images
from condmix.exporters.verify.routing import choose, routing_of, spread
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.networks import INPUT_SIZE, BothConstructs


def test_the_routing_is_that_of_the_network(captured: Captured, network: nn.Module) -> None:
    built = build_from(captured, ExportOptions(stage="named"), {}, lambda _stage: None)
    images = candidate_images(INPUT_SIZE).array_nchw[:4]
    (rows,) = routing_of(built.stages[0].proto, built.routing_values, images).values()
    assert isinstance(network, BothConstructs)
    with torch.no_grad():
        expected = network.routing(network.stem(torch.from_numpy(images))).numpy()
    assert rows.shape == (4, 3)
    np.testing.assert_allclose(rows, expected, atol=1e-6)


def test_a_network_without_condconv_has_none(captured: Captured) -> None:
    built = build_from(captured, ExportOptions(stage="captured"), {}, lambda _stage: None)
    assert routing_of(built.final.proto, (), np.zeros((2, *INPUT_SIZE), dtype=np.float32)) == {}


def test_the_spread_is_the_largest_move_of_any_expert() -> None:
    rows = np.array([[0.1, 0.5], [0.2, 0.5], [0.9, 0.4]])
    found = spread({"a": rows, "b": np.zeros((3, 2))})
    assert found.largest_difference == {"a": pytest.approx(0.8), "b": 0.0}
    assert found.smallest == 0.0


def test_images_that_route_apart_are_chosen_over_those_that_do_not() -> None:
    rows = np.zeros((10, 2))
    rows[7], rows[9] = (1.0, 0.0), (0.0, 1.0)
    chosen = choose({"r": rows}, 4, 10)
    assert chosen[:2] == (0, 4)
    assert set(chosen[2:]) == {7, 9}


def test_no_block_drowns_another() -> None:
    """Block `small` moves by a hundredth of what `large` moves by, and counts as much."""
    large, small = np.zeros((8, 1)), np.zeros((8, 1))
    large[[5, 6], 0] = (100.0, 99.0)
    small[7, 0] = 1.0
    assert set(choose({"large": large, "small": small}, 4, 8)) == {0, 4, 5, 7}


def test_without_routing_the_first_ones_serve() -> None:
    assert choose({}, 5, 10) == (0, 4, 1, 2, 3)
    assert choose({}, 3, 2) == (0, 1)


@exact_rule
@given(
    available=st.integers(2, 15),
    count=st.integers(2, 15),
    blocks=st.integers(1, 3),
    experts=st.integers(1, 4),
    seed=seeds,
)
def test_as_many_different_images_as_there_are(
    available: int, count: int, blocks: int, experts: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    routing = {str(block): generator.uniform(size=(available, experts)) for block in range(blocks)}
    chosen = choose(routing, count, available)
    assert len(chosen) == len(set(chosen)) == min(count, available)
    assert all(0 <= index < available for index in chosen)


def test_a_routing_that_never_moves_is_no_obstacle() -> None:
    chosen = choose({"r": np.full((6, 3), 0.5)}, 4, 6)
    assert len(set(chosen)) == 4


def test_the_chosen_images_spread_more_than_the_first_ones(captured: Captured) -> None:
    built = build_from(captured, ExportOptions(stage="named"), {}, lambda _stage: None)
    pool = candidate_images(INPUT_SIZE)
    routing = routing_of(built.stages[0].proto, built.routing_values, pool.array_nchw)
    chosen = list(choose(routing, 5, len(pool.sources)))
    (rows,) = routing.values()
    first = np.ptp(rows[:4], axis=0).max()
    assert np.ptp(rows[chosen], axis=0).max() >= max(first, 0.9 * np.ptp(rows, axis=0).max())


def test_experts_whose_gate_stays_shut_are_told() -> None:
    rows = np.asarray([[0.9, 1e-5, 0.2], [0.1, 2e-5, 0.4]])
    assert dict(spread({"a": rows, "b": rows[:, [0, 2]]}).idle) == {"a": (1,)}
    # A block of gates that are all small has none that is shut.
    assert dict(spread({"a": rows[:, [1]]}).idle) == {}
