"""Damages: the same for the same seed, never none."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.mutate import DAMAGES, damaged

CONTENT = bytes(range(256)) * 4


def test_the_same_seed_does_the_same_damage_and_always_some() -> None:
    results = [damaged(CONTENT, seed) for seed in range(300)]
    assert results == [damaged(CONTENT, seed) for seed in range(300)]
    assert CONTENT not in results
    assert len(set(results)) > 290
    assert any(len(result) < len(CONTENT) for result in results)
    assert any(len(result) > 10 * len(CONTENT) for result in results)


@pytest.mark.parametrize("damage", sorted(set(DAMAGES), key=lambda damage: damage.__name__))
def test_a_damage_stands_an_empty_file(damage: object) -> None:
    data = bytearray()
    damage(data, random.Random(0))  # type: ignore[operator]
    assert damaged(b"", 0) == b""
