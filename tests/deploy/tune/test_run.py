"""`condmix export --tune` as a user types it, on a device that measures quickly; `--forms` with what it found."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.tune import run as tune_run
from condmix.exporters.tune.forms_file import read_forms_file
from tests.deploy.conftest import Run, files_in
from tests.deploy.tune.conftest import RealDevice


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> RealDevice:
    """Every address leads to it."""
    one = RealDevice()
    monkeypatch.setattr(tune_run, "open_device", lambda *_arguments: one)
    return one


@pytest.mark.usefixtures("captured_once")
def test_a_tuned_export_and_the_same_from_its_forms(
    condmix: Run, weights: Path, tmp_path: Path, device: RealDevice
) -> None:
    cache, tuned = tmp_path / "cache.json", tmp_path / "tuned"
    tuned.mkdir()
    ran = condmix("export", weights, "-o", tuned / "net.onnx", "--tune", "--tune-cache", cache, "--tune-seconds", "1")
    assert ran.code == 0, ran.err
    assert files_in(tuned) == {"net.onnx", "net.condmix.json", "net.reference.npz", "net.forms.json"}
    assert " tuning   on board: " in ran.out
    assert device.closed
    record = json.loads((tuned / "net.condmix.json").read_text())
    tuning = record["tuning"]
    assert tuning["verdict"] in ran.out
    assert tuning["device"] == "board"
    # Tuned or not, every layer has its form and says why.
    written = {layer["path"]: layer for layer in record["artifacts"][0]["layers"]}
    for layer, entry in tuning["forms"].items():
        if written[layer]["form"] != tuning["finisher"]:
            assert (written[layer]["form"], written[layer]["why"]) == (entry["form"], entry["why"])
    forms = read_forms_file((tuned / "net.forms.json").read_bytes(), "net.forms.json")
    shared = tmp_path / "shared"
    shared.mkdir()
    ran = condmix("export", weights, "-o", shared / "net.onnx", "--forms", tuned / "net.forms.json")
    assert ran.code == 0, ran.err
    assert f"note     forms as measured for {forms.sentence()}" in ran.out
    onnx.checker.check_model(shared / "net.onnx", full_check=True)
    assert files_in(shared) == {"net.onnx", "net.condmix.json", "net.reference.npz"}


@pytest.mark.usefixtures("captured_once")
def test_forms_of_another_network_are_named_one_by_one(condmix: Run, weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.forms.json"
    data = {
        "schema_version": 1, "kind": "condmix-forms", "condmix_version": "0", "network": "mixnet_s",
        "input_size": [3, 224, 224], "batch": 1, "runtime": "onnxruntime 1", "machine": "a CPU", "threads": 1,
        "finisher": "portable",
        "layers": {"blocks.0.mix": {"form": "hoisted", "why": ""}, "blocks.9": {"form": "kernel", "why": ""}},
    }  # fmt: skip
    path.write_text(json.dumps(data))
    ran = condmix("export", weights, "-o", tmp_path / "net.onnx", "--forms", path)
    assert ran.code == 4
    assert "blocks.0.mix: there is no such layer" in ran.err
    assert "blocks.9: there is no such layer" in ran.err
    assert files_in(tmp_path) == {"other.forms.json"}


def test_contradictions_end_before_anything_is_loaded(condmix: Run, tmp_path: Path) -> None:
    missing = tmp_path / "no.pt"
    ran = condmix("export", missing, "--tune", "--device", "emulated:cortex-a53")
    assert (ran.code, "emulated CPU has no latency to choose by" in ran.err) == (2, True)
    ran = condmix("export", missing, "--tune", "--condconv", "kernel")
    assert (ran.code, "it contradicts --condconv kernel" in ran.err) == (2, True)
    ran = condmix("export", missing, "--tune", "--format", "tflite")
    assert (ran.code, "--tune is about ONNX files: leave it out, or add onnx" in ran.err) == (2, True)
    ran = condmix("export", missing, "--device", "local")
    assert (ran.code, "--device is about tuning: add --tune" in ran.err) == (2, True)
    ran = condmix("export", missing, "--int8", "--calib", "x", "--tune")
    assert (ran.code, "--tune is about float files" in ran.err) == (2, True)


@pytest.mark.usefixtures("captured_once")
def test_a_device_that_fails_writes_nothing(
    condmix: Run, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(RealDevice):
        def run(self, *_arguments: object, **_more: object) -> object:  # type: ignore[override]
            step = "connect"
            raise DeviceError(self.name, step, "it does not answer", "Check the network.")

    monkeypatch.setattr(tune_run, "open_device", lambda *_arguments: Gone())
    ran = condmix("export", weights, "-o", tmp_path / "net.onnx", "--tune", "--device", "ssh://board")
    assert ran.code == 8
    assert "board: connect: it does not answer. Check the network." in ran.err
    assert files_in(tmp_path) == set()
