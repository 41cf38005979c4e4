"""Verifying: each artifact in its engine, its outputs held to its limit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from condmix.runtime.artifact import Format
from condmix.runtime.bench.reference import Limit
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.bundle import artifact_check
from condmix.runtime.bundle.artifact_check import check_artifact
from condmix.runtime.bundle.errors import DamagedBundleError
from condmix.runtime.bundle.verify import verify_bundle
from condmix.runtime.piped_process import WorkerEndedError
from condmix.runtime.signature import Tensor
from tests.runtime.bundle.bundles import contents, manifest_of, reference_of, with_manifest, write_folder, write_zip


class FakeWorker:
    """Answers as the worker of y = x @ w does, without an engine; `error` is added to each output."""

    def __init__(self, weight: np.ndarray, error: float) -> None:
        self.weight, self.error = weight, error

    def receive(self, *, timeout_seconds: float) -> tuple[dict[str, object], dict[str, Tensor]]:
        assert timeout_seconds > 0
        return {"kind": "ready", "memory_before_bytes": None}, {}

    def ask(
        self, head: Mapping[str, object], arrays: Mapping[str, Tensor], *, timeout_seconds: float
    ) -> tuple[dict[str, object], dict[str, Tensor]]:
        assert timeout_seconds > 0
        if head["kind"] == "open":
            spec = {"name": "x", "shape": [1, 4], "dtype": "float32", "layout": None}
            out = {"name": "y", "shape": [1, 5], "dtype": "float32", "layout": None}
            opened = {
                "kind": "opened",
                "signature": {"inputs": [spec], "outputs": [out]},
                "scales": {},
                "holds_integers": False,
                "engine_version": "9.9",
                "load_ns": 1,
                "memory_loaded_bytes": None,
            }
            return opened, {}
        started = {"kind": "started", "first_inference_ns": 1, "warmup_wall_ns": []}
        return started, {"y": arrays["x"] @ self.weight + np.float32(self.error)}

    def close(self) -> None:
        pass


@pytest.fixture
def parts(linear_bytes: bytes, linear_weight: np.ndarray) -> dict[str, bytes]:
    """The members of a bundle of a real file with the outputs it should have."""
    inputs = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    return contents(linear_bytes, reference_of(inputs, inputs @ linear_weight))


def fake(weight: np.ndarray, error: float = 0.0):
    def start(subject: BenchSubject) -> FakeWorker:
        assert subject.file.is_file()
        return FakeWorker(weight, error)

    return start


@pytest.mark.parametrize("folder", [False, True])
def test_a_right_bundle_in_its_real_engine(tmp_path: Path, parts: dict[str, bytes], folder: bool) -> None:
    members = with_manifest(parts)
    path = write_folder(tmp_path / "b", members) if folder else write_zip(tmp_path / "b.zip", members)
    stages: list[str] = []
    found = verify_bundle(path, threads=2, report_progress=stages.append)
    assert found.passed
    (check,) = found.checks
    assert check.agreement is not None
    assert check.agreement.images == 3
    assert check.agreement.max_abs_difference < 1e-5
    assert check.agreement.limit == 1e-4
    assert check.agreement.top1_agreement == 1.0
    assert check.inputs == {"x": (1, 4)}
    assert stages == ["check the hashes", "run net.onnx"]
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (record["kind"], record["passed"], record["digest"]) == ("condmix-bundle-verification", True, found.digest)


@pytest.mark.parametrize(("error", "passed"), [(0.0, True), (5e-5, True), (2e-4, False), (float("nan"), False)])
def test_the_limit_of_the_manifest_decides(
    tmp_path: Path, parts: dict[str, bytes], linear_weight: np.ndarray, error: float, passed: bool
) -> None:
    path = write_zip(tmp_path / "b.zip", with_manifest(parts))
    found = verify_bundle(path, start=fake(linear_weight, error))
    assert found.passed is passed
    assert [check.name for check in found.failed] == ([] if passed else ["net.onnx"])
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_limit_on_noise(tmp_path: Path, parts: dict[str, bytes], linear_weight: np.ndarray) -> None:
    for least, passed in ((10.0, True), (150.0, False)):
        path = write_zip(
            tmp_path / f"{least}.zip", with_manifest(parts, manifest_of(parts, limit=Limit(sqnr_db=least)))
        )
        assert verify_bundle(path, start=fake(linear_weight, 1e-3)).passed is passed


def test_a_worker_that_breaks_down_is_a_failure(tmp_path: Path, parts: dict[str, bytes]) -> None:
    def start(_subject: BenchSubject) -> FakeWorker:
        text = "the worker process ended with signal SIGSEGV: it said nothing"
        raise WorkerEndedError(text)

    found = verify_bundle(write_zip(tmp_path / "b.zip", with_manifest(parts)), start=start)
    assert found.failed[0].failure == "the worker process ended with signal SIGSEGV: it said nothing"
    assert not found.missing


def test_a_model_of_rubbish_is_a_failure_and_no_crash(tmp_path: Path, parts: dict[str, bytes]) -> None:
    """Its hashes are right: somebody packed it so."""
    parts["net.onnx"] = parts["net.onnx"][: len(parts["net.onnx"]) // 2]
    found = verify_bundle(write_zip(tmp_path / "b.zip", with_manifest(parts)))
    assert found.failed[0].failure is not None
    assert "cannot be opened" in found.failed[0].failure


def test_a_model_of_another_kind_is_named(tmp_path: Path, parts: dict[str, bytes]) -> None:
    parts["net.onnx"] = b"\x1c\x00\x00\x00TFL3" + bytes(100)
    with pytest.raises(DamagedBundleError, match=r"member 'net\.onnx': it is a file for litert"):
        verify_bundle(write_zip(tmp_path / "b.zip", with_manifest(parts)))


def test_a_damaged_reference_is_named(tmp_path: Path, parts: dict[str, bytes]) -> None:
    parts["net.reference.npz"] = b"rubbish" * 9
    with pytest.raises(DamagedBundleError, match=r"member 'net\.reference\.npz'"):
        verify_bundle(write_zip(tmp_path / "b.zip", with_manifest(parts)))


def test_an_engine_that_is_not_installed(
    tmp_path: Path, parts: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(artifact_check._MODULE_OF, Format.ONNX, "no_such_engine")
    found = verify_bundle(write_zip(tmp_path / "b.zip", with_manifest(parts)))
    assert not found.passed
    assert not found.failed
    assert found.missing[0].missing is not None
    assert 'pip install "condmix[onnxruntime]"' in found.missing[0].missing


def test_an_engine_that_is_broken(tmp_path: Path, parts: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there, but fails in the worker and cannot be imported here either."""

    def start(_subject: BenchSubject) -> FakeWorker:
        text = "the engine 'onnxruntime' cannot be used: libstdc++.so.6: version not found"
        raise WorkerEndedError(text)

    monkeypatch.setattr("condmix.runtime.onnx_session.OnnxRuntimeBackend.available", lambda _self: "it is broken")
    found = verify_bundle(write_zip(tmp_path / "b.zip", with_manifest(parts)), start=start)
    assert found.missing[0].missing == "it is broken"
    assert not found.failed


def test_a_file_without_a_limit_is_held_to_the_tolerance_of_its_format(
    tmp_path: Path, parts: dict[str, bytes], linear_weight: np.ndarray
) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(parts["net.onnx"])
    inputs = np.ones((2, 4), np.float32)
    reference = reference_of(inputs, inputs @ linear_weight)
    for error, passed in ((0.0, True), (1e-3, False)):
        check = check_artifact(path, Format.ONNX, reference, None, start=fake(linear_weight, error))
        assert check.passed is passed
        assert check.agreement is not None
        assert "held to the float32 tolerance" in check.agreement.detail
