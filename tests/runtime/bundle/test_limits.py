"""Limits that cannot stand together are refused."""

from __future__ import annotations

import pytest

from condmix.runtime.bundle.limits import BundleLimits
from condmix.runtime.errors import InvalidSettingError


def test_all_impossible_limits_are_told() -> None:
    with pytest.raises(InvalidSettingError) as caught:
        BundleLimits(members=0, ratio=-1, member_bytes=10, total_bytes=5)
    assert caught.value.problems == (
        "members must be at least 1, found 0",
        "ratio must be at least 1, found -1",
        "total_bytes 5 is below member_bytes 10",
    )
