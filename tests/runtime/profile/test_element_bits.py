"""Bytes of arrays under the names of either format."""

from __future__ import annotations

import pytest

from condmix.runtime.profile.element_bits import size_bytes


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float", 24),
        ("float32", 24),
        ("double", 48),
        ("float16", 12),
        ("int8", 6),
        ("bool", 6),
        ("int4", 3),
        ("int2", 2),
    ],
)
def test_elements_take_their_bits(dtype: str, expected: int):
    assert size_bytes(dtype, (2, 3)) == expected


def test_a_single_number_has_a_size_and_nothing_has_none():
    assert size_bytes("float32", ()) == 4
    assert size_bytes("float32", (0, 3)) == 0
