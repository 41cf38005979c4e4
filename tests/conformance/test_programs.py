"""Programs of torch through the command line, in both formats: the files compute what the network does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from condmix.deploy.cli import run
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.exporters.program.programs import SIZE, network, save_exported, save_scripted

SIZE_FLAGS = ("--input-size", "x".join(map(str, SIZE)))


@pytest.mark.parametrize(
    ("save", "name", "flags"),
    [
        (save_exported, "net.pt2", ()),
        pytest.param(save_scripted, "net.pt", SIZE_FLAGS, marks=pytest.mark.slow),
    ],
)
def test_a_program_of_three_images_becomes_both_files(
    save: object, name: str, flags: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = network()
    path = save(module, tmp_path / name, images=3)  # type: ignore[operator]
    assert run(["export", str(path), "--quiet", "--format", "onnx,tflite", *flags], program="condmix") == 0
    said = capsys.readouterr().out
    assert "the program is for 3 images at a time: the batch was taken out" in said
    assert "vs the original program float64" in said
    image = np.random.default_rng(0).standard_normal((1, *SIZE)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(image)).numpy()
    onnx = OnnxRuntimeBackend().open(tmp_path / "net.onnx", threads=1).run({"input": image})
    tflite = LiteRtBackend().open(tmp_path / "net.tflite", threads=1).run({"input": image.transpose(0, 2, 3, 1)})
    np.testing.assert_allclose(onnx["logits"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(tflite["logits"], expected, rtol=1e-4, atol=1e-5)


def test_a_program_takes_no_flags_about_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save_scripted(network(), tmp_path / "net.pt")
    assert run(["export", str(path), "--quiet", "--arch", "mixnet_s"], program="condmix") == 2
    assert "--arch is about weights files, a TorchScript program says itself what" in capsys.readouterr().err


def test_a_program_is_inspected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save_scripted(network(), tmp_path / "net.pt")
    assert run(["inspect", str(path), "--quiet", *SIZE_FLAGS], program="condmix") == 0
    said = capsys.readouterr().out
    assert "program:net" in said
    assert "CondConv" in said
