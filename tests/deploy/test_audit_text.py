"""What an audit found, in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from condmix.deploy import audit_text
from condmix.runtime.artifact import Format
from condmix.runtime.audit.report import Audit
from condmix.runtime.audit.vocabulary import Reason, RoundTrip
from tests.runtime.audit.graphs import audited

NODES = (
    audited("float x > a", operator="Conv", multiply_adds=30, reason=Reason.NOT_FUSED, detail="types", advice="one"),
    audited("q a > b"),
    audited("int b > c", operator="QLinearConv", multiply_adds=70),
    audited("dq c > d", scale="s"),
    audited("q d > e", scale="s"),
    audited("dq e > f"),
    audited("float f > g", operator="Erf", reason=Reason.NO_INTEGER_KERNEL, advice="two"),
    audited("q g > h"),
    audited("dq h > i"),
    audited("float i > j", operator="Erf", reason=Reason.NO_INTEGER_KERNEL, advice="two"),
)
TIMES = (40.0, 5.0, 20.0, 5.0, 5.0, 5.0, 9.0, 1.0, 1.0, 9.0)


def audit(*, timed: bool = True, **changes: object) -> Audit:
    nodes = [replace(node, time_us=time) for node, time in zip(NODES, TIMES, strict=True)] if timed else NODES
    fields: dict[str, object] = {
        "file": Path("a.onnx"),
        "format": Format.ONNX,
        "engine": "onnxruntime",
        "engine_version": "1.2",
        "threads": 2,
        "runs": 7 if timed else 0,
        "input_shapes": {"x": (1, 3), "k": (5,)},
        "nodes": tuple(nodes),
        "file_bytes": {"int8": 3, "float": 1},
        "session_bytes": {"float": 4},
        "notes": ("beware",),
    }
    return Audit(**{**fields, **changes})  # type: ignore[arg-type]  # the fields are those of the class


def test_the_heading() -> None:
    expected = "a.onnx  9 kB  onnxruntime 1.2, 2 threads, 7 runs  input: x 1x3, k 5"
    assert audit_text.heading(audit(), "9 kB") == expected
    assert ", 1 thread  input" in audit_text.heading(audit(timed=False, threads=1), "9 kB")


def test_rows_of_islands_have_a_cell_for_each_column() -> None:
    (row,) = audit_text.island_rows(audit())
    expected = ("a", "Conv", "30.0 %", "40.0 %", "quantised in the file, not fused by the runtime: types", "one")
    assert row == expected
    assert len(row) == len(audit_text.ISLAND_COLUMNS)
    assert audit_text.island_rows(audit(timed=False))[0][3] == ""


def test_islands_that_do_not_multiply_are_grouped() -> None:
    rows = audit_text.elementwise_rows(audit())
    assert rows == [("Erf", "2", "18.0 %", "the runtime has no integer kernel for it", "two")]
    assert len(rows[0]) == len(audit_text.ELEMENTWISE_COLUMNS)


def test_rows_of_operators() -> None:
    rows = audit_text.operator_rows(audit())
    assert rows[:3] == [
        ("Conv", "float", "1", "30.0 %", "40.0 %"),
        ("QLinearConv", "int8", "1", "70.0 %", "20.0 %"),
        ("Erf", "float", "2", "", "18.0 %"),
    ]
    assert len(rows[0]) == len(audit_text.OPERATOR_COLUMNS)


def test_the_other_facts() -> None:
    assert audit_text.summary_lines(audit()) == [
        "time: int8 20.0 %, float 58.0 %, boundary 22.0 %",
        "boundary: 6 quantise/dequantise nodes in the graph that runs, 22.0 % of the time",
        "round trips: 1 x dequantised and quantised again with the same scale: the pair can go",
        "round trips: 1 x quantised and dequantised between two float operators: costs time and accuracy for nothing",
        "bytes: 75.0 % of constants int8 in the file; 0.0 % of constants int8 as the runtime holds them",
        "note: beware",
    ]


def test_constants_that_are_dequantised_and_integers_outside_the_delegate() -> None:
    nodes = (audited("dq > w"), audited("int x > a", operator="SUB", delegated=False))
    changes = {"file_bytes": {}, "session_bytes": None, "notes": ()}
    assert audit_text.summary_lines(audit(timed=False, nodes=nodes, **changes)) == [
        "boundary: 1 quantise/dequantise node in the graph that runs, 1 of them on constants",
        "in integers, but outside the delegate: SUB",
        "bytes: no constants in the file",
    ]


def test_every_round_trip_has_its_words() -> None:
    assert set(audit_text.ROUND_TRIP_WORDS) == set(RoundTrip)


def test_long_tables_are_cut_unless_in_detail() -> None:
    rows = [(str(number),) for number in range(25)]
    assert audit_text.shortened(rows, in_detail=False) == (rows[:20], "and 5 more, smaller ones (all with --verbose)")
    assert audit_text.shortened(rows, in_detail=True) == (rows, None)
    assert audit_text.shortened(rows[:20], in_detail=False) == (rows[:20], None)


def test_columns_without_any_text_are_left_out() -> None:
    rows = [("a", "", "1"), ("b", "", "")]
    assert audit_text.without_empty(("x", "y", "z"), rows) == (["x", "z"], [("a", "1"), ("b", "")])


@pytest.mark.parametrize(
    ("names", "text"), [(["a"], "a"), (["a", "b", "c"], "a, b, c"), (["a", "b", "c", "d", "e"], "a, b, c and 2 more")]
)
def test_places(names: list[str], text: str) -> None:
    assert audit_text.places(names) == text


def test_counts() -> None:
    assert audit_text.counted({"Add": 1, "Conv": 3}) == "Conv x3, Add"
    many = {name: 1 for name in "abcdefg"}
    assert audit_text.counted(many) == "a, b, c and 4 more"
