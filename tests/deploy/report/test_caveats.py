"""What the figures do not say follows from the run: a fact more or less changes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from condmix.deploy.report.caveats import caveats_section
from condmix.deploy.report.view import ReportView
from condmix.runtime.bench.report import BenchReport
from tests.deploy.report.synthetic import environment, full_report, shortened


def _said(report: BenchReport) -> str:
    return "\n".join(caveats_section(ReportView(report)).groups[0].sentences)


def _short(**changes: object) -> BenchReport:
    """Three rounds: nothing here asks for an interval."""
    return replace(shortened(full_report(), 3), **changes)


def _on(**changes: object) -> BenchReport:
    return _short(environment_before=environment(**changes))


ARM = replace(environment().cpu, architecture="aarch64", features=("ASIMD",))


@pytest.mark.parametrize(
    ("words", "with_it", "without_it"),
    [
        ("How fast a phone or a board is: this is An Example CPU", _short(), _on(cpu=ARM)),
        ("How fast another device is", _on(cpu=ARM), _short()),
        ("this one has none, and int8 results may differ", _on(cpu=ARM), _short()),
        ("this is a virtual one", _short(), _on(hypervisor=False)),
        ("They were made on an emulated x86_64 CPU", _on(emulated=True), _short()),
        ("a quota of 1.5 cores", _on(cpu_quota_cores=1.5), _short()),
        ("no temperature could be read", _short(), _on(temperatures_celsius={"cpu": 40.0})),
        ("the frequency of the cores could not be read", _on(cores=()), _short()),
        ("this one ended early (Ctrl-C)", _short(interrupted="Ctrl-C"), _short()),
        ("says that the file computes what the reference computes", _short(sections={}), _short()),
        ("no profile was made", _short(sections={}), _short()),
        ("one image was computed in each call", _short(sections={}), _short()),
        ("Whether the image changes the latency: it was not", _short(sections={}), _short()),
        ("Absolute times of layers", _short(), _short(sections={})),
    ],
)
def test_a_sentence_is_there_because_of_a_fact(words: str, with_it: BenchReport, without_it: BenchReport) -> None:
    assert words in _said(with_it)
    assert words not in _said(without_it)


def test_subjects_are_named() -> None:
    report = _short()
    changed = replace(report.subjects[1], input_source="random", agreement=None)
    said = _said(replace(report, subjects=(report.subjects[0], changed, *report.subjects[2:])))
    assert "nothing was compared for B  condmix.onnx." in said
    assert "random numbers were fed to B  condmix.onnx." in said
    assert "nothing was compared" not in _said(report)
    assert "random numbers" not in _said(report)


def test_the_noise_floor_is_a_figure() -> None:
    floor = full_report().noise_floor()
    assert floor is not None
    assert f"differ by less than {100 * floor:.1f} %" in _said(full_report())


def test_rare_runs_are_unknown_without_the_runs_for_it() -> None:
    assert "p99 needs 1,000 runs" in _said(full_report())
