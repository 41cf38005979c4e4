"""`make accuracy` on a tiny network: every file is made, run and counted; what is missing has its reason."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from torch import nn

from condmix.deploy.bench import accuracy, accuracy_files, accuracy_images, accuracy_measure, accuracy_scores
from condmix.deploy.bench.accuracy import main
from condmix.deploy.bench.accuracy_files import (
    ONNX_BANKS,
    ONNX_INT8,
    QUANTIZER,
    STATIC,
    STATIC_CHANNELS,
    TFLITE_BANKS,
    TFLITE_INT8,
    AccuracyFile,
    litert_file,
    our_files,
    stock_files,
)
from condmix.deploy.bench.accuracy_images import AccuracyImages
from condmix.deploy.bench.accuracy_measure import CALIBRATION_FILE, measure
from condmix.deploy.bench.accuracy_page import ImageCounts
from condmix.deploy.bench.accuracy_scores import Scores
from condmix.deploy.bench.accuracy_subjects import AccuracySubject
from condmix.deploy.bench.errors import ConverterFailedError, WrongAnswerError
from condmix.deploy.bench.litert_environment import Conversion
from condmix.deploy.int8.plan import Int8Plan
from condmix.deploy.plan import Plan
from condmix.models.network import LoadedNetwork
from condmix.models.training import TrainingSettings
from condmix.runtime.errors import ModelUnreadableError
from tests.deploy.conftest import files_in

TINY = AccuracySubject(
    network="mixnet_digits",
    training=TrainingSettings(epochs=1),
    settings={"width": 0.5, "input_size": 16},
)


@pytest.mark.usefixtures("few_digits")
def test_a_network_is_trained_exported_run_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is hardly trained and often undecided: that figures are there and agree is what matters."""
    monkeypatch.setattr(accuracy_images, "SHIFTS", ((0, 0),))
    told: list[str] = []
    result, counts = measure(TINY, tmp_path, tmp_path / "checkpoints", None, told.append)
    assert counts == ImageCounts(calibration=300, held_out=360, many=320)
    assert files_in(tmp_path) == {"checkpoints", "mixnet_digits"}
    folder = tmp_path / "mixnet_digits"
    assert np.load(folder / CALIBRATION_FILE).shape == (300, 1, 16, 16)
    assert {"mixnet_digits_int8.onnx", "mixnet_digits_int8.tflite"} <= files_in(folder)
    rows = {row.name: row for row in result.rows}
    ours = [ONNX_INT8, TFLITE_INT8]
    assert list(rows) == [*ours, STATIC, STATIC_CHANNELS, QUANTIZER]
    for name in (*ours, STATIC, STATIC_CHANNELS):
        row = rows[name]
        assert row.agreement_many is not None, row.remark
        assert row.agreement_many > 0.5
        assert row.drop_points == pytest.approx(100 * (result.float_top1 - (row.top1 or 0.0)))
    assert rows[QUANTIZER].remark == "not run: no environment with litert-torch (--litert-environment)"
    assert result.agreement_held_out is not None
    assert result.agreement_held_out > 0.5
    assert "mixnet_digits: epoch 1 of 1, loss " in "\n".join(told)


def test_the_front_writes_the_page_and_every_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.deploy.test_bench_accuracy_page import RESULT

    asked = []

    def played(subject: AccuracySubject, *arguments: object) -> tuple[object, ImageCounts]:
        asked.append((subject.network, *arguments[:3]))
        return RESULT, ImageCounts(calibration=300, held_out=360, many=1)

    monkeypatch.setattr(accuracy, "measure", played)
    tmp_path.joinpath("out").mkdir()
    done = CliRunner().invoke(main, [str(tmp_path / "out"), "--network", "mixnet_s"])
    assert done.exit_code == 0, done.output
    assert asked == [("mixnet_s", tmp_path / "out", tmp_path / "out", None)]
    record = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    assert (record["schema_version"], record["kind"]) == (1, "condmix-accuracy")
    assert record["networks"][0]["rows"][0]["top1"] == 0.9889
    assert "**mixnet_s**: 99.17% in float" in (tmp_path / "out" / "accuracy.md").read_text()


