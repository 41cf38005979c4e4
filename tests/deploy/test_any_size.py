"""--dynamic-size from the command line: one file, proven at several sizes, that the other commands can use."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import onnx_ir
import pytest
import torch

from condmix.deploy.any_size import choose_for, size_notes
from condmix.deploy.source import Source
from condmix.exporters.captured import Captured
from condmix.exporters.errors import NotExportableError
from condmix.exporters.sizes.choice import FreeSize
from condmix.exporters.verify.torch_oracle import TorchOracle
from condmix.models.network import TorchNetwork
from condmix.models.preprocessing import Preprocessing
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.conformance.any_size_networks import Flattened, segmenter
from tests.deploy.conftest import Run

FACTORY = "tests.conformance.any_size_networks:segmenter"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A fully convolutional network with CondConv and SAME padding."""
    torch.manual_seed(5)
    path = tmp_path / "weights.pt"
    torch.save(segmenter().state_dict(), path)
    return path


def test_one_file_takes_any_size_and_other_commands_know_what_to_do(
    condmix: Run, weights: Path, tmp_path: Path
) -> None:
    """One test, because the captures are the costly part."""
    free = tmp_path / "net.onnx"
    arguments = ("--factory", FACTORY, "--input-size", "3x24x24", "--dynamic-size", "--batch", "dynamic")
    ran = condmix("export", weights, *arguments, "-o", free)
    assert ran.code == 0, ran.err
    assert "[ok] sizes: any height and width: 20 cases at 41x92, 61x73, 17x19, 30x21, 23x30 hold" in ran.out

    record = json.loads(free.with_suffix(".condmix.json").read_text())
    (artifact,) = record["artifacts"]
    sizes = artifact["verification"]["sizes"]
    assert sizes["passed"]
    assert {case["size"] for case in sizes["cases"]} == {*sizes["captured"][1:], *sizes["held_out"]}
    assert {(case["batch"], case["threads"]) for case in sizes["cases"]} == {(1, 1), (3, 1), (1, 2), (3, 2)}

    (image,) = OnnxRuntimeBackend().open(free, threads=1).signature.inputs
    assert (image.shape, image.usual) == (("batch", 3, "height", "width"), (1, 3, 24, 24))
    said = {entry.key: entry.value for entry in onnx.load(free).metadata_props}
    assert json.loads(said["dynamic_size"]) == {
        "given": "24x24",
        "step": 1,
        "verified_at": [*sizes["captured"], *sizes["held_out"]],
    }

    audited = condmix("audit", free)
    assert "input 1x3x24x24" in audited.out
    assert "input 2x3x19x23" in condmix("audit", free, "--shape", "input=2x3x19x23").out
    assert condmix("diff", free, free).code == 0
    assert "dynamic_size: " in condmix("inspect", free).out

    again = condmix("export", free, "--dynamic-size", "--input-size", "20x32", "-o", tmp_path / "again.onnx")
    assert again.code == 0, again.err
    assert "[ok] sizes: any height and width: 10 cases at " in again.out
    assert "hold for this input size" not in again.out


@pytest.mark.parametrize(
    ("flags", "code", "text"),
    [
        (("--format", "tflite"), 4, "no form for any height and width"),
        (("--format", "onnx,tflite"), 4, "no form for any height and width"),
        (("--tune",), 2, "--tune measures forms at one size: give --forms of such a run"),
        (("--images", "somewhere"), 2, "--images is about one size: leave it out"),
        (("--condconv", "blocked"), 2, "it contradicts --condconv blocked"),
        (("--stage", "named", "--experts", "int8"), 2, "it contradicts --stage named"),
    ],
)
def test_what_has_one_size_is_refused(
    condmix: Run, weights: Path, tmp_path: Path, flags: tuple[str, ...], code: int, text: str
) -> None:
    ran = condmix("export", weights, "--dynamic-size", "-o", tmp_path / "net.onnx", *flags)
    assert (ran.code, list(tmp_path.iterdir())) == (code, [weights])
    assert text in ran.err


def test_a_network_of_one_size_is_refused_with_the_module_that_stops(weights: Path) -> None:
    graph = onnx_ir.Graph([], [onnx_ir.Value(name="logits")], nodes=[])
    module = Flattened().eval()
    network = TorchNetwork(
        architecture="flattened",
        settings={},
        input_size=(3, 24, 24),
        preprocessing=Preprocessing.default(3),
        class_names=None,
        source=weights,
        source_sha256=None,
        notes=(),
        module=module,
    )
    captured = Captured(model=onnx_ir.Model(graph, ir_version=9), taps=())
    source = Source(network=network, captured=captured, oracle=TorchOracle(module=module))
    with pytest.raises(NotExportableError, match="at 41x92: classifier: mat1 and mat2 shapes cannot be multiplied"):
        choose_for(source)


def test_notes_say_what_is_left() -> None:
    anything = FreeSize(step=1, captured=((8, 8),), held_out=())
    assert size_notes(anything) == ()
    stepped = FreeSize(step=32, captured=((64, 64),), held_out=(), not_run=("32x64: too small",))
    assert size_notes(stepped) == (
        "the network takes heights and widths that are multiples of 32, as PyTorch itself: "
        "at others the file may fail, or compute nothing sound",
        "not compared, for the network itself does not run there: 32x64: too small",
    )
