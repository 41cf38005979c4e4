"""Wilson's interval against values of the literature and against its own definition."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from condmix.deploy.evaluate.share import Share


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_it_is_the_published_interval(count: int, total: int, low: float, high: float) -> None:
    found = Share(count=count, total=total).interval
    assert found == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@settings(max_examples=50)
@given(st.integers(1, 100_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_its_ends_are_where_the_score_test_just_refuses(pair: tuple[int, int]) -> None:
    share = Share(count=pair[0], total=pair[1])
    z = NormalDist().inv_cdf(0.975)
    low, high = share.interval
    assert 0 <= low <= share.share <= high <= 1
    assert low < high
    for end in (low, high):
        if 0 < end < 1:
            assert abs(share.share - end) == pytest.approx(z * math.sqrt(end * (1 - end) / share.total), rel=1e-6)


def test_it_is_plain_data() -> None:
    assert Share(count=1, total=2).to_dict() == {
        "count": 1, "total": 2, "share": 0.5, "low": pytest.approx(0.0945, abs=1e-4),
        "high": pytest.approx(0.9055, abs=1e-4),
    }  # fmt: skip
