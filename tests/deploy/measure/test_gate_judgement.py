"""--fail-if on a report: what fails, what passes, and that a missing figure never passes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from condmix.deploy.errors import PlanError
from condmix.deploy.measure.gate_expression import parse_gate, parse_gates
from condmix.deploy.measure.gate_judgement import check_gates, judge
from condmix.deploy.measure.gate_result import GateOutcome, failed
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.verdict import Finding, Judgement, Verdict
from tests.runtime.bench.reports import AGREEMENT, OPENING, make_report, noisy_wall_ns, subject_record

PASSED, FAILED, NOT_JUDGED = GateOutcome.PASSED, GateOutcome.FAILED, GateOutcome.NOT_JUDGED


@pytest.fixture(scope="module")
def report() -> BenchReport:
    """a takes 1 ms, half takes 0.5 ms; 200 runs each."""
    return make_report()


def _outcomes(text: str, report: BenchReport) -> list[tuple[str | None, GateOutcome]]:
    return [(result.subject, result.outcome) for result in judge([parse_gate(text)], report)]


@pytest.mark.parametrize(
    ("text", "outcomes"),
    [
        ("median>0.9ms", [("a", FAILED), ("half", PASSED)]),
        ("median(half)>0.9ms", [("half", PASSED)]),
        ("median(half)<0.9ms", [("half", FAILED)]),
        ("p90>0.8ms", [("a", FAILED), ("half", PASSED)]),
        ("p95>2ms", [("a", PASSED), ("half", PASSED)]),
        ("p99>2ms", [("a", NOT_JUDGED), ("half", NOT_JUDGED)]),
        ("minimum<0.8ms", [("a", PASSED), ("half", FAILED)]),
        ("maximum>0.8ms", [("a", FAILED), ("half", PASSED)]),
        ("mean>0.8ms", [("a", FAILED), ("half", PASSED)]),
        ("load>30ms", [("a", PASSED), ("half", PASSED)]),
        ("load>=30ms", [("a", FAILED), ("half", FAILED)]),
        ("first>3ms", [("a", FAILED), ("half", FAILED)]),
        ("warmup(a)>1.1ms", [("a", FAILED)]),
        ("size(a)>1kB", [("a", FAILED)]),
        ("peak_memory(a)>=80MB", [("a", FAILED)]),
        ("peak_memory(a)>80MB", [("a", PASSED)]),
        ("ratio>0.4", [("half", FAILED)]),
        ("ratio(half)>60%", [("half", PASSED)]),
        ("agreement<99%", [("a", PASSED), ("half", PASSED)]),
        ("max_difference(a)>1e-7", [("a", FAILED)]),
        ("sqnr(a)<121dB", [("a", FAILED)]),
        ("noise_floor>5%", [(None, PASSED)]),
        ("noise_floor>=0%", [(None, FAILED)]),
        ("verdict!=VALID", [(None, PASSED)]),
        ("verdict==VALID", [(None, FAILED)]),
        ("verdict!=NOISY", [(None, FAILED)]),
    ],
)
def test_the_condition_decides(text: str, outcomes: list[tuple[str | None, GateOutcome]], report: BenchReport) -> None:
    assert _outcomes(text, report) == outcomes


def test_each_result_says_its_figure(report: BenchReport) -> None:
    median, p99 = judge(parse_gates(["median(half)>0.9ms", "p99(a)>2ms"]), report)
    assert median.line().startswith("[ok] median(half)>0.9ms  half: median is 0.5")
    assert " ms (0.4" in median.line()
    assert p99.line() == "[cannot be judged] p99(a)>2ms  a: p99 needs 1000 runs, there are 200: give --runs 1000"
    assert failed((median, p99)) == (p99,)
    assert p99.to_dict() == {
        "gate": "p99(a)>2ms",
        "subject": "a",
        "outcome": "cannot be judged",
        "sentence": "p99 needs 1000 runs, there are 200: give --runs 1000",
    }


def test_p90_of_too_few_runs_cannot_be_judged() -> None:
    few = make_report({"a": noisy_wall_ns(1e6, seed=0, rounds=19), "b": noisy_wall_ns(1e6, seed=1, rounds=19)})
    assert _outcomes("p90>12ms", few) == [("a", NOT_JUDGED)]
    assert _outcomes("noise_floor>5%", few) == [(None, NOT_JUDGED)]


@pytest.mark.parametrize(
    ("metric", "limit", "changes", "said"),
    [
        ("agreement", "<99%", {"agreement": None}, "there was no reference to compare its outputs with"),
        (
            "agreement",
            "<99%",
            {"agreement": dataclasses.replace(AGREEMENT, top1_agreement=None)},
            "its outputs name no class; judge max_difference or sqnr instead",
        ),
        ("max_difference", ">1", {"agreement": None}, "there was no reference"),
        ("sqnr", "<9dB", {"agreement": None}, "there was no reference"),
        (
            "sqnr",
            "<9dB",
            {"agreement": dataclasses.replace(AGREEMENT, sqnr_db=None)},
            "the signal to noise ratio was not taken",
        ),
        (
            "peak_memory",
            ">1MB",
            {"openings": (dataclasses.replace(OPENING, peak_memory_bytes=None),)},
            "this system does not tell the peak memory of a process",
        ),
        ("load", ">1ms", {"openings": ()}, "it was never opened"),
        ("first", ">1ms", {"openings": ()}, "it never ran"),
        ("warmup", ">1ms", {"openings": ()}, "it had no warm-up runs"),
        ("median", ">1s", {"failure": "its process ended with signal 11"}, "it failed: its process ended with signal"),
    ],
)
def test_a_figure_that_is_missing_does_not_pass(metric: str, limit: str, changes: dict, said: str) -> None:
    walls = noisy_wall_ns(1e6, seed=0, rounds=4)
    report = make_report({"a": walls, "a (again)": walls})
    report = dataclasses.replace(
        report, subjects=(subject_record("a", walls, **changes), subject_record("a (again)", walls))
    )
    (result,) = judge([parse_gate(metric + limit)], report)
    assert result.outcome is NOT_JUDGED
    assert said in result.sentence


def test_a_subject_without_a_sample_cannot_be_judged() -> None:
    nothing = np.array([], np.int64)
    report = make_report({"a": nothing, "b": nothing, "a (again)": nothing})
    assert _outcomes("median>1ms", report) == [("a", NOT_JUDGED), ("b", NOT_JUDGED)]
    assert _outcomes("ratio>1", report) == [("b", NOT_JUDGED)]


def test_an_infinite_difference_fails_on_either_side() -> None:
    walls = noisy_wall_ns(1e6, seed=0, rounds=4)
    for value, expected in ((float("inf"), FAILED), (float("nan"), FAILED)):
        broken = dataclasses.replace(AGREEMENT, max_abs_difference=value, passed=False)
        report = make_report({"a": walls, "a (again)": walls})
        changed = dataclasses.replace(
            report, subjects=(subject_record("a", walls, agreement=broken), report.subjects[1])
        )
        assert _outcomes("max_difference>1", changed) == [("a", expected)]


def test_every_finding_counts_for_the_verdict(report: BenchReport) -> None:
    findings = tuple(
        Finding(verdict=word, reason="so it was") for word in (Judgement.TOO_SHORT, Judgement.THROTTLED)
    )  # fmt: skip
    found = dataclasses.replace(report, verdict=Verdict(findings=findings))
    assert _outcomes("verdict==THROTTLED", found) == [(None, FAILED)]
    assert _outcomes("verdict==too short", found) == [(None, FAILED)]
    assert _outcomes("verdict==NOISY", found) == [(None, PASSED)]
    assert _outcomes("verdict!=VALID", found) == [(None, FAILED)]


def test_what_no_measurement_could_judge_is_told_before_it_begins() -> None:
    gates = parse_gates(["median(hlaf)>1ms", "ratio(a)>0.5", "p90(half)>1ms"])
    with pytest.raises(PlanError) as caught:
        check_gates(gates, ["a", "half"])
    assert str(caught.value) == (
        "--fail-if asks for what this measurement has not:\n"
        "  - 'median(hlaf)>1ms': no subject is named 'hlaf': did you mean 'half'? there are a, half\n"
        "  - 'ratio(a)>0.5': 'a' is the first subject, the one that others are divided by: "
        "give two files or more, and name another one"
    )
    with pytest.raises(PlanError, match="give two files or more"):
        check_gates(parse_gates(["ratio>0.5"]), ["a"])
    check_gates(parse_gates(["ratio>0.5", "verdict!=VALID"]), ["a", "half"])
