"""The rules as a whole: named after their files, all exact, in an order in which each finds what it needs."""

from __future__ import annotations

import dataclasses

import pytest

from condmix.exporters.rewrite import DEFAULT_RULES, TIDY_RULES
from condmix.exporters.rewrite.rule import Exactness, Refusal, Rule

by_name = pytest.mark.parametrize("rule", DEFAULT_RULES, ids=lambda rule: rule.name)


@by_name
def test_a_rule_is_called_after_its_file(rule: Rule) -> None:
    assert type(rule).__module__ == f"condmix.exporters.rewrite.{rule.name}"


@by_name
def test_every_rule_that_runs_by_itself_is_exact(rule: Rule) -> None:
    assert rule.exactness is Exactness.EXACT


@by_name
def test_a_rule_holds_no_state(rule: Rule) -> None:
    assert {field.name for field in dataclasses.fields(rule)} == {"name", "exactness"}  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.name = "other"  # type: ignore[misc]


def test_the_order() -> None:
    names = [rule.name for rule in DEFAULT_RULES]
    assert len(set(names)) == len(names) == 13
    assert names[: len(TIDY_RULES)] == [rule.name for rule in TIDY_RULES]
    # A norm behind a Concat is cut up only when no MixConv took it as a whole, and its parts then fold.
    folding = [name for name in names if name.startswith("fold_batchnorm")]
    assert folding == [
        "fold_batchnorm_into_condconv",
        "fold_batchnorm_into_mixconv",
        "fold_batchnorm_through_concat",
        "fold_batchnorm_into_conv",
    ]
    # Grouping takes the MixConv away, so the norm behind must be in it by then.
    assert names.index("group_pointwise_mixconv") > names.index("fold_batchnorm_into_mixconv")


def test_a_refusal_carries_one_sentence() -> None:
    assert Refusal(reason="because").reason == "because"
