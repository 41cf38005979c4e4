"""The choices of an export are checked when they are made, all faults at once."""

from __future__ import annotations

import dataclasses

import pytest

from condmix.exporters.errors import OptionsError
from condmix.exporters.options import DEFAULT_OPSET, NEWEST_OPSET, OLDEST_OPSET, STAGES, ExportOptions
from condmix.exporters.records import LayerForm


def fault(**choices: object) -> str:
    with pytest.raises(OptionsError) as caught:
        ExportOptions(**choices)  # type: ignore[arg-type]
    return str(caught.value)


def test_the_defaults_are_one_image_by_rule() -> None:
    options = ExportOptions()
    assert dataclasses.asdict(options) == {
        "batch": 1,
        "opset": DEFAULT_OPSET,
        "condconv": "auto",
        "mixconv": "auto",
        "experts": "float32",
        "stage": "final",
        "forms": (),
        "in_turn": False,
        "dynamic_size": False,
    }


def test_forms_for_layers_contradict_forms_for_all() -> None:
    forms = (LayerForm(layer="a", form="kernel"),)
    assert ExportOptions(forms=forms, batch=4).forms == forms
    assert fault(forms=forms, condconv="matmul", stage="named") == (
        "forms for single layers contradict --condconv matmul: leave one of them out; "
        "forms for single layers contradict --stage named: leave one of them out"
    )


@pytest.mark.parametrize("batch", [1, 2, 1024, None])
@pytest.mark.parametrize("opset", [OLDEST_OPSET, NEWEST_OPSET])
def test_the_ends_of_the_ranges_belong_to_them(batch: int | None, opset: int) -> None:
    options = ExportOptions(batch=batch, opset=opset)
    assert (options.batch, options.opset) == (batch, opset)


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ({"batch": 0}, "batch is 0: expected 1 to 1024"),
        ({"batch": 1025}, "batch is 1025: expected 1 to 1024"),
        ({"opset": 16}, "opset 16 is too old: expected 17 to 24"),
        ({"opset": 25}, "opset is 25: expected 17 to 24"),
        (
            {"condconv": "fast"},
            "condconv is 'fast': expected one of auto, kernel, grouped, matmul, experts, blocked",
        ),
        ({"mixconv": "fast"}, "mixconv is 'fast': expected one of auto, parallel, hoisted, merged"),
        ({"stage": "done"}, "stage is 'done': expected one of captured, named, rewritten, final"),
        (
            {"batch": None, "condconv": "kernel"},
            "--condconv kernel contradicts --batch dynamic: use matmul, experts or auto",
        ),
        (
            {"batch": None, "condconv": "grouped"},
            "--condconv grouped contradicts --batch dynamic: use matmul, experts or auto",
        ),
        (
            {"batch": None, "condconv": "blocked"},
            "--condconv blocked lays out a file for one image: it contradicts --batch dynamic",
        ),
        (
            {"batch": 2, "condconv": "blocked", "experts": "int8"},
            "--experts int8 has a form of its own for one image: it contradicts --batch 2; "
            "--condconv blocked lays out a file for one image: it contradicts --batch 2",
        ),
        (
            {"stage": "named", "condconv": "blocked"},
            "--condconv blocked is about the finished file: it contradicts --stage named",
        ),
        (
            {"batch": 4, "condconv": "kernel"},
            "--condconv kernel contradicts --batch 4: use grouped, matmul, experts or auto",
        ),
        (
            {"batch": 4, "stage": "named"},
            "--stage named is a graph for one image: it contradicts a batch other than 1",
        ),
        (
            {"opset": 17, "stage": "named"},
            "--stage named keeps opset 18, in which its functions are written: it contradicts --opset 17",
        ),
        (
            {"opset": 20, "stage": "rewritten"},
            "--stage rewritten keeps opset 18, in which its functions are written: it contradicts --opset 20",
        ),
    ],
)
def test_each_fault_names_the_field_and_what_is_possible(choices: dict[str, object], text: str) -> None:
    assert fault(**choices) == text


def test_all_faults_are_told_at_once() -> None:
    assert fault(batch=-1, opset=3, condconv="a", mixconv="b", stage="c") == (
        "batch is -1: expected 1 to 1024; opset 3 is too old: expected 17 to 24; "
        "condconv is 'a': expected one of auto, kernel, grouped, matmul, experts, blocked; "
        "mixconv is 'b': expected one of auto, parallel, hoisted, merged; "
        "stage is 'c': expected one of captured, named, rewritten, final"
    )


def test_two_contradictions_are_told_at_once() -> None:
    assert fault(batch=None, condconv="kernel", stage="rewritten") == (
        "--condconv kernel contradicts --batch dynamic: use matmul, experts or auto; "
        "--stage rewritten is a graph for one image: it contradicts a batch other than 1"
    )


def test_what_a_stage_reaches() -> None:
    assert [ExportOptions(stage="named").reaches(stage) for stage in STAGES] == [True, True, False, False]
    assert all(ExportOptions().reaches(stage) for stage in STAGES)


def test_a_captured_graph_may_have_any_opset() -> None:
    assert ExportOptions(stage="captured", opset=17).opset == 17


def test_choices_cannot_be_changed_afterwards() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ExportOptions().batch = 2  # type: ignore[misc]


def test_unknown_choices_are_an_error() -> None:
    with pytest.raises(TypeError, match="precision"):
        ExportOptions(precision="int8")  # type: ignore[call-arg]


def test_int8_experts_have_a_form_of_their_own_for_one_image() -> None:
    options = ExportOptions(experts="int8")
    assert (options.rounds_weights, options.tolerance_name) == (True, "int8_experts")
    assert (ExportOptions().rounds_weights, ExportOptions().tolerance_name) == (False, "float32")
    text = fault(experts="int8", batch=None, condconv="matmul", mixconv="merged")
    for found in ("--batch dynamic", "--condconv matmul", "--mixconv merged"):
        assert f"--experts int8 has a form of its own for one image: it contradicts {found}" in text
    assert "experts is 'int4': expected one of float32, int8" in fault(experts="int4")
