"""What is built and what is not: each in its place, with its reason; the network's own pipelines do the work."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from condmix.deploy import pipeline, verified_file
from condmix.deploy.compare import variants
from condmix.deploy.compare.opened import OpenedNetwork
from condmix.deploy.compare.request import CompareRequest
from condmix.deploy.compare.variants import OURS, STOCK, STOCK_INT8, Built, Missing, build_variants
from condmix.deploy.errors import ImagesError
from condmix.deploy.loading import Loading
from condmix.exporters.errors import CaptureError, NotExportableError
from condmix.exporters.verify.records import Verification
from condmix.models.network import LoadedNetwork
from tests.deploy.conftest import failing, files_in

OURS_ONNX, OURS_TFLITE = "condmix ONNX", "condmix TFLite"


@pytest.fixture
def request_(weights: Path, tmp_path: Path) -> CompareRequest:
    return CompareRequest(loading=Loading(model=weights), folder=tmp_path)


def quick_stock() -> bytes:
    return b"stock"


def build(request: CompareRequest, network: LoadedNetwork, stock: Callable[[], bytes] = quick_stock) -> Built:
    return build_variants(request, OpenedNetwork(network=network, stock=stock), lambda _stage: None)


@pytest.mark.usefixtures("quick")
def test_all_that_can_be_built_is_there(request_: CompareRequest, network: LoadedNetwork, tmp_path: Path) -> None:
    built = build(request_, network)
    assert [(one.name, one.path.name, one.is_ours) for one in built.variants] == [
        (STOCK, "small_stock.onnx", False),
        (OURS_ONNX, "small.onnx", True),
        (OURS_TFLITE, "small.tflite", True),
    ]
    assert built.missing == []
    assert set(built.references[OURS].limits) == {"small.onnx", "small.tflite"}
    assert files_in(tmp_path) == {path.name for path in request_.all_paths if path.exists()}


@pytest.mark.usefixtures("quick")
def test_an_exporter_of_others_that_fails_is_a_row(
    request_: CompareRequest, network: LoadedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> bytes:
        message = "no decomposition\nfor aten::strange"
        raise KeyError(message)

    monkeypatch.setattr(variants, "run_int8", lambda *_arguments: fail())
    built = build(request_, network, fail)
    assert [one.name for one in built.variants] == [OURS_ONNX, OURS_TFLITE]
    (missing,) = built.missing
    assert missing.name == STOCK
    assert missing.reason.startswith("torch.onnx.export failed: ")
    assert "aten::strange" in missing.reason
    assert not missing.rejected
    # Without it there is nothing to quantise either; an error that nobody foresaw in ours passes through.
    with pytest.raises(KeyError):
        build(dataclasses.replace(request_, calib="images"), network, fail)


@pytest.mark.usefixtures("quick")
def test_a_rejected_file_is_a_row_with_what_is_wrong(
    request_: CompareRequest, network: LoadedNetwork, verified: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified_file, "verify_onnx", lambda *_arguments, **_options: failing(verified))
    built = build(request_, network)
    assert [one.name for one in built.variants] == [STOCK, OURS_TFLITE]
    (missing,) = built.missing
    assert (missing.name, missing.rejected) == (OURS_ONNX, True)
    assert missing.reason.startswith("it was rejected: stage final: max|d| ")


@pytest.mark.usefixtures("quick")
def test_one_format_that_has_no_form_does_not_take_the_other_with_it(
    request_: CompareRequest, network: LoadedNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        summary = "TFLite has no form of:"
        raise NotExportableError(summary, ("blocks.2: Erf",))

    monkeypatch.setattr(pipeline, "build_tflite", refuse)
    built = build(request_, network)
    assert [one.name for one in built.variants] == [STOCK, OURS_ONNX]
    assert built.missing == [Missing(name=OURS_TFLITE, reason="TFLite has no form of: - blocks.2: Erf")]
    assert (tmp_path / "small.onnx").exists()


def test_when_nothing_can_be_built_the_error_is_told(
    request_: CompareRequest, network: LoadedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        message = "the network cannot be captured"
        raise CaptureError(message)

    monkeypatch.setattr("condmix.exporters.capture.capture", fail)
    with pytest.raises(CaptureError, match="cannot be captured"):
        build(request_, network, fail)


@pytest.mark.usefixtures("quick")
def test_int8_of_the_stock_file_fails_alone(
    request_: CompareRequest,
    network: LoadedNetwork,
    tmp_path: Path,
    images_npy: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_arguments: object) -> None:
        message = "the int8 export stops here"
        raise CaptureError(message)

    monkeypatch.setattr(variants, "run_int8", refuse)
    built = build(dataclasses.replace(request_, calib=str(images_npy)), network)
    assert [one.name for one in built.variants] == [STOCK, OURS_ONNX, OURS_TFLITE]
    reasons = {one.name: one.reason for one in built.missing}
    assert list(reasons) == [STOCK_INT8, "condmix int8 ONNX", "condmix int8 TFLite"]
    assert reasons[STOCK_INT8].startswith("quantize_static failed: ")
    assert reasons["condmix int8 ONNX"] == "the int8 export stops here"
    # What is wrong with the images is no row.
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImagesError):
        build(dataclasses.replace(request_, calib=str(tmp_path / "empty")), network)
