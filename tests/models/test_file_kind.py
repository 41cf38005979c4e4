"""Tests of condmix.models.file_kind."""

import gzip
import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from condmix.models.errors import NotACheckpointError
from condmix.models.file_kind import FileKind, identify

_ADVICE = "save the weights with torch.save(network.state_dict(), 'weights.pt') and give that file"


def refusal(path: Path) -> str:
    """The text of the error without the path it starts with."""
    with pytest.raises(NotACheckpointError) as caught:
        identify(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    return {"weight": torch.arange(2000.0)}


def test_the_three_kinds_are_told_by_content_and_not_by_suffix(tmp_path, weights):
    torch.save(weights, tmp_path / "a.safetensors")
    torch.save(weights, tmp_path / "b.bin", _use_new_zipfile_serialization=False)
    save_file(weights, tmp_path / "c.pt")
    assert identify(tmp_path / "a.safetensors") is FileKind.TORCH_ZIP
    assert identify(tmp_path / "b.bin") is FileKind.TORCH_LEGACY
    assert identify(tmp_path / "c.pt") is FileKind.SAFETENSORS


def test_a_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "mixnet_s.pt").touch()
    assert refusal(tmp_path / "mixnet_m.pt") == "there is no such file; nearest names there: mixnet_s.pt"
    assert refusal(tmp_path / "zzz") == "there is no such file; check the path"
    assert refusal(tmp_path / "no" / "a.pt") == f"there is no such file; nor is there a folder {tmp_path / 'no'}"
    assert refusal(tmp_path / "mixnet_s.pt" / "a.pt").startswith("there is no such file; nor is there")


def test_a_folder_says_what_it_holds(tmp_path):
    assert refusal(tmp_path) == "is a folder, expected a weights file; it holds no weights files either"
    for name in ("b.pt", "a.safetensors", "notes.txt"):
        (tmp_path / name).touch()
    assert refusal(tmp_path) == "is a folder, expected a weights file; it holds a.safetensors, b.pt"


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.pt")
    assert refusal(tmp_path / "pipe.pt") == (
        "is a device or a pipe, expected a weights file; copy it to an ordinary file first"
    )


def test_an_empty_file(tmp_path):
    (tmp_path / "a.pt").touch()
    assert refusal(tmp_path / "a.pt") == "is empty (0 bytes), expected a weights file; copy or download it again"


def test_an_unreadable_file(tmp_path, monkeypatch):
    (tmp_path / "a.pt").write_bytes(b"PK")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert refusal(tmp_path / "a.pt") == "cannot be read (Permission denied); check the path and its permissions"


def test_paths_the_system_does_not_take(tmp_path):
    assert refusal(tmp_path / ("a" * 300)) == "cannot be read (File name too long); check the path and its permissions"
    assert refusal(Path("a\0b")) == "cannot be read (embedded null byte); check the path and its permissions"


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_cut_off_zip(tmp_path, weights, kept):
    torch.save(weights, tmp_path / "a.pt")
    content = (tmp_path / "a.pt").read_bytes()
    kept_bytes = int(len(content) * kept)
    (tmp_path / "a.pt").write_bytes(content[:kept_bytes])
    assert refusal(tmp_path / "a.pt") == (
        f"is cut off or damaged ({kept_bytes} bytes of a zip archive); copy or download it again"
    )


def test_one_flipped_bit_in_a_weight_is_found_though_torch_takes_it(tmp_path, weights):
    torch.save(weights, tmp_path / "a.pt")
    content = bytearray((tmp_path / "a.pt").read_bytes())
    position = content.find(np.arange(1000, 1010, dtype=np.float32).tobytes())
    content[position + 2] ^= 0x40
    (tmp_path / "a.pt").write_bytes(content)
    assert not torch.equal(torch.load(tmp_path / "a.pt", weights_only=True)["weight"], weights["weight"])
    assert refusal(tmp_path / "a.pt") == "is damaged, a/data/0 does not have its check sum; copy or download it again"


def test_a_cut_off_safetensors_header(tmp_path, weights):
    save_file(weights, tmp_path / "a.safetensors")
    content = (tmp_path / "a.safetensors").read_bytes()
    header_bytes = 8 + int.from_bytes(content[:8], "little")
    (tmp_path / "a.safetensors").write_bytes(content[:20])
    assert refusal(tmp_path / "a.safetensors") == (
        f"is cut off: its safetensors header alone needs {header_bytes} bytes, the file has 20; "
        "copy or download it again"
    )


