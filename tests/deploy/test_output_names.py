"""Where an export writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.deploy.errors import PlanError
from condmix.deploy.output_names import output_names, record_beside, weights_stem


def test_beside_the_weights_by_default() -> None:
    names = output_names(Path("a/net.pt"), None, "final")
    assert [path.as_posix() for path in names.all] == [
        "a/net.onnx",
        "a/net.condmix.json",
        "a/net.rejected.onnx",
        "a/net.rejected.condmix.json",
    ]


def test_an_earlier_stage_shows_in_the_default_name_only() -> None:
    assert output_names(Path("net.pt"), None, "named").model == Path("net.named.onnx")
    assert output_names(Path("net.pt"), Path("x.onnx"), "named").model == Path("x.onnx")


def test_a_folder_takes_the_default_name(tmp_path: Path) -> None:
    assert output_names(Path("a/net.pt"), tmp_path, "final").record == tmp_path / "net.condmix.json"


@pytest.mark.parametrize("output", ["net", "net.tflite", "net.onnx.zip", ".onnx"])
def test_a_name_that_is_not_onnx_is_refused(output: str) -> None:
    with pytest.raises(PlanError, match=r"does not end in \.onnx"):
        output_names(Path("net.pt"), Path(output), "final")


def test_the_weights_file_itself_is_never_the_output() -> None:
    with pytest.raises(PlanError, match="is the weights file itself"):
        output_names(Path("net.onnx"), Path("net.onnx"), "final")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("net.pt", "net"),
        ("net.pth.tar", "net"),
        ("net.safetensors", "net"),
        ("mixnet_s.ft_in1k", "mixnet_s.ft_in1k"),
        ("mixnet_s.v2.bin", "mixnet_s.v2"),
        ("NET.PT", "NET"),
        (".pt", ".pt"),
    ],
)
def test_only_what_says_weights_is_taken_off(name: str, stem: str) -> None:
    assert weights_stem(Path("folder.pt") / name) == stem


def test_the_record_of_a_file_lies_beside_it() -> None:
    names = output_names(Path("net.pt"), None, "named")
    assert record_beside(names.model) == names.record
    assert record_beside(names.rejected_model) == names.rejected_record
