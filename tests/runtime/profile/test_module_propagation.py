"""Steps without a name of their own."""

from __future__ import annotations

import pytest

from condmix.runtime.audit.vocabulary import Arithmetic
from condmix.runtime.profile.module_propagation import common_parent, with_modules
from condmix.runtime.profile.step import Family
from tests.runtime.profile.nets import step


def modules(*steps) -> list[str | None]:
    return [one.module for one in with_modules(steps)]


def test_what_moves_a_value_counts_with_what_wrote_it():
    assert modules(
        step("Conv x > a", module="one"),
        step("ReorderOutput a > b", family=Family.LAYOUT),
        step("Reshape b > c", family=Family.RESHAPE),
        step("Conv c > d", module="two"),
    ) == ["one", "one", "one", "two"]


def test_at_the_start_it_counts_with_what_reads_it():
    assert modules(
        step("QuantizeLinear x > a", family=Family.BOUNDARY),
        step("Pad a > b", arithmetic=Arithmetic.MOVEMENT),
        step("Conv b > c", module="stem"),
    ) == ["stem", "stem", "stem"]


def test_a_step_that_computes_is_given_no_module():
    assert modules(step("Conv x > a", module="one"), step("Relu a > b"), step("Conv b > c", module="two"))[1] is None


def test_a_split_counts_with_the_module_of_its_branches_and_so_does_a_concatenation():
    assert modules(
        step("Relu x > a", module="act"),
        step("Split a > b c", family=Family.SPLIT_CONCAT),
        step("ReorderInput b > bb", family=Family.LAYOUT),
        step("Conv bb > d", module="mix.0"),
        step("Conv c > e", module="mix.1"),
        step("Concat d e > f", family=Family.SPLIT_CONCAT),
        step("Relu f > g", module="bn"),
    ) == ["act", "mix", "mix", "mix.0", "mix.1", "mix", "bn"]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["a.b.0", "a.b.1"], "a.b"),
        (["a.b", "a.b"], "a.b"),
        (["a.b", "a.bc"], "a"),
        (["a", "b"], None),
        (["a", None], None),
        ([], None),
    ],
)
def test_the_common_parent_is_told_by_whole_parts(paths: list[str | None], expected: str | None):
    assert common_parent(paths) == expected