def archive(names: list[str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        for name in names:
            opened.writestr(name, b"x")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (
            ["a.npy", "b.npy"],
            f"is a NumPy archive, expected PyTorch weights; load it in Python and {_ADVICE}",
        ),
        (
            ["readme.txt"],
            "is a zip archive that torch.save did not write; unpack it and give the weights file in it",
        ),
    ],
)
def test_other_zip_archives_are_named(tmp_path, names, what):
    (tmp_path / "a.pt").write_bytes(archive(names))
    assert refusal(tmp_path / "a.pt") == what


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["net/data.pkl", "net/constants.pkl", "net/code/a.py"], FileKind.TORCHSCRIPT),
        (["net/archive_format", "net/models/model.json"], FileKind.EXPORTED_PROGRAM),
        (["serialized_exported_program.json"], FileKind.EXPORTED_PROGRAM),
    ],
)
def test_programs_are_told_from_weights(tmp_path, names, kind):
    (tmp_path / "a.pt").write_bytes(archive(names))
    assert identify(tmp_path / "a.pt") is kind
    assert kind.is_program
    assert not FileKind.TORCH_ZIP.is_program


def test_a_real_exported_program_is_named(tmp_path):
    program = torch.export.export(torch.nn.Linear(2, 2), (torch.ones(1, 2),))
    torch.export.save(program, tmp_path / "a.pt2")
    assert identify(tmp_path / "a.pt2") is FileKind.EXPORTED_PROGRAM


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_a_real_torchscript_archive_is_named(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "a.pt"))
    assert identify(tmp_path / "a.pt") is FileKind.TORCHSCRIPT


def tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as opened:
        opened.addfile(tarfile.TarInfo("weights.pt"))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
            "is a Git LFS pointer, not the file it stands for; fetch it with git lfs pull",
        ),
        (
            b"\n<!DOCTYPE html><html>",
            "is a web page, probably of a failed download; download the file itself",
        ),
        (b"<HTML>", "is a web page, probably of a failed download; download the file itself"),
        (
            b"\x89HDF\r\n\x1a\n123",
            "is an HDF5 file, as Keras writes; convert the weights to PyTorch first",
        ),
        (gzip.compress(b"x", mtime=0), "is compressed with gzip; unpack it first"),
        (b"\xfd7zXZ\x00", "is compressed with xz; unpack it first"),
        (b"BZh91AY", "is compressed with bzip2; unpack it first"),
        (b"GGUF\x03", "is a GGUF file; give the PyTorch weights it was made from"),
        (
            b"\x1c\x00\x00\x00TFL3",
            "is a TFLite file, expected PyTorch weights; give the weights it was made from",
        ),
        (tar(), "is a tar archive; unpack it and give the weights file in it"),
        (
            pickle.dumps({"a": 1}),
            "is a plain pickle that torch.save did not write, expected a weights file; nothing of it was run; in "
            f"the program that wrote it {_ADVICE}",
        ),
        (
            b"hello",
            "is not a weights file: it starts with b'hello', which neither torch.save nor safetensors writes; give "
            "a .pt, .pth or .safetensors file",
        ),
    ],
)
def test_other_formats_are_named(tmp_path, content, what):
    (tmp_path / "a.pt").write_bytes(content)
    assert refusal(tmp_path / "a.pt") == what


def test_an_onnx_file_is_named_by_its_suffix(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"\x08\x0a")
    assert refusal(tmp_path / "a.onnx") == "is an ONNX file, expected PyTorch weights"


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", bytes(10_000_000))
    with pytest.raises(NotACheckpointError, match="would unpack to 10000000, which weights never do; nothing"):
        identify(path)


@pytest.mark.parametrize("damage", ["directory", "name"])
def test_a_damaged_directory_is_damage(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "net.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"x" * 200)
    data = bytearray(path.read_bytes())
    if damage == "directory":
        end = data.rfind(b"PK\x05\x06")
        start = int.from_bytes(data[end + 16 : end + 20], "little")
        data[end + 16 : end + 20] = (start + 100).to_bytes(4, "little")
    else:
        entry = data.find(b"PK\x01\x02")
        data[entry + 8 : entry + 10] = b"\x00\x08"  # its name is UTF-8
        data[entry + 46] = 0xA6
    path.write_bytes(bytes(data))
    with pytest.raises(NotACheckpointError, match="cut off or damaged"):
        identify(path)
