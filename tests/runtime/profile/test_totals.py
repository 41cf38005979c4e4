"""Steps added up."""

from __future__ import annotations

import pytest

from condmix.runtime.audit.vocabulary import Arithmetic
from condmix.runtime.profile.records import Bound
from condmix.runtime.profile.special import Row
from condmix.runtime.profile.step import Family
from condmix.runtime.profile.totals import bound_of, kind_of, module_times, operator_times, peak_of, special_times
from tests.runtime.profile.nets import ROOF, graph, step

CONV, CHEAP = Family.CONVOLUTION, Family.ELEMENTWISE


def test_operators_are_added_up_the_longest_first():
    steps = [step("A > x", time_us=1, multiply_adds=3), step("B > y", time_us=5), step("A > z", time_us=2)]
    found = [(one.operator, one.nodes, one.time_us, one.multiply_adds) for one in operator_times(steps)]
    assert found == [("B", 1, 5, 0), ("A", 2, 3, 3)]


def test_every_row_is_there_and_the_rows_sum_up_to_the_whole():
    found = special_times(
        graph([step("Split a > b", family=Family.SPLIT_CONCAT, time_us=3), step("Relu b > c", time_us=4)])
    )
    assert list(found) == list(Row)
    assert found[Row.SPLIT_CONCAT] == 3
    assert sum(found.values()) == 7


def test_modules_keep_the_running_order_and_what_has_none_stands_under_the_empty_name():
    steps = [
        step("Conv x > a", module="two", family=CONV, time_us=5, multiply_adds=10, size_bytes=4),
        step("Relu a > b", time_us=3),
        step("Conv b > c", module="one", family=CONV, time_us=2),
        step("Relu c > d", module="two", time_us=1, size_bytes=2),
    ]
    found = module_times(graph(steps), ROOF, {"two": "MixConv"})
    assert [(one.module, one.time_us, one.multiply_adds, one.size_bytes) for one in found] == [
        ("two", 6, 10, 6), ("", 3, 0, 0), ("one", 2, 0, 0)
    ]  # fmt: skip
    assert found[0].kind == "MixConv"  # as the record says
    assert found[2].kind == "convolution"


@pytest.mark.parametrize(
    ("multiply_adds", "size_bytes", "arithmetic", "expected"),
    [
        # At 1e9 multiply-adds and 1e8 bytes a second, the roofs meet at 10 multiply-adds a byte; in int8 at 40.
        (11, 1, Arithmetic.FLOAT, Bound.COMPUTE),
        (9, 1, Arithmetic.FLOAT, Bound.MEMORY),
        (39, 1, Arithmetic.INT8, Bound.MEMORY),
        (41, 1, Arithmetic.INT8_ON_THE_FLY, Bound.COMPUTE),
        (0, 100, Arithmetic.FLOAT, None),
    ],
)
def test_the_slower_of_arithmetic_and_memory_is_the_bound(multiply_adds, size_bytes, arithmetic, expected):
    steps = [step("A > x", multiply_adds=multiply_adds, size_bytes=size_bytes, arithmetic=arithmetic)]
    assert bound_of(steps, ROOF) is expected


def test_the_peak_is_that_of_the_arithmetic_that_does_most():
    floating = step("A > x", multiply_adds=10)
    int8 = step("B > y", multiply_adds=11, arithmetic=Arithmetic.INT8)
    assert peak_of([floating], ROOF) is ROOF.float_multiply_adds
    assert peak_of([floating, int8], ROOF) is ROOF.int8_multiply_adds
    assert peak_of([floating, floating, int8], ROOF) is ROOF.float_multiply_adds


@pytest.mark.parametrize(
    ("steps", "rows", "expected"),
    [
        ([(CHEAP, 0)], [Row.ROUTING], "routing"),
        ([(CONV, 9), (Family.PRODUCT, 1)], [Row.OTHER, Row.KERNEL_MIXING], "CondConv"),
        ([(CONV, 9), (CONV, 9), (Family.SPLIT_CONCAT, 0)], [Row.OTHER, Row.OTHER, Row.SPLIT_CONCAT], "MixConv"),
        ([(CONV, 9), (Family.SPLIT_CONCAT, 0)], [Row.OTHER, Row.SPLIT_CONCAT], "convolution"),
        ([(CHEAP, 0), (Family.DEPTHWISE, 9)], [Row.OTHER, Row.OTHER], "depthwise convolution"),
        ([(Family.RESHAPE, 0)], [Row.OTHER], "other"),
    ],
)
def test_a_module_is_what_does_most_of_its_work(steps, rows, expected: str):
    built = [step("A > x", family=family, multiply_adds=count) for family, count in steps]
    assert kind_of(built, rows) == expected
