"""What every output says of an emulated machine: the verdict, the outputs, and no figure of time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.measure.ending import ending
from condmix.deploy.measure.figures import EMULATED
from condmix.deploy.measure.gates import Gates, read_gates
from condmix.deploy.measure.next_steps import next_steps
from condmix.deploy.measure.outputs import summary_markdown, write_junit
from condmix.deploy.measure.printed import settings_line
from condmix.deploy.measure.runner_main import summary
from condmix.deploy.report.write import rendered
from condmix.runtime.bench.withheld import without_latency
from tests.runtime.bench.reports import make_report

REPORT = without_latency(make_report(), "cortex-a53 under qemu-aarch64")


def test_every_page_says_so_and_shows_no_figure():
    measured, pages = rendered(make_report()), rendered(REPORT)
    assert "1.000" in measured["report.md"], "the figure that must not be seen is one that is seen otherwise"
    for name in ("report.html", "report.md"):
        assert "EMULATED: cortex-a53 under qemu-aarch64" in pages[name]
        assert "1.000 ms" not in pages[name]
        assert "No time is here: the machine was emulated." in pages[name]
        assert "too few rounds" not in pages[name]
        assert "How much energy" not in pages[name], "what is said of times has no place here"
    assert 'class="verdict emulated"' in pages["report.html"]
    assert ".verdict.emulated" in pages["report.html"], "its colour"
    assert "EMULATED" in pages["summary.csv"]
    assert len(pages["samples.csv"].splitlines()) < len(measured["samples.csv"].splitlines())


def test_the_terminal_the_runner_github_and_junit(tmp_path):
    assert settings_line(REPORT) == "compared: outputs alone; inputs: reference"
    assert any("measure on the device itself" in line for line in next_steps(REPORT, written=True))
    said = summary(REPORT)
    assert said.startswith("EMULATED: ")
    assert "right" in said
    assert "lost" not in said
    assert "ratio" not in said
    lost = replace(REPORT, subjects=(replace(REPORT.subjects[0], failure="killed"), *REPORT.subjects[1:]))
    assert "lost" in summary(lost)
    assert f"noise floor: none, {EMULATED}" in summary_markdown(REPORT, ())
    write_junit(tmp_path / "r.xml", REPORT, ())
    assert "emulated, no times; outputs: ok top-1 100.0 %" in (tmp_path / "r.xml").read_text()


def judged(*texts: str) -> dict[str, str]:
    gates: Gates = read_gates(texts, None, 0.05)
    return {one.gate: one.line() for one in gates.judge(REPORT)}


@pytest.mark.parametrize(
    "text",
    ["median>1ms", "p90>1ms", "load>1s", "first>1s", "warmup>1s", "ratio>2", "peak_memory>1GB", "noise_floor>5%"],
)
def test_a_gate_on_a_time_cannot_be_judged_and_fails(text: str):
    gates = read_gates((text,), None, 0.05)
    results = gates.judge(REPORT)
    assert results
    assert all(one.fails and one.sentence == EMULATED for one in results)
    assert ending(REPORT, results, with_gates=False)[0] is ExitCode.LATENCY
    assert gates.about_time() == (text,)


def test_gates_on_outputs_are_judged():
    lines = judged("max_difference>1e-3", "verdict==EMULATED", "size>1GB")
    assert lines["max_difference>1e-3"].startswith("[ok]")
    assert lines["verdict==EMULATED"].startswith("[failed]")
    assert lines["size>1GB"].startswith("[ok]")
    assert read_gates(("max_difference>1e-3", "verdict==EMULATED"), None, 0.05).about_time() == ()
    assert ending(REPORT, (), with_gates=False)[0] is ExitCode.OK


def test_a_baseline_cannot_be_judged(tmp_path):
    gates = Gates(conditions=(), baseline=(tmp_path / "old.json", make_report()), largest_regression=0.05)
    (result,) = gates.judge(REPORT)
    assert result.line() == f"[cannot be judged] --baseline old.json: {EMULATED}"
    assert gates.about_time() == (f"--baseline {tmp_path / 'old.json'}",)
