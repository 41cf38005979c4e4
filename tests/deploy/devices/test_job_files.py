"""What is brought to a device for a job."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from condmix.deploy.devices.job_files import JobFiles
from condmix.deploy.devices.local import LocalDevice
from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.measure.plan import BenchRequest, make_plan
from condmix.runtime.bench.reference import Limit, Reference, write_reference
from condmix.runtime.errors import ModelUnreadableError
from tests.deploy.devices.boards import BRIEF, IMAGES, onnx_plan
from tests.runtime.test_external_data import WEIGHT, model_of


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model whose weights lie in two files, one of them in a folder."""
    path = tmp_path / "net.onnx"
    path.write_bytes(model_of("net.onnx.data", "parts/more.bin"))
    (tmp_path / "parts").mkdir()
    for name in ("net.onnx.data", "parts/more.bin"):
        (tmp_path / name).write_bytes(WEIGHT.tobytes())
    right = Reference(
        inputs={"x": IMAGES}, outputs={"y": IMAGES @ WEIGHT}, outputs_are="numpy",
        limits={"net.onnx": Limit(max_abs_difference=1e-5)},
    )  # fmt: skip
    write_reference(tmp_path / "net.reference.npz", right)
    return path


def test_weights_go_with_their_model_and_are_found_there(model: Path, tmp_path: Path):
    plan = make_plan(BenchRequest(files=(model,)))
    there = tmp_path / "there"
    for name, content in JobFiles(plan, BRIEF, ()).contents():
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_bytes(content)
    assert {one.relative_to(there / "files/0").as_posix() for one in (there / "files").rglob("*.*")} == {
        "net.onnx", "net.onnx.data", "parts/more.bin",
    }  # fmt: skip
    (subject,) = json.loads((there / "job.json").read_text())["subjects"]
    assert subject["subject"]["file"] == "files/0/net.onnx"
    moved = dataclasses.replace(plan.subjects[0], file=there / "files/0/net.onnx")
    report = LocalDevice().run(dataclasses.replace(plan, subjects=(moved,)), BRIEF)
    agreement = report.subject("net").agreement
    assert agreement is not None
    assert agreement.passed
    assert report.subject("net").size_bytes == model.stat().st_size + 2 * WEIGHT.nbytes


def test_weights_elsewhere_are_refused_before_anything_is_brought(model: Path, tmp_path: Path):
    model.write_bytes(model_of("../secret.bin"))
    (tmp_path.parent / "secret.bin").write_bytes(WEIGHT.tobytes())
    with pytest.raises(UnreadableFileError, match=r"it keeps weights in '../secret.bin': a path that leads out of its"):
        make_plan(BenchRequest(files=(model,)))
    plan = onnx_plan(tmp_path)
    (tmp_path / "model.onnx").write_bytes(model_of("../secret.bin"))
    with pytest.raises(ModelUnreadableError, match="leads out of its folder"):
        list(JobFiles(plan, BRIEF, ()).contents())
