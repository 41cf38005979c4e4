"""Several devices in one table."""

from __future__ import annotations

import math
from dataclasses import replace

from condmix.deploy.devices.comparison import HEADINGS, lines, markdown, rows
from condmix.runtime.bench.withheld import without_latency
from tests.deploy.devices.test_result import changed, outcome, result
from tests.runtime.bench.reports import AGREEMENT, make_report


def test_a_row_for_each_file_on_each_device_and_one_for_a_failure():
    emulated = without_latency(make_report(), "cortex-a53 under qemu")
    table = rows(result(outcome(make_report()), outcome(failure="pi: push: gone. Mend it."), outcome(emulated)))
    assert [row[1] for row in table] == ["a", "half", "-", "a", "half"]
    assert all(len(row) == len(HEADINGS) for row in table)
    assert abs(float(table[0][3]) - 1.0) < 0.01
    assert table[0][5:] == ("1e-06", "right")
    assert table[2][6] == "failed: push"
    assert table[3][3:] == ("-", "-", "1e-06", "right"), "an emulated device has no time"


def test_wrong_not_finite_and_not_compared():
    wrong = changed(agreement=replace(AGREEMENT, passed=False, max_abs_difference=math.inf))
    assert rows(result(outcome(wrong)))[0][5:] == ("not finite", "WRONG")
    assert rows(result(outcome(changed(agreement=None))))[0][5:] == ("-", "not compared")
    assert rows(result(outcome(changed(failure="killed"))))[0][6] == "lost"


def test_the_page_has_the_table_and_a_sentence_for_each_device():
    both = result(outcome(make_report()), outcome(failure="pi: push: gone. Mend it."))
    page = markdown(both)
    assert page.count("\n| ") == 1 + len(rows(both))
    assert "- pi: push: gone. Mend it." in page
    assert "- pi (Raspberry Pi 5, aarch64, Python 3.11.2, glibc 2.36): VALID: nothing was found against it" in page
    assert lines(both)[-1] == "pi: push: gone. Mend it."
