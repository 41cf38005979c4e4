"""Tables of layers."""

from __future__ import annotations

import io

from condmix.deploy.tables import LAYER_COLUMNS, LAYER_NUMBERS, layer_rows, plain_table, totals_row
from condmix.deploy.terminal import console
from condmix.exporters.records import LayerKind, LayerRecord

LOWERED = LayerRecord(
    path="blocks.0",
    kind=LayerKind.COND_CONV,
    recognised=True,
    form="kernel",
    why="least arithmetic",
    details={"experts": 8, "kernel": (3, 5)},
    multiply_adds=1234567,
    weight_bytes=4096,
).to_dict()
MIXED = LayerRecord(
    path="blocks.1",
    kind=LayerKind.MIX_CONV,
    recognised=True,
    form="hoisted",
    why="",
    details={"kernels": ((3, 3), (5, 5))},
    multiply_adds=1000,
    weight_bytes=4,
).to_dict()
DECLINED = LayerRecord(
    path="film",
    kind=LayerKind.COND_CONV,
    recognised=False,
    form=None,
    why="[not] linear in its routing",
    details={},
    multiply_adds=0,
    weight_bytes=0,
).to_dict()


def test_one_row_a_layer_and_one_with_the_sums() -> None:
    assert layer_rows([LOWERED, MIXED, DECLINED]) == [
        ("blocks.0", "CondConv", "kernel", "3x5", "8", "1,234,567", "4,096", "least arithmetic"),
        ("blocks.1", "MixConv", "hoisted", "3x3 5x5", "", "1,000", "4", ""),
        ("film", "CondConv", "left alone", "", "", "", "", "[not] linear in its routing"),
    ]
    assert totals_row([LOWERED, MIXED, DECLINED]) == ("total", "3 layers", "", "", "", "1,235,567", "4,100", "")


def test_rows_read_back_from_json_look_the_same() -> None:
    as_read = {**LOWERED, "details": {"experts": 8, "kernel": [3, 5]}}
    assert layer_rows([as_read]) == layer_rows([LOWERED])


def test_brackets_in_texts_are_no_markup() -> None:
    stream = io.StringIO()
    console(stream).print(plain_table(LAYER_COLUMNS, layer_rows([DECLINED]), right=LAYER_NUMBERS))
    assert "[not] linear in its routing" in stream.getvalue()
    assert stream.getvalue().split()[: len(LAYER_COLUMNS)] == list(LAYER_COLUMNS)
