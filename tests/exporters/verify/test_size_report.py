"""A report without cases proves nothing, and one wrong case spoils all."""

from __future__ import annotations

from condmix.exporters.sizes.choice import FreeSize
from condmix.exporters.verify.size_report import SizeCase, SizeReport

SIZES = FreeSize(step=8, captured=((8, 8), (16, 24)), held_out=((24, 8),))


def test_without_a_case_nothing_has_passed() -> None:
    report = SizeReport(sizes=SIZES, cases=())
    assert not report.passed
    assert report.sentence() == "0 of 0 cases do not hold; no case was run"


def test_the_first_case_that_does_not_hold_is_told() -> None:
    cases = tuple(
        SizeCase(sides=sides, batch=1, threads=2, parity=None, failure="it did not run") for sides in SIZES.proven[1:]
    )
    report = SizeReport(sizes=SIZES, cases=cases)
    assert report.sentence() == "2 of 2 cases do not hold; 16x24, batch 1, 2 threads: it did not run"
    assert report.to_dict()["given"] == "8x8"
