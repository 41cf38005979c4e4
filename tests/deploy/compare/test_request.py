"""What a comparison writes: every name is its own, and all that are in the way are told before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.deploy.compare.request import CompareRequest, room
from condmix.deploy.errors import OutputError, PlanError
from condmix.deploy.format_choices import FORMATS
from condmix.deploy.loading import Loading
from tests.deploy.conftest import files_in


def request(folder: Path, *, overwrite: bool = False, **choices: object) -> CompareRequest:
    return CompareRequest(loading=Loading(model=Path("a/net.pt")), folder=folder, overwrite=overwrite, **choices)  # type: ignore[arg-type]


def test_every_file_has_a_name_of_its_own(tmp_path: Path) -> None:
    names = [path.name for path in request(tmp_path, calib="images", expert_banks=True).all_paths]
    assert len(set(names)) == len(names)
    wanted = {"net.onnx", "net.tflite", "net_stock.onnx", "net_stock_int8.onnx", "net_int8.onnx", "net_int8.tflite"}
    wanted |= {"net_int8experts.onnx", "net_int8experts.tflite", "net_int8experts.condmix.json", "net.reference.npz"}
    wanted |= {"net_int8.reference.npz", "report.html", "comparison.md"}
    assert wanted <= set(names)
    fewer = {path.name for path in request(tmp_path).all_paths}
    assert not any("int8" in name for name in fewer)


def test_an_export_of_one_format_has_the_names_it_has_beside_the_other(tmp_path: Path) -> None:
    asked = request(tmp_path, calib="images")
    both, alone = asked.float_plan(FORMATS, banks=True).output, asked.float_plan(("tflite",), banks=True).output
    assert alone.models["tflite"] == both.models["tflite"]
    assert asked.int8_plan(("onnx",)).output.models["onnx"] == asked.int8_plan(FORMATS).output.models["onnx"]


def test_all_that_is_in_the_way_is_listed(tmp_path: Path) -> None:
    for name in ("net.tflite", "report.md"):
        (tmp_path / name).write_text("old")
    with pytest.raises(PlanError) as caught, room(request(tmp_path)):
        pass
    assert "net.tflite" in str(caught.value)
    assert "report.md" in str(caught.value)
    with room(request(tmp_path, overwrite=True)):
        pass
    assert files_in(tmp_path) == {"net.tflite", "report.md"}


def test_a_folder_that_was_made_for_nothing_goes_again(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with room(request(folder)):
        assert folder.is_dir()
    assert not folder.exists()
    with room(request(folder)):
        (folder / "net.onnx").write_text("made")
    assert files_in(folder) == {"net.onnx"}
    (tmp_path / "file").write_text("old")
    with pytest.raises(OutputError), room(request(tmp_path / "file" / "below")):
        pass
