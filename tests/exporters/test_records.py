"""The record of an export: layers as found, completed by what was made of them, in order."""

from __future__ import annotations

from dataclasses import replace

from condmix.exporters.records import GROUPING_RULE, LayerKind, LayerRecord, RewriteStep, with_forms
from condmix.exporters.rewrite.group_pointwise_mixconv import GroupPointwiseMixconv


def found(path: str, kind: LayerKind = LayerKind.COND_CONV, *, recognised: bool = True, number: int = 0) -> LayerRecord:
    return LayerRecord(
        path=path,
        kind=kind,
        recognised=recognised,
        form=None,
        why="" if recognised else "not linear",
        details={"number": number},
        multiply_adds=1,
        weight_bytes=1,
    )


def made(record: LayerRecord, form: str) -> LayerRecord:
    return replace(record, form=form, why=f"by {form}", multiply_adds=2)


def test_each_layer_gets_the_form_of_its_kind_and_path() -> None:
    first, second = found("a"), found("a", LayerKind.MIX_CONV)
    lowered = [made(second, "merged"), made(first, "kernel")]
    assert with_forms([first, second], lowered, []) == (made(first, "kernel"), made(second, "merged"))


def test_layers_of_one_module_are_matched_in_order() -> None:
    records = [found("a", number=1), found("a", number=2)]
    lowered = [made(records[0], "kernel"), made(records[1], "experts")]
    assert with_forms(records, lowered, []) == tuple(lowered)


def test_a_declined_layer_stays_as_it_was_found() -> None:
    declined, right = found("a", recognised=False), found("a", number=2)
    assert with_forms([declined, right], [made(right, "kernel")], []) == (declined, made(right, "kernel"))


def test_a_layer_that_became_a_grouped_convolution_says_so() -> None:
    record = found("a.project", LayerKind.MIX_CONV)
    step = RewriteStep(rule=GROUPING_RULE, path="a.project", applied=True, note="2 branches as one")
    (complete,) = with_forms([record], [], [step])
    assert (complete.form, complete.why) == ("grouped_conv", "2 branches as one")
    assert complete.details == record.details


def test_a_refused_grouping_is_no_form() -> None:
    record = found("a.project", LayerKind.MIX_CONV)
    step = RewriteStep(rule=GROUPING_RULE, path="a.project", applied=False, note="uneven")
    assert with_forms([record], [], [step]) == (record,)


def test_without_lowering_the_layers_have_no_form() -> None:
    records = (found("a"), found("b", LayerKind.MIX_CONV))
    assert with_forms(records, [], []) == records


def test_the_grouping_rule_is_the_rule_of_that_name() -> None:
    assert GroupPointwiseMixconv().name == GROUPING_RULE


def test_records_are_plain_data() -> None:
    step = RewriteStep(rule="r", path="a", applied=False, note="n")
    assert step.to_dict() == {"rule": "r", "path": "a", "applied": False, "note": "n"}
    data = made(found("a", number=3), "kernel").to_dict()
    assert data == {
        "path": "a",
        "kind": "CondConv",
        "recognised": True,
        "form": "kernel",
        "why": "by kernel",
        "details": {"number": 3},
        "multiply_adds": 2,
        "weight_bytes": 1,
    }
