"""The demonstration, on one network and one epoch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from condmix.deploy import demo, demo_report, demo_steps
from condmix.deploy.demo import EXPORTS, DemoExport, main
from condmix.deploy.format_choices import FORMATS
from condmix.models.zoo import names
from condmix.runtime.bench.report import read_report
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.latency_report import LatencySettings
from tests.deploy.conftest import files_in


@pytest.mark.slow
def test_it_trains_exports_verifies_measures_and_sums_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = DemoExport(architecture="mixnet_digits", batch=1, formats=FORMATS, stem="mixnet_digits", int8=True)
    monkeypatch.setattr(demo, "EXPORTS", (one,))
    monkeypatch.setattr(
        demo_steps, "LATENCY", LatencySettings(warmup_runs=1, minimum_runs=20, minimum_seconds=0.0, block=1, seed=0)
    )
    short = BenchSettings(warmup_runs=1, warmup_seconds=0.0, minimum_runs=100, minimum_seconds=0.0, openings=1)
    monkeypatch.setattr(demo_report, "SETTINGS", short)
    assert demo.run(tmp_path, epochs=1) == 0
    written = {f"mixnet_digits.{suffix}" for suffix in ("pt", "onnx", "tflite", "condmix.json", "reference.npz")}
    suffixes = ("onnx", "tflite", "condmix.json", "ranges.json", "reference.npz")
    written |= {f"mixnet_digits_int8.{suffix}" for suffix in suffixes}
    assert files_in(tmp_path) == written | {"digits-train.npy", "digits-held-out.npz", "mixnet_digits-report"}
    out = capsys.readouterr().out
    named = r"^mixnet_digits +1 +(\d+\.\d\d)% +(\d+\.\d\d)% +mixnet_digits(\S+)"
    proof = r"(?:max\|d\| \S+|SQNR \S+ dB)"
    rows = re.findall(rf"{named} +[\d.]+ kB +{proof} +[\d.]+ +[\d.]+ ", out, flags=re.MULTILINE)
    assert [row[2] for row in rows] == [".onnx", ".tflite", "_int8.onnx", "_int8.tflite"]
    # Of 360 digits one more or less may change sides by rounding alone.
    assert all(abs(float(row[0]) - float(row[1])) < 100 / 360 + 0.01 for row in rows[:2])
    assert all(float(row[0]) - float(row[1]) < 1.01 for row in rows[2:])
    assert f"Everything lies in {tmp_path}" in out
    report = read_report(tmp_path / "mixnet_digits-report" / "report.json")
    assert {record.subject.engine for record in report.subjects} == {"onnxruntime", "litert"}
    assert {record.precision for record in report.subjects} == {"float32", "int8"}
    assert all(record.agreement is not None and record.agreement.passed for record in report.subjects)
    assert set(report.sections) >= {"accuracy", "input_dependence", "int8", "profile"}
    assert f"{tmp_path / 'mixnet_digits-report' / 'report.html'}  {report.verdict.first_line()}" in out


def test_every_export_names_a_network_and_a_file_of_its_own() -> None:
    assert {item.architecture for item in EXPORTS} == {"condconv_digits", "mixnet_digits"} <= set(names())
    assert len({item.stem for item in EXPORTS}) == len(EXPORTS)
    assert None in {item.batch for item in EXPORTS}
    both = {item.architecture for item in EXPORTS if item.formats == FORMATS}
    assert both == {"condconv_digits", "mixnet_digits"}


def test_wrong_usage_is_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["a", "b"]) == 2
    assert main(["--help"]) == 2
    assert "usage: python -m condmix.deploy.demo" in capsys.readouterr().err


def test_failures_are_told_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main([str(tmp_path / "file")]) == 1
    assert "condmix: " in capsys.readouterr().err


def test_an_interruption_is_code_130(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run", interrupt)
    assert main([str(tmp_path)]) == 130
