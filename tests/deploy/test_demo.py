"""The demonstration, on one network and one epoch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from condmix.deploy import demo, demo_steps
from condmix.deploy.demo import EXPORTS, DemoExport, main
from condmix.models.zoo import names
from condmix.runtime.latency_report import LatencySettings
from tests.deploy.conftest import files_in


def test_it_trains_exports_verifies_measures_and_sums_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = DemoExport(architecture="mixnet_digits", batch=1, file_name="mixnet_digits.onnx")
    monkeypatch.setattr(demo, "EXPORTS", (one,))
    monkeypatch.setattr(
        demo_steps, "LATENCY", LatencySettings(warmup_runs=1, minimum_runs=20, minimum_seconds=0.0, block=1, seed=0)
    )
    assert demo.run(tmp_path, epochs=1) == 0
    assert files_in(tmp_path) == {"mixnet_digits.pt", "mixnet_digits.onnx", "mixnet_digits.condmix.json"}
    out = capsys.readouterr().out
    row = re.search(
        r"^mixnet_digits +1 +(\d+\.\d\d)% +(\d+\.\d\d)% +mixnet_digits\.onnx +[\d.]+ kB +max\|d\| \S+ +[\d.]+ +[\d.]+ ",
        out,
        flags=re.MULTILINE,
    )
    assert row is not None
    # Of 360 digits one more or less may change sides by rounding alone.
    assert abs(float(row[1]) - float(row[2])) < 100 / 360 + 0.01
    assert f"Everything lies in {tmp_path}" in out


def test_every_export_names_a_network_and_a_file_of_its_own() -> None:
    assert {item.architecture for item in EXPORTS} == {"condconv_digits", "mixnet_digits"} <= set(names())
    assert len({item.file_name for item in EXPORTS}) == len(EXPORTS)
    assert None in {item.batch for item in EXPORTS}


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
