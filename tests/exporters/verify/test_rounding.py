"""Draws of float32: the network as it is, and with weights off by at most half a unit in the last place."""

from __future__ import annotations

import numpy as np
import torch

from condmix.exporters.verify.reference import run_reference
from condmix.exporters.verify.rounding import HALF_UNIT, SEEDS, float32_draws, worst_draw
from tests.exporters.networks import INPUT_SIZE, Plain, settled

IMAGES = np.random.default_rng(0).standard_normal((2, *INPUT_SIZE)).astype(np.float32)


def test_the_first_draw_is_the_network_itself_and_no_other_weight_moves_by_more_than_one_unit() -> None:
    module = settled(Plain())
    first, *others = float32_draws(module)
    before = module.state_dict()
    assert all(torch.equal(before[name], value) for name, value in first.state_dict().items())
    assert len(others) == len(SEEDS)
    for network in others:
        assert not network.training
        changed = 0
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                step = (value - before[name]).abs()
                # Half a unit of noise, then the rounding to float32: at most to the neighbour.
                assert bool((step <= 2.01 * HALF_UNIT * before[name].abs()).all()), name
                changed += int((step > 0).sum())
            else:
                assert torch.equal(value, before[name])
        assert changed > 0


def test_draws_are_the_same_every_time_and_differ_from_each_other() -> None:
    module = settled(Plain())
    again = [dict(network.state_dict()) for network in float32_draws(module)]
    for network, other in zip(float32_draws(module), again, strict=True):
        torch.testing.assert_close(dict(network.state_dict()), other, rtol=0, atol=0)
    name = next(iter(dict(module.named_parameters())))
    assert not torch.equal(again[1][name], again[2][name])


def test_the_worst_draw_is_taken_element_by_element() -> None:
    float64 = np.array([[1.0, 2.0, 3.0]])
    draws = [np.array([[1.1, 2.0, 3.0]], np.float32), np.array([[1.0, 1.5, 3.1]], np.float32)]
    np.testing.assert_array_equal(worst_draw(float64, draws), np.array([[1.1, 1.5, 3.1]], np.float32))
    assert worst_draw(float64, draws).dtype == np.float32


def test_what_is_not_finite_is_never_hidden_by_a_good_draw() -> None:
    float64 = np.zeros(3)
    draws = [np.array([0, 1, 2], np.float32), np.array([np.nan, 0, np.inf], np.float32)]
    np.testing.assert_array_equal(worst_draw(float64, draws), np.array([np.nan, 1, np.inf], np.float32))


def test_the_reference_holds_the_worst_of_all_draws() -> None:
    module = settled(Plain())
    reference = run_reference(module, IMAGES, ["logits"])
    own = np.abs(reference.float32["logits"] - reference.float64["logits"])
    for network in float32_draws(module):
        with torch.no_grad():
            rows = np.concatenate([network(torch.from_numpy(image[None])).numpy() for image in IMAGES])
        assert bool((own >= np.abs(rows - reference.float64["logits"])).all())
