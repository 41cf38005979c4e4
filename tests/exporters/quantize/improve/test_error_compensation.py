"""Compensated rounding is never worse than plain rounding and nearly as good as trying everything."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.quantize.improve import error_compensation
from condmix.exporters.quantize.improve.error_compensation import compensated, output_error
from condmix.exporters.quantize.parameters import INT8_SYMMETRIC, Grid, channel_scales, stored
from tests.exporters.conv_cases import exact_rule, seeds

COARSE = Grid(low=-3, high=3)


def problem(seed: int, groups: int, rows: int, columns: int, samples: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Weights (groups, rows, columns) and H of inputs that hang together."""
    generator = np.random.default_rng(seed)
    inputs = generator.standard_normal((groups, samples, columns)) @ generator.standard_normal((columns, columns))
    return generator.standard_normal((groups, rows, columns)), inputs.transpose(0, 2, 1) @ inputs


def scales_of(weight: np.ndarray, grid: Grid) -> np.ndarray:
    rows = weight.reshape(-1, weight.shape[2])
    return channel_scales(rows, grid=grid).astype(np.float64).reshape(weight.shape[:2])


def nothing_kept(weight: np.ndarray) -> np.ndarray:
    return np.zeros(weight.shape, bool)


@exact_rule
@given(
    seed=seeds,
    groups=st.integers(1, 3),
    rows=st.integers(1, 4),
    columns=st.integers(1, 90),
    samples=st.sampled_from([1, 10, 200]),
    grid=st.sampled_from([COARSE, INT8_SYMMETRIC]),
)
def test_no_row_is_worse_than_plain_rounding(
    seed: int, groups: int, rows: int, columns: int, samples: int, grid: Grid
) -> None:
    weight, hessian = problem(seed, groups, rows, columns, samples)
    scale = scales_of(weight, grid)
    numbers = compensated(weight, hessian, scale, grid, nothing_kept(weight))
    np.testing.assert_array_equal(numbers, np.clip(np.rint(numbers), grid.low, grid.high))
    nearest = stored(weight, scale[:, :, None], 0, grid)
    plain = output_error(nearest * scale[:, :, None] - weight, hessian)
    assert (output_error(numbers * scale[:, :, None] - weight, hessian) <= plain).all()


def test_it_is_close_to_the_best_of_all_choices_up_or_down() -> None:
    """Summed over many small problems; trying all 2^6 choices is the yardstick."""
    found, best, plain = 0.0, 0.0, 0.0
    for seed in range(20):
        weight, hessian = problem(seed, 1, 1, 6)
        scale = scales_of(weight, COARSE)
        steps = weight[0, 0] / scale[0, 0]
        choices = [np.floor(steps) + up for up in itertools.product((0, 1), repeat=6)]
        within = [item for item in choices if np.abs(item).max() <= COARSE.high]
        best += min(float(output_error((item - steps)[None, None], hessian)[0, 0]) for item in within)
        numbers = compensated(weight, hessian, scale, COARSE, nothing_kept(weight))
        found += float(output_error(numbers - steps, hessian)[0, 0])
        plain += float(output_error(np.rint(steps)[None, None] - steps, hessian)[0, 0])
    assert best <= found <= 1.1 * best
    assert found < 0.6 * plain


def test_without_connection_between_inputs_it_is_plain_rounding() -> None:
    weight, _ = problem(0, 2, 3, 8)
    scale = scales_of(weight, COARSE)
    hessian = np.stack([np.diag(np.arange(1.0, 9.0))] * 2)
    numbers = compensated(weight, hessian, scale, COARSE, nothing_kept(weight))
    np.testing.assert_array_equal(numbers, stored(weight, scale[:, :, None], 0, COARSE))


def test_inputs_that_were_never_seen_are_rounded_plainly() -> None:
    weight, _ = problem(0, 1, 3, 5)
    scale = scales_of(weight, COARSE)
    numbers = compensated(weight, np.zeros((1, 5, 5)), scale, COARSE, nothing_kept(weight))
    np.testing.assert_array_equal(numbers, stored(weight, scale[:, :, None], 0, COARSE))


def test_kept_weights_have_their_nearest_number() -> None:
    weight, hessian = problem(1, 2, 4, 70)
    scale = scales_of(weight, COARSE)
    nearest = stored(weight, scale[:, :, None], 0, COARSE)
    kept = np.random.default_rng(0).random(weight.shape) < 0.3
    numbers = compensated(weight, hessian, scale, COARSE, kept)
    np.testing.assert_array_equal(numbers[kept], nearest[kept])
    free = compensated(weight, hessian, scale, COARSE, nothing_kept(weight))
    assert (free[kept] != nearest[kept]).any()


def test_blocks_of_columns_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    weight, hessian = problem(2, 2, 3, 70)
    scale = scales_of(weight, COARSE)
    at_once = [compensated(weight, hessian, scale, COARSE, nothing_kept(weight))]
    for columns in (1, 7, 70):
        monkeypatch.setattr(error_compensation, "COLUMNS_AT_ONCE", columns)
        at_once.append(compensated(weight, hessian, scale, COARSE, nothing_kept(weight)))
    for other in at_once[1:]:
        np.testing.assert_array_equal(at_once[0], other)
