"""Tables hold together."""

from __future__ import annotations

import pytest

from condmix.deploy.report.parts import Table


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rows must have 2 cells, found \[1, 3\]"):
        Table(columns=("a", "b"), rows=(("1",), ("1", "2"), ("1", "2", "3")))


def test_a_folded_table_needs_a_title() -> None:
    with pytest.raises(ValueError, match="needs a title"):
        Table(columns=("a",), rows=(), folded=True)
