"""Ratios to a reference model, then and now: a known regression is found, noise is none, times are not compared."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from condmix.deploy.errors import PlanError
from condmix.deploy.measure.baseline import check_baseline, compare_to_baseline
from condmix.deploy.measure.gate_result import GateOutcome, GateResult
from condmix.runtime.bench.report import BenchReport
from tests.runtime.bench.reports import make_report, noisy_wall_ns

OLD = Path("folder/old.json")
PASSED, FAILED, NOT_JUDGED = GateOutcome.PASSED, GateOutcome.FAILED, GateOutcome.NOT_JUDGED


def _report(*, reference_ns: float = 1e6, net_ns: float = 5e5, seed: int = 0, noise: float = 0.01, rounds: int = 40,
            **more_ns: float) -> BenchReport:  # fmt: skip
    centers = {"stock": reference_ns, "net": net_ns, **more_ns, "stock (again)": reference_ns}
    return make_report(
        {
            name: noisy_wall_ns(center, seed=seed + place, noise=noise, rounds=rounds)
            for place, (name, center) in enumerate(centers.items())
        }
    )


def _changed(report: BenchReport, name: str, **changes: object) -> BenchReport:
    subjects = tuple(
        dataclasses.replace(record, **changes) if record.name == name else record for record in report.subjects
    )
    return dataclasses.replace(report, subjects=subjects)


def _compare(old: BenchReport, new: BenchReport, share: float = 0.05) -> tuple[GateResult, ...]:
    return compare_to_baseline(OLD, old, new, largest_regression=share)


def test_a_regression_beyond_the_limit_fails_though_the_machine_is_three_times_as_slow() -> None:
    (result,) = _compare(_report(), _report(reference_ns=3e6, net_ns=1.5e6 * 1.1, seed=9))
    assert result.outcome is FAILED
    assert result.gate == "--baseline old.json --max-regression 5%"
    assert result.sentence.startswith("net / stock: 0.5")
    assert "now: +9.7 % (+9." in result.sentence


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.04])
def test_less_than_the_limit_passes(factor: float) -> None:
    (result,) = _compare(_report(), _report(reference_ns=3e6, net_ns=1.5e6 * factor, seed=9))
    assert result.outcome is PASSED


def test_the_limit_is_the_one_that_was_given() -> None:
    (result,) = _compare(_report(), _report(net_ns=5e5 * 1.1, seed=9), share=0.2)
    assert result.outcome is PASSED


def test_what_lies_within_the_intervals_is_no_regression_and_said_so() -> None:
    old = _report(noise=0.3, rounds=20)
    new = _report(net_ns=5.5e5, noise=0.3, rounds=20, seed=9)
    (result,) = _compare(old, new)
    assert result.outcome is PASSED
    assert "no difference" in result.sentence


def test_how_much_could_have_been_overlooked_is_said() -> None:
    (result,) = _compare(_report(noise=0.2, rounds=30), _report(noise=0.2, rounds=30, net_ns=5.05e5, seed=9))
    assert result.outcome is PASSED
    assert "is not ruled out" in result.sentence or "more runs would tell" in result.sentence


def test_too_few_rounds_cannot_be_judged() -> None:
    (result,) = _compare(_report(), _report(rounds=19))
    assert result.outcome is NOT_JUDGED
    assert "too few rounds to compare: give --runs 100 or more, then and now" in result.sentence


def test_a_subject_that_was_left_out_cannot_be_judged_and_a_new_one_passes() -> None:
    results = {one.subject: one for one in _compare(_report(gone=7e5), _report(fresh=8e5, seed=9))}
    assert {name: one.outcome for name, one in results.items()} == {"net": PASSED, "fresh": PASSED, "gone": NOT_JUDGED}
    assert "it is not in the old report" in results["fresh"].sentence
    assert "it is in the old report and was not measured now" in results["gone"].sentence


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("stock", {"sha256": "1" * 64}, "the reference model 'stock' is another file than then (sha256 differs)"),
        ("net", {"inputs": {"image": (1, 3, 16, 16)}}, "inputs image 1x3x8x8 then, image 1x3x16x16 now"),
        ("stock", {"input_source": "random"}, "stock: inputs from reference then, random now"),
    ],
)
def test_what_was_measured_in_another_way_cannot_be_judged(name: str, changes: dict, said: str) -> None:
    (result,) = _compare(_report(), _changed(_report(seed=9), name, **changes))
    assert result.outcome is NOT_JUDGED
    assert said in result.sentence


def test_other_threads_cannot_be_judged_and_other_bytes_of_the_judged_model_can() -> None:
    new = _report(seed=9)
    record = new.subject("net")
    two = dataclasses.replace(record.subject, threads=2)
    (result,) = _compare(_report(), _changed(new, "net", subject=two))
    assert (result.outcome, result.sentence) == (NOT_JUDGED, "it was measured in another way: threads 1 then, 2 now")
    (result,) = _compare(_report(), _changed(new, "net", sha256="2" * 64))
    assert result.outcome is PASSED


def test_a_subject_that_failed_cannot_be_judged() -> None:
    for name in ("net", "stock"):
        (result,) = _compare(_report(), _changed(_report(seed=9), name, failure="its process died"))
        assert result.outcome is NOT_JUDGED
        assert "failed in the new report: its process died" in result.sentence


def test_what_cannot_be_compared_at_all_is_told_before_measuring() -> None:
    old = _report()
    with pytest.raises(PlanError) as caught:
        check_baseline(OLD, old, ["net", "stock"])
    assert str(caught.value) == (
        "--baseline folder/old.json cannot be compared with this run:\n"
        "  - its ratios are to 'stock', those of this run would be to 'net': give the file of 'stock' first"
    )
    with pytest.raises(PlanError, match="no subject besides 'stock' is in both: it has net; this run has other"):
        check_baseline(OLD, old, ["stock", "other"])
    with pytest.raises(PlanError, match="this run has none"):
        check_baseline(OLD, old, ["stock"])
    check_baseline(OLD, old, ["stock", "net", "other"])
