"""A file with its proof, and its description once it is on the disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from condmix.deploy import verified_file
from condmix.deploy.format_choices import FormatChoices
from condmix.deploy.loading import Loading
from condmix.deploy.output_names import output_names
from condmix.deploy.plan import Plan
from condmix.deploy.tolerances import tolerances_for
from condmix.deploy.verified_file import describe, verified_onnx, verified_tflite
from condmix.exporters.build import Build
from condmix.exporters.options import ExportOptions
from condmix.exporters.tflite.build import TfliteBuild
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.verify.evidence import Evidence
from condmix.exporters.verify.records import Verification
from tests.deploy.conftest import failing


@pytest.fixture
def plan() -> Plan:
    """Both formats."""
    choices = FormatChoices(onnx=ExportOptions(), tflite=TfliteOptions())
    return Plan(
        loading=Loading(model=Path("net.pt")),
        output=output_names(Path("net.pt"), None, choices),
        choices=choices,
        tolerances=tolerances_for(choices, None),
        images=None,
        overwrite=False,
        command_line=(),
    )


def _silent(_stage: str) -> None:
    return


def test_a_tflite_file_is_proven_asked_about_and_described(
    plan: Plan, tflite_built: TfliteBuild, evidence: Evidence, tmp_path: Path
) -> None:
    stages: list[str] = []
    file = verified_tflite(plan, tflite_built, evidence, stages.append)
    assert file.passed
    assert file.content == tflite_built.content
    assert stages[-1] == "ask tflite-runtime"
    assert file.second_runtime is not None
    assert "it is not prepared" in file.second_runtime.said
    written = tmp_path / "x.partial"
    written.write_bytes(file.content)
    artifact = describe(written, file, None)
    assert artifact.sha256 == hashlib.sha256(file.content).hexdigest()
    (spec,) = artifact.signature.inputs
    assert (spec.shape, spec.layout) == ((1, 32, 32, 1), "NHWC")
    assert artifact.produced_by.endswith(" export")
    assert file.outcome(artifact).layout == "NHWC"


def test_nobody_is_asked_about_a_rejected_file(
    plan: Plan,
    tflite_built: TfliteBuild,
    evidence: Evidence,
    tflite_verified: Verification,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verified_file, "verify_tflite", lambda *_arguments, **_options: failing(tflite_verified))
    monkeypatch.setattr(verified_file, "second_opinion", None)
    file = verified_tflite(plan, tflite_built, evidence, _silent)
    assert not file.passed
    assert file.second_runtime is not None
    assert file.second_runtime.sentence() == "tflite-runtime: not checked: the file was rejected"


def test_an_onnx_file_says_its_opset_and_stage(
    plan: Plan,
    built: Build,
    evidence: Evidence,
    verified: Verification,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verified_file, "verify_onnx", lambda *_arguments, **_options: verified)
    file = verified_onnx(plan, built, evidence, _silent)
    assert (file.opset, file.second_runtime) == (18, None)
    written = tmp_path / "x.partial"
    written.write_bytes(file.content)
    artifact = describe(written, file, "0" * 64)
    assert artifact.signature.inputs[0].layout == "NCHW"
    assert artifact.produced_by.endswith(" export, stage final")
    assert artifact.parent_sha256 == "0" * 64
