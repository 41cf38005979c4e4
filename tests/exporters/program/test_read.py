"""Every way in which torch saves a program leads to the same network, proven against the program itself."""

from __future__ import annotations

import copy
import functools
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from condmix.exporters.build import build_from
from condmix.exporters.errors import OnnxInputError, ProgramInputError
from condmix.exporters.options import ExportOptions
from condmix.exporters.program.read import ProgramSource, read_program
from condmix.models.file_kind import identify
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.exporters.program.programs import SIZE, network, save_exported, save_scripted
from tests.exporters.proven import onnx_proof


def silent(_stage: str) -> None:
    """Nobody is watching."""


@functools.cache
def read(path: Path, size: tuple[int | None, int, int] | None = SIZE) -> ProgramSource:
    return read_program(path, identify(path), size, silent)


@pytest.mark.parametrize(
    ("name", "images"),
    [("exported_dynamic", 1), ("exported_three", 3), ("traced", 3), ("frozen", 1)],
)
def test_a_program_is_recognised_and_proven(name: str, images: int, request: pytest.FixtureRequest) -> None:
    found = read(request.getfixturevalue(name))
    built = build_from(found.captured, ExportOptions(batch=None), {}, silent)
    assert [(layer.recognised, layer.form) for layer in built.layers] == [(True, "matmul")]
    assert found.oracle.images == images
    assert found.oracle.computes_in_float64 == (name != "frozen")
    assert ("float32 constants" in " ".join(found.notes)) == (name == "frozen")
    proof = onnx_proof(built, found, None)
    assert proof.passed, proof.final.sentence()


def test_halves_are_computed_in_float32(tmp_path: Path) -> None:
    dtype = torch.bfloat16
    module = network().to(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(module, (torch.zeros(1, *SIZE, dtype=dtype),)), tmp_path / "half.pt2")
    found = read(tmp_path / "half.pt2")
    assert "the program holds other numbers than float32: it is computed" in found.notes[0]
    images = np.random.default_rng(0).standard_normal((2, *SIZE)).astype(np.float32)
    with torch.no_grad():
        expected = copy.deepcopy(module).double()(torch.from_numpy(images).double()).numpy()
    np.testing.assert_allclose(found.oracle.float64(images, ["logits"])["logits"], expected, rtol=1e-6, atol=1e-6)
    final = build_from(found.captured, ExportOptions(batch=None), {}, silent).final.proto.SerializeToString()
    given = OnnxRuntimeBackend().open(final, threads=1).run({"input": images})["logits"]
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["exported_three", "traced", "frozen"])
def test_the_yardstick_is_the_network(name: str, mixed: nn.Module, request: pytest.FixtureRequest) -> None:
    oracle = read(request.getfixturevalue(name)).oracle
    images = np.random.default_rng(0).standard_normal((4, *SIZE)).astype(np.float32)
    with torch.no_grad():
        expected = mixed.double()(torch.from_numpy(images).double()).numpy()
        mixed.float()
    found = oracle.reference(images, ["logits"])
    np.testing.assert_allclose(found.float64["logits"], expected, rtol=1e-6, atol=1e-6)
    assert found.float32["logits"].dtype == np.float32
    np.testing.assert_allclose(found.float32["logits"], expected, rtol=1e-3, atol=1e-4)


def test_torchscript_needs_a_size(traced: Path) -> None:
    with pytest.raises(ProgramInputError, match=r"give --input-size CxHxW \[PROGRAM_INPUT_SIZE\]"):
        read(traced, None)
    with pytest.raises(ProgramInputError, match=r"does not run on images of \(5, 12, 12\).*\[PROGRAM_INPUT_SIZE\]"):
        read(traced, (5, 12, 12))


def test_a_size_that_contradicts_the_program_is_refused(exported: Path) -> None:
    with pytest.raises(OnnxInputError, match=r"has height 12, --input-size says 16"):
        read(exported, (3, 16, 16))


class Median(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nanmedian(x.flatten(1), dim=1).values


@pytest.mark.parametrize("save", [save_exported, save_scripted])
def test_an_operator_that_onnx_has_not_is_named(save: object, tmp_path: Path) -> None:
    path = save(Median(), tmp_path / "median.pt2")  # type: ignore[operator]
    with pytest.raises(ProgramInputError, match=r"nanmedian.*\[PROGRAM_CONVERSION\]"):
        read(path)


def test_a_program_of_one_size_is_not_read_at_others(tmp_path: Path) -> None:
    static = save_exported(network(), tmp_path / "static.pt2")
    with pytest.raises(ProgramInputError, match=r"exported for images of 12x12 alone.*dynamic_shapes.*PROGRAM_SIZE"):
        read_program(static, identify(static), None, silent, any_size=True)
    height, width = torch.export.Dim("height", min=4, max=64), torch.export.Dim("width", min=4, max=64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(network(), (torch.zeros(1, *SIZE),), dynamic_shapes=({2: height, 3: width},))
        torch.export.save(program, tmp_path / "open.pt2")
    for size in ((3, 12, 12), (3, 13, 19)):
        found = read_program(tmp_path / "open.pt2", identify(tmp_path / "open.pt2"), size, silent, any_size=True)
        assert found.input_size == size
