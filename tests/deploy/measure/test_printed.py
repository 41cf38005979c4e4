"""What people read: the verdict first, figures with their intervals, the next step last."""

from __future__ import annotations

import dataclasses

import pytest

from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.measure.ending import ending
from condmix.deploy.measure.environment_text import environment_line, unreadable_lines
from condmix.deploy.measure.gate_result import GateOutcome, GateResult
from condmix.deploy.measure.next_steps import ADVICE, next_steps
from condmix.deploy.measure.outputs import failures_of, summary_markdown
from condmix.deploy.measure.printed import delegate_notes, print_report, settings_line
from condmix.deploy.measure.summary_table import agreement_text, detail_rows, noise_line, ratio_text, summary_rows
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.verdict import Finding, Judgement, Verdict
from tests.runtime.bench.reports import AGREEMENT, ENVIRONMENT, make_report, noisy_wall_ns

MET = GateResult(gate="p90>12ms", subject="a", outcome=GateOutcome.PASSED, sentence="p90 is 1.0 ms")
UNMET = GateResult(gate="p90>1us", subject="a", outcome=GateOutcome.FAILED, sentence="p90 is 1.0 ms")


@pytest.fixture(scope="module")
def report() -> BenchReport:
    """a takes 1 ms, half takes 0.5 ms."""
    return make_report()


def _with(report: BenchReport, name: str, **changes: object) -> BenchReport:
    subjects = tuple(dataclasses.replace(one, **changes) if one.name == name else one for one in report.subjects)
    return dataclasses.replace(report, subjects=subjects)