def test_an_environment_that_is_not_there_ends_with_code_8(tmp_path: Path) -> None:
    arguments = [str(tmp_path), "--litert-environment", str(tmp_path / "absent")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 8
    assert "expected an environment with litert-torch, found no " in done.output


def test_a_checkpoint_that_cannot_be_read_ends_with_its_code(tmp_path: Path) -> None:
    (tmp_path / "mixnet_s.pt").write_bytes(b"no checkpoint")
    done = CliRunner().invoke(main, [str(tmp_path), "--network", "mixnet_s"])
    assert done.exit_code == 3
    assert "mixnet_s.pt" in done.output


def test_networks_with_experts_have_files_with_int8_banks_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports are played: what is asked of them, and what becomes of files that they rejected."""
    images = tmp_path / "images.npy"
    np.save(images, np.zeros((7, 1, 4, 4), np.float32))

    def outcome(names: tuple[str, str], layouts: tuple[str, str]) -> SimpleNamespace:
        files = []
        for name, layout, passed in zip(names, layouts, (True, False), strict=True):
            path = tmp_path / name
            path.write_bytes(name.encode())
            artifact = SimpleNamespace(path=path, format=path.suffix[1:])
            files.append(SimpleNamespace(artifact=artifact, layout=layout, passed=passed, float_size_bytes=100))
        return SimpleNamespace(files=tuple(files))

    def int8(plan: Int8Plan, _report: object) -> SimpleNamespace:
        assert (plan.flags.calib, plan.flags.calib_samples, plan.formats) == (str(images), 7, ("onnx", "tflite"))
        return outcome(("a.onnx", "a.rejected.tflite"), ("nchw", "nhwc"))

    def banks(plan: Plan, _report: object) -> SimpleNamespace:
        assert plan.choices.onnx is not None
        assert plan.choices.tflite is not None
        assert (plan.choices.onnx.experts, plan.choices.tflite.experts) == ("int8", "int8")
        return outcome(("b.onnx", "b.rejected.tflite"), ("NCHW", "NHWC"))

    monkeypatch.setattr(accuracy_files, "run_int8", int8)
    monkeypatch.setattr(accuracy_files, "run_float", banks)
    files, float_size_bytes = our_files(
        tmp_path / "net.pt", images, tmp_path, conditional=True, report_progress=lambda _text: None
    )
    assert float_size_bytes == 100
    assert [(file.name, file.format, file.layout, file.remark) for file in files] == [
        (ONNX_INT8, "onnx", "nchw", ""),
        (TFLITE_INT8, "tflite", "nhwc", "rejected by its own proof"),
        (ONNX_BANKS, "onnx", "nchw", ""),
        (TFLITE_BANKS, "tflite", "nhwc", "rejected by its own proof"),
    ]
    assert files[3].content == b"b.rejected.tflite"
    monkeypatch.setattr(accuracy_files, "run_int8", lambda *_arguments: SimpleNamespace(files=()))
    with pytest.raises(WrongAnswerError, match="its float graph does not compute what PyTorch computes"):
        our_files(tmp_path / "net.pt", images, tmp_path, conditional=True, report_progress=lambda _text: None)


# Files of others


@pytest.mark.parametrize("fails", [None, "litert-torch", "ai-edge-quantizer"])
def test_the_other_converter_gets_the_same_images(
    fails: str | None, network: LoadedNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.ones((2, 1, 32, 32), np.float32)

    def answer(tool: str, content: bytes) -> Conversion:
        if tool == fails:
            raise ConverterFailedError(TINY.network, 1, f"a traceback\n{tool} gave up", tool=tool)
        return Conversion(content=content, wall_seconds=1.0, cpu_seconds=1.0, versions={tool: "1"})

    def convert(_python: Path, _name: str, _module: nn.Module, size: int, *, channels: int) -> Conversion:
        assert (channels, size) == (1, 32)
        return answer("litert-torch", b"float")

    def quantize(_python: Path, _name: str, content: bytes, given: np.ndarray) -> Conversion:
        assert content == b"float"
        assert given is images
        return answer("ai-edge-quantizer", b"int8")

    monkeypatch.setattr(accuracy_files, "convert", convert)
    monkeypatch.setattr(accuracy_files, "quantize", quantize)
    file = litert_file(tmp_path / "python", "small", network, images, lambda _text: None)
    if fails is None:
        assert file.content == b"int8"
        assert file.versions == {"litert-torch": "1", "ai-edge-quantizer": "1"}
    else:
        assert file.content is None
        assert file.remark == f"{fails} gave up"


def test_what_quantize_static_refuses_is_a_row_of_its_own(
    network: LoadedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_stock: bytes, _images: np.ndarray) -> bytes:
        message = "an operator\nit does not know"
        raise RuntimeError(message)

    monkeypatch.setattr(accuracy_files, "stock_onnx", lambda *_arguments: b"stock")
    monkeypatch.setattr(accuracy_files, "stock_int8_as_it_comes", refuse)
    monkeypatch.setattr(accuracy_files, "stock_int8", lambda *_arguments: b"int8")
    files = stock_files(network, np.ones((1, 1, 32, 32), np.float32), lambda _text: None)
    assert [(file.name, file.content) for file in files] == [(STATIC, None), (STATIC_CHANNELS, b"int8")]
    assert files[0].remark == "an operator it does not know"


def test_a_file_that_its_engine_refuses_has_the_reason_in_its_row() -> None:
    array = np.ones((2, 1, 4, 4), np.float32)
    images = AccuracyImages(
        calibration_nchw=array, held_out_nchw=array, held_out_labels=np.zeros(2, int), many_nchw=array
    )
    file = AccuracyFile(name="theirs", format="tflite", content=b"no flatbuffer")
    with pytest.raises(ModelUnreadableError):
        accuracy_scores.file_scores(file, images)
    found = accuracy_measure._scored(file, images, lambda _text: None)
    assert isinstance(found, str)
    assert "cannot be opened" in found
    exact = Scores(held_out=np.eye(2), many=np.eye(2))
    (row,) = accuracy_measure._rows([file], {"theirs": found}, exact, images, 100)
    assert (row.top1, row.remark, row.size_ratio) == (None, found, 0.13)
