"""The batch axis in the three ways in which a file can have one."""

from __future__ import annotations

import dataclasses

import pytest

from condmix.exporters.lower.batch_axis import SYMBOL, BatchAxis


def test_one_image() -> None:
    batch = BatchAxis(size=1)
    assert (batch.is_one, batch.is_dynamic, batch.dimension, batch.target) == (True, False, 1, 1)


def test_a_fixed_number() -> None:
    batch = BatchAxis(size=4)
    assert (batch.is_one, batch.is_dynamic, batch.dimension, batch.target) == (False, False, 4, 4)
    assert batch.times(3) == 12


def test_any_number_is_a_symbol_in_shapes_and_inferred_in_targets() -> None:
    batch = BatchAxis(size=None)
    assert (batch.is_one, batch.is_dynamic, batch.dimension, batch.target) == (False, True, SYMBOL, -1)
    assert SYMBOL == "batch"


def test_a_free_batch_cannot_be_multiplied() -> None:
    with pytest.raises(AssertionError):
        BatchAxis(size=None).times(2)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        BatchAxis(size=1).size = 2  # type: ignore[misc]