def test_the_order_of_the_lines(report: BenchReport, capsys: pytest.CaptureFixture[str]) -> None:
    findings = (Finding(verdict=Judgement.THROTTLED, reason="slower"), Finding(verdict=Judgement.NOISY, reason="busy"))
    print_report(
        dataclasses.replace(report, verdict=Verdict(findings=findings)), ["a note"], [MET, UNMET], in_detail=False
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "THROTTLED: slower (also NOISY)"
    assert lines[1] == "  NOISY: busy"
    assert lines[2].startswith("machine: implementer 0x41")
    assert lines[3].startswith(
        "measured: 200 timed runs each, in 40 shuffled rounds of 5; 2 processes each; 1 thread (the"
    )
    assert lines[5].split()[:2] == ["subject", "size"]
    assert lines[-3:] == ["note: a note", MET.line(), UNMET.line()]


def test_more_in_detail(report: BenchReport, capsys: pytest.CaptureFixture[str]) -> None:
    print_report(report, [], [], in_detail=True)
    out = capsys.readouterr().out
    assert "not readable: frequency of core 1 (Permission denied)" in out
    assert "deviation" in out
    assert "a (again)" in out


def test_a_row_a_subject_and_none_for_the_control(report: BenchReport) -> None:
    rows = summary_rows(report)
    assert [row[0] for row in rows] == ["a", "half"]
    size, load, first, warmup = rows[0][1:5]
    assert (size, load, first, warmup) == ("1.2 kB", "30.00", "4.000", "1.150")
    assert rows[0][7:] == ("80.0 MB", "ok top-1 100.0 %, max|d| 1.0e-06, limit 1.0e-04", "1")
    assert rows[1][9].startswith("0.50") or rows[1][9].startswith("0.49")
    assert [row[0] for row in detail_rows(report)] == ["a", "half", "a (again)"]


def test_no_percentile_and_no_interval_of_too_few_runs() -> None:
    few = make_report({"a": noisy_wall_ns(1e6, seed=0, rounds=3), "a (again)": noisy_wall_ns(1e6, seed=1, rounds=3)})
    (row,) = summary_rows(few)
    assert row[6] == "n=15 too small"
    assert "(" not in row[5]
    assert noise_line(few) == "noise floor: not known, there were too few rounds (3)"


def test_a_difference_within_the_noise_is_none() -> None:
    same = make_report(
        {"a": noisy_wall_ns(1e6, seed=0), "b": noisy_wall_ns(1e6, seed=1), "a (again)": noisy_wall_ns(1e6, seed=2)}
    )
    assert ratio_text(same, "b").startswith("no difference (")


def test_a_subject_without_a_run(report: BenchReport) -> None:
    lost = _with(
        report, "half", openings=(), samples=type(report.subjects[0].samples)(), failure="it died", size_bytes=0
    )
    row = summary_rows(lost)[1]
    assert row == ("half", "–", "–", "–", "–", "–", "–", "–", row[8], "failed")  # noqa: RUF001
    assert failures_of(lost) == {"half": "it died"}
    assert settings_line(lost).startswith("measured: 0 to 200 timed runs each")
    assert detail_rows(lost)[1][1] == "0"


def test_agreement_in_words() -> None:
    assert agreement_text(None) == "not verified"
    wrong = dataclasses.replace(AGREEMENT, passed=False, top1_agreement=None, max_abs_difference=0.5)
    assert agreement_text(wrong) == "FAILED max|d| 5.0e-01, limit 1.0e-04"


def test_the_machine_in_one_line() -> None:
    line = environment_line(ENVIRONMENT, dataclasses.replace(ENVIRONMENT, temperatures_celsius={"cpu": 60.0}))
    assert line == (
        "machine: implementer 0x41 part 0xd05, 2 of 2 cores, governor performance, 1.80 GHz, 42 -> 60 °C, "
        "load 0.10 -> 0.10, mains; Linux 6.1, onnxruntime 1.22.0"
    )
    bare = dataclasses.replace(ENVIRONMENT, cores=(), temperatures_celsius={}, load_average=None, power=None)
    assert environment_line(bare, bare) == (
        "machine: implementer 0x41 part 0xd05, 2 of 2 cores, governor not readable, temperature not readable, "
        "load not readable; Linux 6.1, onnxruntime 1.22.0"
    )
    assert unreadable_lines(dataclasses.replace(ENVIRONMENT, unreadable={"a": "no", "b": "no"})) == (
        "not readable: a, b (no)",
    )


def test_every_fault_has_its_advice(report: BenchReport) -> None:
    assert set(ADVICE) == {word.name for word in Judgement} - {"VALID"}
    findings = (Finding(verdict=Judgement.TOO_SHORT, reason="x"), Finding(verdict=Judgement.NOISY, reason="y"))
    steps = next_steps(dataclasses.replace(report, verdict=Verdict(findings=findings)), written=True)
    assert steps == (f"next: {ADVICE['TOO_SHORT']}", f"next: {ADVICE['NOISY']}")
    assert next_steps(report, written=False) == (
        "next: the whole report with pictures and every sample: the same command with -o FOLDER",
    )


def test_what_the_delegate_left_is_noted(report: BenchReport) -> None:
    some = {"operators": 3, "delegated": 2, "partitions": 1, "not_delegated": {"GATHER": 1}}
    all_of_it = {"operators": 3, "delegated": 3, "partitions": 1, "not_delegated": {}}
    (note,) = delegate_notes(_with(_with(report, "a", delegate_coverage=some), "half", delegate_coverage=all_of_it))
    assert note.startswith("a: ")
    assert "GATHER" in note


def test_the_summary_page_holds_verdict_table_and_gates(report: BenchReport) -> None:
    page = summary_markdown(report, [UNMET])
    lines = page.splitlines()
    assert lines[2] == "**VALID: nothing was found against it**"
    assert lines[4].startswith("| subject | size | load |")
    assert lines[5].count("---") == 10
    assert lines[-1].startswith("- \\[failed\\] p90\\>1us a: p90 is 1.0 ms")


@pytest.mark.parametrize(
    ("changes", "gates", "code", "said"),
    [
        ({}, [MET], ExitCode.OK, []),
        ({}, [MET, UNMET], ExitCode.LATENCY, ["1 of 2 gates not met", UNMET.line()]),
        ({"failure": "it died"}, [UNMET], ExitCode.INPUT, ["1 of 1 gates not met", UNMET.line(), "lost: half"]),
        (
            {"agreement": dataclasses.replace(AGREEMENT, passed=False)},
            [],
            ExitCode.PARITY,
            ["outputs are wrong: half; their times mean nothing until that is mended"],
        ),
    ],
)
def test_how_it_ends(
    report: BenchReport, changes: dict, gates: list[GateResult], code: ExitCode, said: list[str]
) -> None:
    found = _with(report, "half", **changes)
    assert ending(found, gates, with_gates=True) == (code, tuple(said))
    stopped = dataclasses.replace(found, interrupted="interrupted by Ctrl-C after 4 rounds")
    assert ending(stopped, gates, with_gates=True)[0] is ExitCode.INTERRUPTED
