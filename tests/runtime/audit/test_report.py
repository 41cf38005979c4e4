"""The record of an audit and its verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from condmix.runtime.artifact import Format
from condmix.runtime.audit.nodes import AuditedNode
from condmix.runtime.audit.report import Audit, int8_share_of_bytes, percent, uncounted_notes
from condmix.runtime.audit.vocabulary import Arithmetic
from condmix.runtime.errors import InvalidSettingError
from tests.runtime.audit.graphs import audited


def audit(nodes: Sequence[AuditedNode], **changes: object) -> Audit:
    fields: dict[str, object] = {
        "file": Path("a.onnx"),
        "format": Format.ONNX,
        "engine": "onnxruntime",
        "engine_version": "1.2.3",
        "threads": 1,
        "runs": 0,
        "input_shapes": {"x": (1, 3)},
        "nodes": tuple(nodes),
        "file_bytes": {"int8": 30, "float": 10},
        "session_bytes": None,
        "notes": (),
    }
    return Audit(**{**fields, **changes})


NODES = [
    audited("float x > a", multiply_adds=20),
    audited("q a > b"),
    audited("int b > c", multiply_adds=50),
    audited("fly c > d", multiply_adds=25),
    audited("dq > e"),
    audited("wide d > f", multiply_adds=5),
]


def test_shares_of_multiply_adds():
    found = audit(NODES)
    assert found.multiply_adds == 100
    assert found.int8_share == 0.75
    assert found.share_of_multiply_adds(Arithmetic.FLOAT) == 0.2
    assert found.share_of_multiply_adds(Arithmetic.INT16) == 0.05
    assert found.boundary_nodes == 2
    assert found.constant_dequantizers == 1


def test_shares_of_time():
    times = (5.0, 1.0, 2.0, 1.0, 0.5, 0.5)
    found = audit([replace(node, time_us=time) for node, time in zip(NODES, times, strict=True)], runs=3)
    assert found.share_of_time(Arithmetic.FLOAT) == 0.5
    assert found.share_of_time(Arithmetic.BOUNDARY) == 0.15
    assert audit(NODES).share_of_time(Arithmetic.FLOAT) is None


@pytest.mark.parametrize(
    ("nodes", "verdict"),
    [
        (
            NODES,
            "75.0 % of multiply-adds run in int8, 5.0 % in int16 (25.0 % with inputs quantised anew at each run); "
            "1 float island",
        ),
        (NODES[2:3], "100.0 % of multiply-adds run in int8; 0 float islands"),
        (NODES[:2], "nothing runs in int8: of 20 multiply-adds all of them run in float"),
        (NODES[5:], "nothing runs in int8: of 5 multiply-adds 100.0 % run in int16, 0 float islands"),
        (NODES[1:2], "nothing was found that multiplies and adds: no share can be told"),
    ],
)
def test_the_verdict(nodes: list, verdict: str):
    assert audit(nodes).verdict() == verdict


def test_islands_without_multiply_adds_are_in_no_verdict():
    found = audit([*NODES[2:3], audited("dq c > d"), audited("float d > e")])
    assert len(found.islands) == 1
    assert found.verdict().endswith("; 0 float islands")


def test_operators_are_summed_by_arithmetic_and_sorted():
    nodes = [
        audited("int a > b", operator="CONV", multiply_adds=1),
        audited("float b > c", operator="CONV", multiply_adds=5),
        audited("int c > d", operator="CONV", multiply_adds=3),
    ]
    totals = [(one.operator, str(one.arithmetic), one.number, one.multiply_adds) for one in audit(nodes).operators]
    assert totals == [("CONV", "float", 1, 5), ("CONV", "int8", 2, 4)]


def test_integers_outside_the_delegate():
    nodes = [
        audited("int a > b", operator="SUB", delegated=False),
        audited("int b > c", operator="SUB", delegated=False),
        audited("int c > d", operator="ADD", delegated=True),
        audited("float d > e", operator="MUL", delegated=False),
        audited("int d > f", operator="DIV"),
    ]
    assert audit(nodes).outside_delegate == (("SUB", 2),)


def test_bytes_and_percentages():
    assert int8_share_of_bytes({"int8": 20, "uint8": 10, "uint4": 10, "float": 50, "int32": 10}) == 0.4
    assert int8_share_of_bytes({}) is None
    texts = {0.0: "0.0 %", 1.0: "100.0 %", 0.5: "50.0 %", 0.0004: "less than 0.1 %", 0.99951: "more than 99.9 %"}
    assert {share: percent(share) for share in texts} == texts


def test_notes_of_uncounted_operators():
    assert uncounted_notes({}) == ()
    assert uncounted_notes({"LSTM": 2}) == ("the multiply-adds of these operators are not counted: LSTM x2",)


def test_json():
    record = json.loads(json.dumps(audit(NODES).to_dict(), allow_nan=False))
    assert record["schema_version"] == 1
    assert record["kind"] == "condmix-audit"
    assert record["int8_share"] == 0.75
    assert record["file_int8_share"] == 0.75
    assert record["session_int8_share"] is None
    assert record["shares_of_time"] is None
    assert [node["operator"] for node in record["nodes"]] == ["float", "q", "int", "fly", "dq", "wide"]
    assert len(record["islands"]) == 1


@pytest.mark.parametrize(
    ("nodes", "changes", "problem"),
    [
        (NODES, {"threads": 0}, "threads must be at least 1, found 0"),
        (NODES, {"runs": 3}, "0 nodes have a time after 3 runs"),
        ([replace(NODES[0], time_us=1.0), NODES[1]], {"runs": 1}, "1 of 2 nodes have a time: all must, or none"),
    ],
)
def test_records_that_contradict_themselves(nodes: list, changes: dict, problem: str):
    with pytest.raises(InvalidSettingError) as caught:
        audit(nodes, **changes)
    assert caught.value.problems == (problem,)
