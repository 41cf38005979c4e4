"""condmix doctor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from condmix.runtime import tflite_environment, tflite_runtime_session
from condmix.runtime.errors import EnvironmentMissingError
from condmix.runtime.tflite_runtime_session import TfliteRuntimeBackend
from tests.deploy.conftest import Run, files_in
from tests.runtime.tflite_sites import make_stand_in


def test_engines_missing_pieces_and_the_machine(condmix: Run, cache: Path) -> None:
    ran = condmix("doctor")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith("[ok]      onnxruntime 1.")
    assert lines[1].startswith("[ok]      ai-edge-litert 2.")
    assert lines[2].startswith("[missing] tflite-runtime: checks every TFLite file on the older runtime too")
    assert "there is no folder" in ran.out
    assert "pip install" in ran.out
    assert "tflite-runtime==2.14.0" in ran.out
    assert ran.out.count("Install it with") == 0
    assert "          or: condmix doctor --prepare tflite-runtime\n" in ran.out
    assert [line.partition(":")[0] for line in lines[-3:]] == ["cpu", "instructions", "packages"]
    assert ran.err == "condmix: try every engine\n"
    assert files_in(cache) == set()


def test_a_missing_engine_is_told_with_its_pip_line_and_is_no_failure(
    condmix: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    ran = condmix("doctor", "-q")
    assert ran.code == 0
    assert "[missing] ai-edge-litert 2." in ran.out
    assert '          install: pip install "condmix[litert]"\n' in ran.out
    assert ran.err == ""


def test_json(condmix: Run) -> None:
    record = json.loads(condmix("doctor", "--json", "-q").out)
    assert record["schema_version"] == 1
    assert [engine["name"] for engine in record["engines"]] == ["onnxruntime", "ai-edge-litert", "tflite-runtime"]
    assert [engine["available"] for engine in record["engines"]] == [True, True, False]
    assert record["cpu"]["architecture"]


def test_preparing_makes_the_folder_in_the_cache(condmix: Run, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = max(tflite_environment.NEWEST_PYTHON, sys.version_info[:2])
    monkeypatch.setattr(tflite_environment, "NEWEST_PYTHON", newest)
    made: list[Path] = []

    def install(site: Path, _python: Path, *, timeout_seconds: float) -> None:
        assert timeout_seconds > 60
        made.append(make_stand_in(site))

    monkeypatch.setattr(tflite_runtime_session, "install", install)
    ran = condmix("doctor", "--prepare", "tflite-runtime")
    assert ran.code == 0
    assert "[ok]      tflite-runtime 2.14.0: checks every TFLite file" in ran.out
    assert ran.err == "condmix: prepare tflite-runtime\ncondmix: try every engine\n"
    assert TfliteRuntimeBackend(cache / "condmix" / "tflite-runtime-2.14").available() is None
    assert condmix("doctor", "--prepare", "tflite-runtime").code == 0
    assert len(made) == 1


def test_a_preparation_that_fails_is_code_8_and_leaves_nothing(
    condmix: Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_site: Path, _python: Path, *, timeout_seconds: float) -> None:
        del timeout_seconds
        engine, reason = "tflite-runtime", "pip could not install it: no network"
        raise EnvironmentMissingError(engine, reason, "pip install it")

    monkeypatch.setattr(tflite_runtime_session, "install", fail)
    monkeypatch.setattr(tflite_runtime_session, "find_python", lambda: Path(sys.executable))
    monkeypatch.setattr(tflite_runtime_session, "python_problem", lambda _python: None)
    ran = condmix("doctor", "--prepare", "tflite-runtime")
    assert ran.code == 8
    assert "pip could not install it: no network" in ran.err
    assert files_in(cache / "condmix") == set()


def test_it_needs_nothing_that_may_be_missing() -> None:
    gone = "for name in ('torch', 'onnx', 'onnx_ir', 'rich', 'onnxruntime', 'ai_edge_litert'): sys.modules[name] = None"
    code = f"import sys\n{gone}\nfrom condmix.deploy.cli import run\nsys.exit(run(['doctor', '-q'], program='condmix'))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.count("[missing] ") == 3
