"""Copies past the caches."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.runtime.profile import bandwidth, peak
from condmix.runtime.profile.bandwidth import last_cache_bytes, memory_bandwidth


@pytest.mark.parametrize("threads", [1, 2])
def test_the_rate_counts_what_is_read_and_written_and_says_how(
    threads: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(peak, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(bandwidth, "CACHES", tmp_path)
    monkeypatch.setattr(bandwidth, "fastest", lambda run: (run(), (0.5, 3))[1])
    rate = memory_bandwidth(threads)
    assert rate.per_second == 2 * bandwidth.LEAST_BYTES / 0.5
    name = "1 thread" if threads == 1 else "2 threads"
    assert rate.how == (
        f"copying 32 MB by {name} past a last cache of unknown size, bytes read and bytes written counted, "
        "the fastest of 3 copies"
    )


def test_the_array_is_larger_than_the_last_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(bandwidth, "CACHES", tmp_path)
    monkeypatch.setattr(bandwidth, "fastest", lambda run: (run(), (1.0, 1))[1])
    for place, size in enumerate(["32K", "9M"]):
        (tmp_path / f"index{place}").mkdir()
        (tmp_path / f"index{place}" / "size").write_text(f"{size}\n")
    assert memory_bandwidth(1).how.startswith("copying 36 MB by 1 thread past a last cache of 9 MB")


def test_sizes_that_cannot_be_read_are_none(tmp_path: Path):
    (tmp_path / "index0").mkdir()
    (tmp_path / "index0" / "size").write_text("large")
    (tmp_path / "index1" / "size").mkdir(parents=True)
    assert last_cache_bytes(tmp_path) is None
    (tmp_path / "index0" / "size").write_text("512")
    assert last_cache_bytes(tmp_path) == 512
