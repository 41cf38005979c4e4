"""Sizes as people read them."""

from __future__ import annotations

import pytest

from condmix.deploy.sizes import file_size


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0.0 kB"), (999, "1.0 kB"), (999_949, "999.9 kB"), (1_000_000, "1.0 MB"), (98_765_432, "98.8 MB")],
)
def test_sizes(size_bytes: int, text: str) -> None:
    assert file_size(size_bytes) == text
