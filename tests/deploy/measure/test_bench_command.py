"""condmix bench: real measurements where that is the point, else a report with known samples."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.json_text import to_json
from condmix.runtime.bench import run as bench_run
from condmix.runtime.bench.report import BenchReport, read_report
from condmix.runtime.bench.run import CONTROL_SUFFIX
from condmix.runtime.bench.subject import BenchSubject
from tests.deploy.conftest import Run, files_in
from tests.runtime.audit.onnx_files import write_float
from tests.runtime.audit.tflite_models import net
from tests.runtime.bench.reports import AGREEMENT, make_report, noisy_wall_ns

SHORT = ("--runs", 20, "--seconds", 0, "--warmup-runs", 0, "--warmup-seconds", 0, "--openings", 1)
TIMES = {"float": 1e6, "net": 2e6}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """float.onnx and net.tflite."""
    tflite = tmp_path / "net.tflite"
    tflite.write_bytes(net())
    return write_float(tmp_path), tflite


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Nothing is measured: 'float' takes 1 ms and 'net' 2 ms. What is put in here changes the report."""
    changes: dict[str, object] = {}

    def run(subjects: list[BenchSubject], settings: object, **arguments: object) -> BenchReport:
        del settings
        names = [subject.name for subject in subjects]
        walls = {
            name: noisy_wall_ns(TIMES[name.removesuffix(CONTROL_SUFFIX)], seed=place)
            for place, name in enumerate([*names, names[0] + CONTROL_SUFFIX])
        }
        report = make_report(walls, command=arguments["command"])
        record = changes.get("record", {})
        assert isinstance(record, dict)
        first = dataclasses.replace(report.subjects[0], **record)
        rest = {key: value for key, value in changes.items() if key != "record"}
        return dataclasses.replace(report, subjects=(first, *report.subjects[1:]), **rest)

    monkeypatch.setattr(bench_run, "run_bench", run)
    return changes


