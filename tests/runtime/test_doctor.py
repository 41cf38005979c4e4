import sys
from pathlib import Path

import pytest

from condmix.runtime.doctor import EngineFacts, examine
from condmix.runtime.errors import InvalidSettingError


def test_engines_that_work_are_told_with_their_version(stand_in: Path):
    facts = examine(stand_in, python=Path(sys.executable))
    assert [engine.name for engine in facts.engines] == ["onnxruntime", "ai-edge-litert", "tflite-runtime"]
    assert facts.missing == ()
    assert all(engine.available and engine.version and engine.gives for engine in facts.engines)
    assert facts.engines[2].version == "2.14.0"
    assert facts.cpu.architecture


def test_what_is_missing_is_told_with_the_line_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    site = tmp_path / "site"
    facts = examine(site)
    assert facts.missing == facts.engines
    onnxruntime, litert, tflite_runtime = facts.engines
    assert onnxruntime.install_line == 'pip install "condmix[onnxruntime]"'
    assert litert.install_line == 'pip install "condmix[litert]"'
    assert f"--target {site} tflite-runtime==2.14.0 'numpy<2'" in tflite_runtime.install_line
    assert "there is no folder" in str(tflite_runtime.reason)
    # Installed, but not to be imported: the version is told all the same.
    assert (litert.version is None, tflite_runtime.version) == (False, None)
    assert not site.exists()


def test_the_facts_are_plain_data(tmp_path: Path):
    data = examine(tmp_path).to_dict()
    assert list(data) == ["schema_version", "engines", "cpu"]
    engine = data["engines"][1]
    assert list(engine) == ["name", "available", "reason", "version", "gives", "install_line"]
    assert (engine["available"], engine["reason"]) == (True, None)


def test_an_engine_cannot_work_without_being_there():
    with pytest.raises(InvalidSettingError, match="an engine that works has a version"):
        EngineFacts(name="a", reason=None, version=None, gives="b", install_line="c")
