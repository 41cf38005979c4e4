"""A file is read whole or refused by name; nothing outside its folder is opened."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from condmix.exporters.errors import OnnxInputError
from condmix.exporters.onnx_input import file as file_module
from condmix.exporters.onnx_input.file import read_file
from tests.exporters.onnx_input.sketches import batched_groups, saved


def refusal(path: Path) -> tuple[str, str]:
    with pytest.raises(OnnxInputError) as caught:
        read_file(path)
    assert str(caught.value).startswith(f"{path}: cannot be exported:\n  - ")
    return caught.value.problems[0]


def with_external(folder: Path, location: str, *, offset: int = 0, length: int | None = None) -> Path:
    """A file whose largest weight is said to lie elsewhere."""
    model = batched_groups(1)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "bank")
    data = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": location, "offset": str(offset), "length": str(len(data) if length is None else length)}
    for key, value in entries.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    inside = folder / "weights.bin"
    inside.write_bytes(data)
    return saved(model, folder)


def test_a_file_comes_with_its_check_sum(tmp_path: Path) -> None:
    found = read_file(saved(batched_groups(1), tmp_path))
    assert len(found.sha256) == 64
    assert found.external == ()
    assert len(found.proto.graph.node) > 10


def test_weights_beside_the_file_are_taken_in(tmp_path: Path) -> None:
    path = with_external(tmp_path, "weights.bin")
    found = read_file(path)
    assert found.external == ("weights.bin",)
    inside = {tensor.name: numpy_helper.to_array(tensor) for tensor in found.proto.graph.initializer}
    expected = {tensor.name: numpy_helper.to_array(tensor) for tensor in batched_groups(1).graph.initializer}
    assert np.array_equal(inside["bank"], expected["bank"])


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/hostname", "sub/../../weights.bin"])
def test_data_outside_the_folder_is_never_opened(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(b"\0" * 4096)
    code, text = refusal(with_external(folder, location))
    assert code == "ONNX_EXTERNAL_DATA"
    assert f"its data lies in {location!r}, outside the folder of the file" in text


def test_a_link_that_leads_outside_is_outside(tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"\0" * 4096)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    assert "outside the folder" in refusal(with_external(folder, "link.bin"))[1]


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"location": "absent.bin"}, "'absent.bin' is not there: copy it beside the .onnx file"),
        ({"location": ""}, "it names no file"),
        ({"location": "weights.bin", "offset": 100}, "weights.bin ends before its 1944 bytes at 100"),
        ({"location": "weights.bin", "length": 8}, "it needs 1944 bytes, its entry names 8 at 0"),
        ({"location": "weights.bin", "offset": -8}, "at -8 of weights.bin"),
    ],
)
def test_external_data_that_does_not_fit_is_named(tmp_path: Path, entries: dict[str, object], said: str) -> None:
    code, text = refusal(with_external(tmp_path, **entries))  # type: ignore[arg-type]
    assert (code, said in text) == ("ONNX_EXTERNAL_DATA", True), text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty (0 bytes)"),
        (b"PK\x03\x04 and so on", "a zip archive, as torch.save writes"),
        (b"\x80\x02}q\x00.", "a pickle"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"\x1c\0\0\0TFL3", "it is a TFLite file"),
        (b"hello, this is text", "it is not a whole ONNX file (19 bytes)"),
    ],
)
def test_what_is_no_onnx_file_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    code, text = refusal(tmp_path / "a.onnx")
    assert (code, said in text) == ("ONNX_DAMAGED", True), text


def test_a_file_cut_off_anywhere_is_refused_by_name(tmp_path: Path) -> None:
    whole = batched_groups(1).SerializeToString()
    for length in range(1, len(whole), 97):
        path = tmp_path / "cut.onnx"
        path.write_bytes(whole[:length])
        assert refusal(path)[0] == "ONNX_DAMAGED"


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    assert refusal(tmp_path / "absent.onnx") == ("ONNX_UNREADABLE", "there is no such file: check the path")
    assert "it is a folder" in refusal(tmp_path)[1]
    os.mkfifo(tmp_path / "pipe.onnx")
    assert refusal(tmp_path / "pipe.onnx")[0] == "ONNX_UNREADABLE"


@pytest.mark.parametrize("dims", [[1 << 40], [7], [-3, 2]])
def test_a_shape_that_its_data_does_not_have_is_refused(tmp_path: Path, dims: list[int]) -> None:
    model = batched_groups(1)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "bank")
    del tensor.dims[:]
    tensor.dims.extend(dims)
    code, text = refusal(saved(model, tmp_path))
    assert (code, "tensor 'bank'" in text) == ("ONNX_DAMAGED", True)


def test_numbers_in_fields_of_their_own_are_counted_too(tmp_path: Path) -> None:
    model = batched_groups(1)
    model.graph.initializer.append(TensorProto(name="fields", data_type=TensorProto.FLOAT, dims=[3], float_data=[1, 2]))
    assert refusal(saved(model, tmp_path))[1] == "tensor 'fields' of shape [3] needs 3 numbers, the file holds 2"


@pytest.mark.parametrize("name", [b"GlobalAveragePool", b"routing", b"sketch", b"head_bias"])
def test_names_that_are_no_text_are_damage(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(batched_groups(1).SerializeToString().replace(name, b"\xff" + name[1:]))
    assert refusal(path) == (
        "ONNX_DAMAGED",
        "a name in it is no text (UTF-8): copy it again, or export it again",
    )


def test_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_external(tmp_path, "weights.bin")
    monkeypatch.setattr(file_module, "MOST_BYTES", path.stat().st_size + 100)
    assert refusal(path)[0] == "ONNX_TOO_LARGE"
    monkeypatch.setattr(file_module, "MOST_BYTES", 10)
    assert refusal(path)[0] == "ONNX_TOO_LARGE"
    monkeypatch.undo()
    monkeypatch.setattr(file_module, "MOST_NODES", 3)
    assert "nodes: at most 3 are read" in refusal(path)[1]


def test_tensors_within_constants_and_branches_are_checked_too(tmp_path: Path) -> None:
    bad = TensorProto(name="inner", data_type=TensorProto.FLOAT, dims=[9], raw_data=b"\0\0\0\0")
    branch = helper.make_graph([helper.make_node("Constant", [], ["c"], value=bad)], "then", [], [])
    model = batched_groups(1)
    model.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=onnx.GraphProto()))
    assert refusal(saved(model, tmp_path))[1] == "tensor 'inner' of shape [9] needs 36 bytes, the file holds 4"
