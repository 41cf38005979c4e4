import dataclasses
from pathlib import Path

import pytest

from condmix.deploy.browser.assemble import assemble
from condmix.deploy.browser.facts import BrowserFacts
from condmix.deploy.browser.posted import read_run
from condmix.deploy.browser.variants import variants
from condmix.deploy.report.write import write_report
from condmix.runtime.bench.report import BenchReport, read_report
from condmix.runtime.bench.verdict import Judgement
from tests.deploy.browser.pieces import FACTS, PLAIN, SETTINGS, posted_run, posted_subject, subject_files


def report_of(folder: Path, facts: BrowserFacts = FACTS, *, webgpu: bool = False, **changes: object) -> BenchReport:
    found = variants(subject_files(folder), facts, all_cores=True, webgpu=webgpu)
    first = found.offered[0]
    measured = [
        *found.offered,
        dataclasses.replace(first, subject=dataclasses.replace(first.subject, name="net@wasm (again)")),
    ]
    plan = {"nonce": "n", "subjects": [{"name": one.name} for one in measured]}
    posted = posted_run(plan, **changes)
    return assemble(
        read_run(posted, measured, SETTINGS), found, measured, facts, SETTINGS, command=("condmix", "bench")
    )


def test_the_report_is_that_of_every_device(tmp_path: Path) -> None:
    report = report_of(tmp_path)
    assert BenchReport.from_dict(report.to_dict()) == report
    assert report.verdict.first_line().startswith("VALID: ")
    assert report.verdict.first_line().endswith("; measured in Chrome 156")
    one = report.subject("net@wasm")
    assert one.engine_version == "ONNX Runtime Web 1.30.0, wasm"
    assert (one.precision, one.format, one.input_source) == ("float32", "onnx", "reference")
    assert one.agreement is not None
    assert one.agreement.max_abs_difference < 1e-6
    assert report.sections["browser"]["facts"]["clock_step_ns"] == 5000
    assert "missing" not in report.sections
    assert report.environment_after.power == "battery discharging, 79 %"


def test_its_files_are_written_like_those_of_every_report(tmp_path: Path) -> None:
    report = report_of(tmp_path, PLAIN, webgpu=True)
    write_report(report, tmp_path / "report", overwrite=False)
    assert read_report(tmp_path / "report" / "report.json") == report
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "WebGPU needs https or localhost" in page


def test_what_the_browser_does_not_offer_is_not_held_against_the_rest(tmp_path: Path) -> None:
    report = report_of(tmp_path, PLAIN, webgpu=True)
    assert report.verdict.judgement is Judgement.VALID
    assert set(report.sections["missing"]) == {"net@4t@wasm", "net@webgpu"}
    assert report.subject_names == ("net@wasm", "net@wasm (again)")


def test_wrong_outputs_are_unverified(tmp_path: Path) -> None:
    names = ("net@wasm", "net@4t@wasm", "net@wasm (again)")
    subjects = [posted_subject(name, off=0.1 if name == "net@4t@wasm" else 0.0) for name in names]
    report = report_of(tmp_path, subjects=subjects)
    assert report.verdict.judgement is Judgement.UNVERIFIED
    assert "net@4t@wasm" in report.verdict.reason


def test_a_lost_subject_makes_it_too_short(tmp_path: Path) -> None:
    subjects = [posted_subject(name) for name in ("net@wasm", "net@4t@wasm", "net@wasm (again)")]
    subjects[1]["failure"] = "out of memory"
    report = report_of(tmp_path, subjects=subjects)
    assert report.verdict.judgement is Judgement.TOO_SHORT
    assert "out of memory" in report.verdict.reason


@pytest.mark.parametrize(
    ("facts", "changes", "words"),
    [
        (dataclasses.replace(FACTS, clock_step_ns=1_000_000), {}, "clock has steps of 1 ms"),
        (FACTS, {"clock_step_ns": 200_000}, "clock has steps of 0.2 ms"),
        (FACTS, {"hidden_seconds": 3.0}, "not in front for 3 s"),
    ],
)
def test_what_only_happens_in_browsers_is_noise(tmp_path: Path, facts: BrowserFacts, changes: dict, words: str) -> None:
    report = report_of(tmp_path, facts, **changes)
    assert report.verdict.judgement is Judgement.NOISY
    assert words in report.verdict.reason


def test_a_moment_in_the_background_and_a_fine_clock_are_not_noise(tmp_path: Path) -> None:
    assert report_of(tmp_path, hidden_seconds=0.2, clock_step_ns=90_000).verdict.is_valid


def test_software_webgpu_is_said_in_the_first_line(tmp_path: Path) -> None:
    facts = dataclasses.replace(FACTS, webgpu_adapter="google swiftshader")
    assert "WebGPU is software (google swiftshader)" in report_of(tmp_path, facts, webgpu=True).verdict.first_line()
    assert "software" not in report_of(tmp_path, facts).verdict.first_line()
