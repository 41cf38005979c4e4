"""One export from plan to files: what is written when, what the record says, and that a wrong form is caught."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from condmix.deploy import pipeline, verified_file
from condmix.deploy.atomic import PendingFiles
from condmix.deploy.errors import OutputError, PlanError
from condmix.deploy.format_choices import FormatChoices
from condmix.deploy.loading import Loading
from condmix.deploy.output_names import output_names
from condmix.deploy.pipeline import run
from condmix.deploy.plan import Plan
from condmix.deploy.summary import failure_text, summarise
from condmix.deploy.tolerances import tolerances_for
from condmix.exporters.build import Build
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.lower import condconv_kernel
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.named.condconv import CondConvLayer
from condmix.exporters.options import ExportOptions
from condmix.exporters.tflite.build import TfliteBuild
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.verify.evidence import Evidence
from condmix.exporters.verify.records import Verification
from condmix.runtime.artifact import Artifact
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.deploy.conftest import files_in

MakePlan = Callable[..., Plan]
WRITTEN = {"small.onnx", "small.condmix.json", "small.reference.npz"}
REJECTED = {"small.rejected.onnx", "small.rejected.condmix.json", "small.rejected.reference.npz"}


@pytest.fixture
def plan(weights: Path, tmp_path: Path) -> MakePlan:
    """An export of `weights` into tmp_path."""

    def make(
        *,
        options: ExportOptions | None = ExportOptions(),  # noqa: B008 - frozen
        tflite: TfliteOptions | None = None,
        overwrite: bool = False,
        images: Path | None = None,
    ) -> Plan:
        choices = FormatChoices(onnx=options, tflite=tflite)
        return Plan(
            loading=Loading(model=weights),
            output=output_names(weights, tmp_path, choices),
            choices=choices,
            tolerances=tolerances_for(choices, None),
            images=images,
            overwrite=overwrite,
            command_line=("condmix-export", "small.pt"),
        )

    return make


def _silent(_stage: str) -> None:
    return


@pytest.mark.usefixtures("graph_given")
def test_three_files_appear_that_agree_with_each_other(plan: MakePlan, tmp_path: Path, weights: Path) -> None:
    stages: list[str] = []
    outcome = run(plan(), stages.append)
    assert outcome.passed
    assert files_in(tmp_path) == WRITTEN
    assert (stages[0], stages[-1]) == ("load", "write")

    record = json.loads((tmp_path / "small.condmix.json").read_text())
    content = (tmp_path / "small.onnx").read_bytes()
    (entry,) = record["artifacts"]
    artifact = Artifact.from_dict(entry["artifact"])
    assert artifact.sha256 == hashlib.sha256(content).hexdigest()
    assert artifact.size_bytes == len(content)
    assert artifact.path == Path("small.onnx")
    assert artifact.parent_sha256 == hashlib.sha256(weights.read_bytes()).hexdigest() == record["source"]["sha256"]
    assert artifact.signature.inputs[0].layout == "NCHW"
    assert artifact.signature.inputs[0].shape == (1, 1, 32, 32)
    assert record["passed"] is True
    assert entry["verification"]["passed"] is True
    assert entry["opset"] == 18
    assert record["schema_version"] == 2
    assert record["command_line"] == ["condmix-export", "small.pt"]
    assert list(record["seconds"]) == list(dict.fromkeys(stages))
    assert {"condmix", "torch", "onnx", "onnxruntime", "python"} <= set(record["versions"])
    assert len(entry["layers"]) == 12
    assert json.loads(json.dumps(outcome.to_dict())) == record
    reference = (tmp_path / "small.reference.npz").read_bytes()
    assert record["reference"] == {
        "path": "small.reference.npz",
        "sha256": hashlib.sha256(reference).hexdigest(),
        "size_bytes": len(reference),
        "images": 5,
    }
    assert f" images   {tmp_path}/small.reference.npz  5 with PyTorch's outputs, for condmix bench\n" in summarise(
        outcome
    )

    proto = onnx.load_model_from_string(content)
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    assert metadata["source_sha256"] == record["source"]["sha256"]
    assert metadata["condmix_stage"] == "final"
    assert proto.ir_version == 9


def test_the_same_input_gives_the_same_bytes(
    plan: MakePlan,
    built: Build,
    tflite_built: TfliteBuild,
    verified: Verification,
    tflite_verified: Verification,
    evidence: Evidence,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "gather", lambda *_arguments, **_options: evidence)
    monkeypatch.setattr(verified_file, "verify_onnx", lambda *_arguments, **_options: verified)
    monkeypatch.setattr(verified_file, "verify_tflite", lambda *_arguments, **_options: tflite_verified)
    run(plan(tflite=TfliteOptions()), _silent)
    assert (tmp_path / "small.onnx").read_bytes() == built.final.proto.SerializeToString(deterministic=True)
    assert (tmp_path / "small.tflite").read_bytes() == tflite_built.content


@pytest.mark.usefixtures("graph_given")
def test_a_dynamic_file_is_proven_at_every_batch_and_runs_at_another(plan: MakePlan, tmp_path: Path) -> None:
    outcome = run(plan(options=ExportOptions(batch=None)), _silent)
    batches = outcome.files[0].verification.batches
    assert batches is not None
    assert {case.batch_size for case in batches.cases} == {1, 2, 3, 5, 8}
    session = OnnxRuntimeBackend().open(tmp_path / "small.onnx", threads=1)
    (logits,) = session.run({"input": np.zeros((4, 1, 32, 32), np.float32)}).values()
    assert logits.shape == (4, 10)
    assert "[ok] batches: " in summarise(outcome)
    assert "at batch sizes 1, 2, 3, 5, 8 hold" in summarise(outcome)
    assert "Nx1x32x32" in summarise(outcome)


@pytest.mark.usefixtures("graph_given")
def test_given_images_are_the_ones_verified_on(
    plan: MakePlan, built: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "build_from", lambda *_arguments: built)
    folder = tmp_path / "in"
    folder.mkdir()
    images = np.random.default_rng(0).standard_normal((3, 1, 32, 32)).astype(np.float32)
    np.save(folder / "mine.npy", images)
    outcome = run(plan(images=folder / "mine.npy"), _silent)
    assert outcome.files[0].verification.images.sha256 == hashlib.sha256(images.tobytes()).hexdigest()
    assert "verified on 3 of 3 images in mine.npy" in outcome.notes


def _wrong_kernel(builder: NodeBuilder, layer: CondConvLayer, batch: BatchAxis) -> ir.Value:
    """A form that is off by a thousandth."""
    right = condconv_kernel.build(builder, layer, batch)
    factor = builder.constant(np.asarray([1.001], dtype=np.float32), "factor")
    return builder.one("Mul", [right, factor], (1, *layer.output_chw))


@pytest.mark.usefixtures("captured_once")
def test_a_wrong_form_is_rejected_by_name_and_the_old_file_survives(
    plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small.onnx").write_bytes(b"old")
    monkeypatch.setattr(condconv_kernel, "FORM", dataclasses.replace(condconv_kernel.FORM, build=_wrong_kernel))
    outcome = run(plan(overwrite=True), _silent)
    assert not outcome.passed
    assert files_in(tmp_path) == REJECTED | {"small.onnx"}
    assert (tmp_path / "small.onnx").read_bytes() == b"old"
    record = json.loads((tmp_path / "small.rejected.condmix.json").read_text())
    assert record["passed"] is False
    assert record["artifacts"][0]["artifact"]["path"] == "small.rejected.onnx"

    text = failure_text(outcome)
    blame = outcome.files[0].verification.blame
    assert blame is not None
    assert blame.module_path.startswith("blocks.2.expand")
    assert "stage final: max|d| " in text
    assert "limit " in text
    assert f"first module beyond tolerance: {blame.module_path}" in text
    assert f"{tmp_path}/small.onnx was not touched" in text
    assert "[failed] final vs PyTorch float64" in summarise(outcome)
    assert "[failed] rejected" in summarise(outcome)
    assert "netron" not in summarise(outcome)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", sorted(WRITTEN | REJECTED))
def test_existing_files_are_refused_before_any_work(plan: MakePlan, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"old")
    stages: list[str] = []
    with pytest.raises(PlanError, match=name):
        run(plan(), stages.append)
    assert stages == []
    assert (tmp_path / name).read_bytes() == b"old"
    run(plan(overwrite=True), _silent)
    assert (tmp_path / "small.onnx").stat().st_size > 1000


@pytest.mark.usefixtures("quick")
def test_when_the_record_cannot_be_written_there_is_no_file_either(
    plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = PendingFiles.write

    def full(files: PendingFiles, path: Path, content: bytes) -> Path:
        if path.suffix == ".json":
            raise OutputError(path, OSError(28, "No space left on device"))
        return write(files, path, content)

    monkeypatch.setattr(PendingFiles, "write", full)
    with pytest.raises(OutputError, match="No space left"):
        run(plan(), _silent)
    assert files_in(tmp_path) == set()


def test_the_pipeline_prints_nothing(quick: None, plan: MakePlan, capfd: pytest.CaptureFixture[str]) -> None:
    del quick
    run(plan(), _silent)
    assert capfd.readouterr() == ("", "")
    assert pipeline.run is run
