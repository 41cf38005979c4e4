"""What is kept of each image: answers, ranks with ties, and figures equal to those of `agreement` over all images."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from condmix.deploy.evaluate.image_rows import NOTHING, ImageRows, rows_of
from condmix.runtime.agreement import agreement
from condmix.runtime.errors import InvalidRecordError


def test_answers_and_ranks() -> None:
    scores = np.array([[0.1, 0.9, 0.5], [0.1, 0.9, 0.5], [0.1, 0.9, 0.5]])
    rows = rows_of(scores, [1, 2, 0], None)
    assert rows.answers == (1, 1, 1)
    assert rows.ranks == (0, 1, 2)
    assert rows.sqnr_db is rows.cosine is rows.largest_difference is None


def test_of_equal_scores_the_smaller_class_comes_first() -> None:
    rows = rows_of(np.array([[2.0, 2.0, 2.0]] * 3), [0, 1, 2], None)
    assert rows.answers == (0, 0, 0)
    assert rows.ranks == (0, 1, 2)


@settings(max_examples=40)
@given(st.lists(st.lists(st.integers(-3, 3), min_size=4, max_size=4), min_size=1, max_size=6), st.integers(0, 3))
def test_rank_0_is_the_answer_and_ranks_are_places(scores: list[list[int]], label: int) -> None:
    rows = rows_of(np.array(scores, float), [label] * len(scores), None)
    for row, answer, rank in zip(scores, rows.answers, rows.ranks, strict=True):
        order = sorted(range(4), key=lambda place: (-row[place], place))
        assert order[0] == answer
        assert order.index(label) == rank


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_name_nothing(broken: float) -> None:
    exact = np.array([[3.0, 1.0], [3.0, 1.0]])
    rows = rows_of(np.array([[3.0, broken], [3.0, 1.0]]), [0, 0], exact)
    assert rows.answers == (NOTHING, 0)
    assert rows.ranks == (2, 0)
    assert rows.largest_difference == (None, 0.0)
    assert rows.sqnr_db == (-200.0, 200.0)


def test_nothing_is_compared_with_a_yardstick_that_is_not_finite() -> None:
    rows = rows_of(np.array([[3.0, 1.0]]), [0], np.array([[np.nan, 1.0]]))
    assert (rows.sqnr_db, rows.cosine, rows.largest_difference) == ((None,), (None,), (None,))


def test_figures_are_those_of_agreement_over_all_images() -> None:
    generator = np.random.default_rng(0)
    exact = generator.standard_normal((40, 10))
    rounded = exact + 0.1 * generator.standard_normal((40, 10))
    rows = rows_of(rounded, [0] * 40, exact)
    (whole,) = agreement({"y": exact}, {"y": rounded})
    assert rows.sqnr_db is not None
    assert rows.cosine is not None
    assert float(np.median(rows.sqnr_db)) == whole.sqnr_db_median  # type: ignore[arg-type]
    assert min(rows.sqnr_db) == whole.sqnr_db_worst  # type: ignore[type-var]
    assert min(rows.cosine) == whole.cosine_worst  # type: ignore[type-var]
    assert rows.largest_difference == tuple(float(one) for one in np.abs(rounded - exact).max(axis=1))


def test_an_image_by_itself_gets_what_it_gets_among_others() -> None:
    generator = np.random.default_rng(1)
    exact, rounded = generator.standard_normal((2, 9, 1000))
    together = rows_of(rounded, list(range(9)), exact)
    for place in range(9):
        alone = rows_of(rounded[place : place + 1], [place], exact[place : place + 1])
        assert alone.sqnr_db is not None
        assert together.sqnr_db is not None
        assert (alone.sqnr_db[0], alone.ranks[0]) == (together.sqnr_db[place], together.ranks[place])


@settings(max_examples=40)
@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=5))
def test_json_brings_every_bit_back(figures: list[float | None]) -> None:
    entries = tuple(figures)
    rows = ImageRows(
        answers=(1,) * len(entries),
        ranks=(2,) * len(entries),
        sqnr_db=entries,
        cosine=entries,
        largest_difference=entries,
    )
    assert ImageRows.from_dict(json.loads(json.dumps(rows.to_dict()))) == rows


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answers": [1, 2]}, "expected the same number"),
        ({"answers": [1.5]}, r"'answers'\[0\] must be a whole number, found 1.5"),
        ({"ranks": [True]}, r"'ranks'\[0\] must be a whole number"),
        ({"sqnr_db": [float("nan")]}, r"'sqnr_db'\[0\] must be a finite number or null"),
        ({"cosine": None}, "must be there together"),
        ({"more": 1}, "unknown name 'more'"),
    ],
)
def test_a_strange_record_is_refused(change: dict[str, object], said: str) -> None:
    plain = {"answers": [1], "ranks": [0], "sqnr_db": [1.0], "cosine": [1.0], "largest_difference": [0.0]}
    with pytest.raises(InvalidRecordError, match=said):
        ImageRows.from_dict({**plain, **change})