def test_two_files_for_real(condmix: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    before = files_in(tmp_path)
    ran = condmix("bench", *files, *SHORT)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith("UNVERIFIED: ")
    assert any(line.startswith("machine: ") for line in lines)
    rows = [line.split()[0] for line in lines if " not verified " in line]
    assert rows == ["float", "net"]
    assert "note: net.tflite: no reference beside it, so its inputs are random and nothing is verified" in lines
    assert any(line.startswith("next: give --reference FILE.npz") for line in lines)
    assert "condmix: opening float, 1 of 1\n" in ran.err
    assert files_in(tmp_path) == before


def test_the_whole_report_for_real_with_profile_junit_and_json(
    condmix: Run, files: tuple[Path, Path], tmp_path: Path
) -> None:
    np.savez(tmp_path / "mine.npz", image=np.zeros((2, 3, 16, 16), np.float32))
    arguments = ("--inputs", tmp_path / "mine.npz", "-o", tmp_path / "out", "--junit", tmp_path / "j.xml", "--profile")
    ran = condmix("bench", files[0], *SHORT, *arguments, "--json", "-q", "--batches", "1,2")
    assert ran.code == 0
    assert ran.err == f"report: {tmp_path / 'out' / 'report.html'}\n"
    report = BenchReport.from_dict(json.loads(ran.out))
    assert read_report(tmp_path / "out" / "report.json") == report
    assert report.subject_names == ("float@b1", "float@b2", "float@b1 (again)")
    assert set(report.sections) == {"input_dependence", "batch_curve", "profile"}
    assert report.command[:2] == ("condmix", "bench")
    suite = ET.parse(tmp_path / "j.xml").find("testsuite")
    assert suite is not None
    assert [case.get("name") for case in suite.iter("testcase")] == ["float@b1", "float@b2"]


def test_gates_each_with_its_line_and_code_7(condmix: Run, files: tuple[Path, Path], measured: dict) -> None:
    del measured
    gates = ("--fail-if", "median(net)>1.5ms", "--fail-if", "p99>1s", "--fail-if", "ratio<1")
    ran = condmix("bench", *files, *gates, "-q")
    assert ran.code == 7
    lines = [line for line in ran.out.splitlines() if line.startswith("[")]
    assert [line.partition(":")[0] for line in lines] == [
        "[failed] median(net)>1.5ms  net",
        "[cannot be judged] p99>1s  float",
        "[cannot be judged] p99>1s  net",
        "[ok] ratio<1  net",
    ]
    assert ran.err == "condmix: 3 of 4 gates not met\n"
    assert condmix("bench", *files, "--fail-if", "ratio<1", "-q").code == 0


def test_gates_are_in_the_record_and_on_stderr_with_json(
    condmix: Run, files: tuple[Path, Path], measured: dict
) -> None:
    del measured
    ran = condmix("bench", *files, "--fail-if", "median(net)>1.5ms", "-q", "--json")
    (gate,) = json.loads(ran.out)["sections"]["gates"]
    assert (gate["subject"], gate["outcome"]) == ("net", "failed")
    lines = ran.err.splitlines()
    assert lines[0].startswith("condmix: note: float.onnx: no reference beside it")
    assert lines[-2] == "condmix: 1 of 1 gates not met"
    assert lines[-1].startswith("condmix: [failed] median(net)>1.5ms  net: median is 2.0")


def test_a_regression_since_the_baseline(
    condmix: Run, files: tuple[Path, Path], measured: dict, tmp_path: Path
) -> None:
    del measured
    walls = {
        "float": noisy_wall_ns(1e6, seed=5),
        "net": noisy_wall_ns(1e6, seed=6),
        "float (again)": noisy_wall_ns(1e6, seed=7),
    }
    old = tmp_path / "old.json"
    old.write_text(to_json(make_report(walls).to_dict()))
    ran = condmix("bench", *files, "--baseline", old, "-q")
    assert ran.code == 7
    assert "[failed] --baseline old.json --max-regression 5%  net: net / float: 1.0" in ran.out
    assert condmix("bench", *files, "--baseline", old, "--max-regression", "150%", "-q").code == 0
    ran = condmix("bench", files[1], files[0], "--baseline", old, "-q")
    assert (ran.code, ran.out) == (2, "")
    assert "give the file of 'float' first" in ran.err


def test_a_baseline_of_a_newer_schema(condmix: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    record = make_report().to_dict() | {"schema_version": 2}
    (tmp_path / "old.json").write_text(json.dumps(record))
    ran = condmix("bench", *files, "--baseline", tmp_path / "old.json", "-q")
    assert ran.code == 3
    assert "it was written by a newer condmix" in ran.err


def test_github(
    condmix: Run, files: tuple[Path, Path], measured: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del measured
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    ran = condmix("bench", *files, "--github", "--fail-if", "median(net)>1.5ms", "-q")
    assert ran.code == 7
    assert ran.err.splitlines()[0] == "::notice title=condmix bench%3A VALID::nothing was found against it"
    assert ran.err.splitlines()[1].startswith("::error title=median(net)>1.5ms for net failed::median is 2.0")
    assert "| subject | size |" in (tmp_path / "summary.md").read_text()


def test_wrong_outputs_are_code_5_and_a_lost_subject_is_code_3(
    condmix: Run, files: tuple[Path, Path], measured: dict
) -> None:
    measured["record"] = {"agreement": dataclasses.replace(AGREEMENT, passed=False, detail="0.5 of at most 0.1")}
    ran = condmix("bench", *files, "-q")
    assert ran.code == 5
    assert "[failed] float: its outputs are wrong: 0.5 of at most 0.1" in ran.out
    measured["record"] = {"failure": "its process ended with signal 11"}
    ran = condmix("bench", *files, "-q")
    assert ran.code == 3
    assert ran.err == "condmix: lost: float\n"


def test_a_half_finished_run_is_printed_and_written(
    condmix: Run, files: tuple[Path, Path], measured: dict, tmp_path: Path
) -> None:
    measured["interrupted"] = "interrupted by Ctrl-C after 40 complete rounds"
    ran = condmix("bench", *files, "-q", "-o", tmp_path / "out")
    assert ran.code == 130
    assert ran.err.endswith("interrupted by Ctrl-C after 40 complete rounds; all samples up to then are kept\n")
    assert read_report(tmp_path / "out" / "report.json").interrupted is not None


def test_ctrl_c_for_real(files: tuple[Path, Path], tmp_path: Path) -> None:
    code = (
        "import sys; from condmix.deploy.commands import root; from condmix.deploy.commands.bench import bench; "
        "from condmix.deploy.cli import run; root.condmix.add_command(bench); "
        "sys.exit(run(sys.argv[1:], program='condmix'))"
    )
    arguments = ["bench", str(files[0]), "--seconds", "60", "--warmup-seconds", "0", "--openings", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments, "-o", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    assert any("measuring" in line for line in process.stderr)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "all samples up to then are kept" in err
    assert "TOO SHORT" in out
    report = read_report(tmp_path / "out" / "report.json")
    assert report.interrupted is not None
    assert len(report.subjects[0].samples) > 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "give at least one .onnx or .tflite file to measure"),
        (["float.onnx", "--fail-if", "p90>12"], 2, "p90 needs a unit"),
        (["float.onnx", "--fail-if", "median(flaot)>1ms"], 2, "no subject is named 'flaot': did you mean 'float'?"),
        (["float.onnx", "--max-regression", "5%"], 2, "give --baseline OLD.json, or leave it out"),
        (["float.onnx", "--most-seconds", "1"], 2, "--most-seconds 1 is less than --seconds 2"),
        (["float.onnx", "--threads", "0"], 2, "'0' is no list of numbers of at least 1"),
        (["float.onnx", "-o", "float.onnx"], 1, "float.onnx: cannot be written: a file is in its place"),
        (["float.onnx", "-o", "float.onnx/out"], 1, "float.onnx/out: cannot be written: "),
        (["float.onnx", "--junit", "nowhere/j.xml"], 1, "It is named by --junit: name a place you can write to."),
        (["float.onnx", "--junit", "."], 2, "is a folder"),
        (["junk.onnx", "float.onnx", "float.onnx"], 3, "junk.onnx' cannot be opened"),
        (["--write-runner", "r.pyz", "float.onnx"], 2, "leave float.onnx out"),
        (["--write-runner", "nowhere/r.pyz"], 1, "It is named by --write-runner"),
        (["--write-runner", "junk.onnx"], 2, "pass --overwrite to replace it"),
    ],
)
def test_bad_input(
    condmix: Run, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(files[0].parent)
    Path("junk.onnx").write_text("this is no model")
    before = files_in(Path())
    ran = condmix("bench", *arguments, *(() if "--most-seconds" in arguments else SHORT))
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert files_in(Path()) == before


def test_everything_that_is_wrong_before_measuring_is_told_at_once(condmix: Run, tmp_path: Path) -> None:
    missing = tmp_path / "none.onnx"
    ran = condmix("bench", missing, "--fail-if", "p90>1", "--baseline", tmp_path / "no.json", "-q")
    assert ran.code == 3
    for said in ("none.onnx' cannot be opened: there is no such file", "p90 needs a unit", "no.json"):
        assert said in ran.err


def test_an_engine_that_is_missing_is_code_8(
    condmix: Run, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    ran = condmix("bench", *files, "-q")
    assert ran.code == 8
    assert 'pip install "condmix[onnxruntime]"' in ran.err


def test_a_report_that_is_there_is_not_replaced(
    condmix: Run, files: tuple[Path, Path], measured: dict, tmp_path: Path
) -> None:
    del measured
    folder = tmp_path / "deep" / "out"
    assert condmix("bench", *files, "-o", folder, "-q").code == 0
    ran = condmix("bench", *files, "-o", folder, "-q")
    assert (ran.code, ran.out) == (2, "")
    assert "pass --overwrite to replace it" in ran.err
    assert condmix("bench", *files, "-o", folder, "-q", "--overwrite").code == 0


def test_the_runner_is_written(condmix: Run, tmp_path: Path) -> None:
    ran = condmix("bench", "--write-runner", tmp_path / "r.pyz")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == f"runner: {tmp_path / 'r.pyz'}"
    assert (tmp_path / "r.pyz").read_bytes().startswith(b"#!/usr/bin/env python3\n")
