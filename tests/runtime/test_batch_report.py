import json

import numpy as np
import pytest

from condmix.runtime.batch_report import BatchCase, BatchProperty, BatchReport, BatchVerdict
from condmix.runtime.parity import compare
from condmix.runtime.tolerance import Tolerance

FLOAT32 = Tolerance.for_precision("float32")


def case(
    error: float = 0.0,
    *,
    own: float | None = None,
    size: int = 2,
    threads: int | None = None,
    failure: str | None = None,
) -> BatchCase:
    reference = {"y": np.ones((2, 3))}
    parity = compare(
        reference,
        {"y": np.ones((2, 3)) + error},
        tolerance=FLOAT32,
        own_float32=None if own is None else {"y": np.ones((2, 3)) + own},
        context={},
    )
    return BatchCase(
        batch_property=BatchProperty.ORDER,
        batch_size=size,
        threads=threads,
        parity=None if failure else parity,
        failure=failure,
    )


def report(*cases: BatchCase, pairs: tuple[tuple[int, int], ...] = ()) -> BatchReport:
    return BatchReport(cases=cases, indistinct_pairs=pairs)


@pytest.mark.parametrize(
    ("cases", "pairs", "verdict"),
    [
        ([case()], (), BatchVerdict.PASS),
        ([case()], ((0, 3),), BatchVerdict.INCONCLUSIVE),
        ([case(), case(own=1e-2)], (), BatchVerdict.ILL_CONDITIONED),
        ([case(), case(own=1e-2), case(0.1)], (), BatchVerdict.FAIL),
        ([case(failure="it broke")], (), BatchVerdict.FAIL),
        ([case(0.1)], ((0, 3),), BatchVerdict.FAIL),
        ([case(np.nan)], (), BatchVerdict.FAIL),
        ([], (), BatchVerdict.FAIL),
    ],
)
def test_the_worst_case_decides(cases: list[BatchCase], pairs: tuple, verdict: BatchVerdict):
    found = report(*cases, pairs=pairs)
    assert found.verdict is verdict
    assert found.passed is (verdict is BatchVerdict.PASS)


def test_sentences():
    assert report(case(size=1), case(size=5), case(size=5)).sentence() == "3 cases at batch sizes 1, 5 hold"
    assert report().sentence() == "no case was run"
    assert report(case(), pairs=((0, 3), (1, 2))).sentence() == (
        "inconclusive: images 0 and 3 have equal expected rows within the tolerance, so a swap would pass "
        "(2 such pairs); give images that differ"
    )
    assert report(case(), case(size=3, threads=2, failure="it broke")).sentence() == (
        "1 of 2 cases do not hold; batch 3 (threads: 2), order: it broke"
    )
    assert report(case(0.5)).sentence() == (
        "1 of 1 cases do not hold; batch 2, order: max|d| 5.0e-01 of the largest value, limit 2.0e-05, at "
        "[0, 0]; 100.00% of the elements outside"
    )


def test_the_record_is_strict_json_and_complete():
    data = json.loads(
        json.dumps(report(case(threads=2), case(failure="it broke"), pairs=((0, 1),)).to_dict(), allow_nan=False)
    )
    assert (data["schema_version"], data["verdict"], data["indistinct_pairs"]) == (1, "fail", [[0, 1]])
    first, second = data["cases"]
    assert (first["batch_property"], first["batch_size"], first["threads"]) == ("order", 2, 2)
    assert first["parity"]["verdict"] == first["verdict"] == "pass"
    assert (second["parity"], second["failure"], second["verdict"]) == (None, "it broke", "fail")
