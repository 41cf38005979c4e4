"""What kind of weights file a path holds, read from its first bytes and never from its name alone.

A file that is none is refused with what it seems to be and what to do. Every archive is checked against its
own check sums: `torch.load` does not, and takes a flipped bit for a weight.
"""

import difflib
import stat
import struct
import zipfile
import zlib
from enum import Enum
from pathlib import Path, PurePosixPath

from condmix.models.errors import NotACheckpointError

_LEGACY_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""The number 0x1950a86a20f9469cfc6c as a pickle writes it: files of torch.save before 1.6 start with it."""

_HEAD_BYTES = 512

MOST_GROWTH = 100
"""Times a file's own size that its content may have; torch.save does not compress, and weights hardly can be."""

_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,
    OverflowError,
)
"""All that zipfile is known to raise on damaged archives; offsets of a damaged directory end as OSError, names as
UnicodeDecodeError."""

_FOREIGN: tuple[tuple[bytes, str, str], ...] = (
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the file it stands for",
        "fetch it with git lfs pull",
    ),
    (b"<!doctype html", "a web page, probably of a failed download", "download the file itself"),
    (b"<html", "a web page, probably of a failed download", "download the file itself"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes", "convert the weights to PyTorch first"),
    (b"\x1f\x8b", "compressed with gzip", "unpack it first"),
    (b"\xfd7zXZ", "compressed with xz", "unpack it first"),
    (b"BZh", "compressed with bzip2", "unpack it first"),
    (b"GGUF", "a GGUF file", "give the PyTorch weights it was made from"),
)

SAVE_WEIGHTS = "save the weights with torch.save(network.state_dict(), 'weights.pt') and give that file"


class FileKind(Enum):
    """The containers that can be read: weights, and programs, which `condmix.exporters.program` reads."""

    TORCH_ZIP = "torch.save, zip archive"
    TORCH_LEGACY = "torch.save before 1.6"
    SAFETENSORS = "safetensors"
    EXPORTED_PROGRAM = "torch.export program"
    TORCHSCRIPT = "TorchScript program"

    @property
    def is_program(self) -> bool:
        """Whether it says itself what it computes, and holds no weights for a network of somebody's code."""
        return self in (FileKind.EXPORTED_PROGRAM, FileKind.TORCHSCRIPT)


def identify(path: Path) -> FileKind:
    """The kind of the weights file at `path`; `NotACheckpointError` names what else was found there."""
    head, size_bytes = _head(path)
    if head.startswith(b"PK\x03\x04"):
        return _identify_zip(path, size_bytes)
    if head[:1] == b"\x80" and _LEGACY_MAGIC in head[:32]:
        return FileKind.TORCH_LEGACY
    if head[8:9] == b"{":
        _check_safetensors_size(path, head, size_bytes)
        return FileKind.SAFETENSORS
    message = f"{path}: {_describe_foreign(path, head)}"
    raise NotACheckpointError(message)


def _head(path: Path) -> tuple[bytes, int]:
    """The first bytes and the size of the file; whatever is no file with something in it is refused."""
    try:
        status = path.stat()
        inside = [entry.name for entry in path.iterdir()] if stat.S_ISDIR(status.st_mode) else []
        head = b""
        if stat.S_ISREG(status.st_mode):
            with path.open("rb") as stream:
                head = stream.read(_HEAD_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        message = f"{path}: there is no such file; {_neighbours(path)}"
        raise NotACheckpointError(message) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"{path}: cannot be read ({reason}); check the path and its permissions"
        raise NotACheckpointError(message) from None
    if stat.S_ISDIR(status.st_mode):
        weights = sorted(name for name in inside if Path(name).suffix in _SUFFIXES)
        held = f"it holds {', '.join(weights[:5])}" if weights else "it holds no weights files either"
        message = f"{path}: is a folder, expected a weights file; {held}"
        raise NotACheckpointError(message)
    if not stat.S_ISREG(status.st_mode):
        message = f"{path}: is a device or a pipe, expected a weights file; copy it to an ordinary file first"
        raise NotACheckpointError(message)
    if not head:
        message = f"{path}: is empty (0 bytes), expected a weights file; copy or download it again"
        raise NotACheckpointError(message)
    return head, status.st_size


_SUFFIXES = {".pt", ".pth", ".safetensors", ".tar", ".ckpt", ".bin"}


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return f"nor is there a folder {path.parent}"
    names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    near = difflib.get_close_matches(path.name, names, n=3)
    return f"nearest names there: {', '.join(near)}" if near else "check the path"


def _identify_zip(path: Path, size_bytes: int) -> FileKind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [PurePosixPath(name) for name in archive.namelist()]
            _refuse_bomb(path, size_bytes, sum(entry.file_size for entry in archive.infolist()))
            damaged = archive.testzip()
    except NotACheckpointError:
        raise
    except _DAMAGES:
        message = f"{path}: is cut off or damaged ({size_bytes} bytes of a zip archive); copy or download it again"
        raise NotACheckpointError(message) from None
    if damaged is not None:
        message = f"{path}: is damaged, {damaged} does not have its check sum; copy or download it again"
        raise NotACheckpointError(message)
    last = {name.name for name in names}
    if "constants.pkl" in last:
        return FileKind.TORCHSCRIPT
    if last & {"archive_format", "serialized_exported_program.json"}:
        return FileKind.EXPORTED_PROGRAM
    if "data.pkl" in last:
        return FileKind.TORCH_ZIP
    if names and all(name.suffix == ".npy" for name in names):
        message = f"{path}: is a NumPy archive, expected PyTorch weights; load it in Python and {SAVE_WEIGHTS}"
        raise NotACheckpointError(message)
    message = f"{path}: is a zip archive that torch.save did not write; unpack it and give the weights file in it"
    raise NotACheckpointError(message)


def _refuse_bomb(path: Path, size_bytes: int, unpacked_bytes: int) -> None:
    """torch.save does not compress; what states many times its own size would fill memory."""
    if unpacked_bytes > MOST_GROWTH * size_bytes:
        message = (
            f"{path}: is a zip archive of {size_bytes} bytes that would unpack to {unpacked_bytes}, which weights "
            "never do; nothing of it was read. Ask whoever made it for the weights file itself"
        )
        raise NotACheckpointError(message)


def _check_safetensors_size(path: Path, head: bytes, size_bytes: int) -> None:
    needed_bytes = 8 + int.from_bytes(head[:8], "little")
    if needed_bytes > size_bytes:
        message = (
            f"{path}: is cut off: its safetensors header alone needs {needed_bytes} bytes, the file has "
            f"{size_bytes}; copy or download it again"
        )
        raise NotACheckpointError(message)


def _describe_foreign(path: Path, head: bytes) -> str:
    lowered = head.lstrip().lower()
    for magic, what, advice in _FOREIGN:
        if head.startswith(magic) or lowered.startswith(magic):
            return f"is {what}; {advice}"
    if head[4:8] == b"TFL3":
        return "is a TFLite file, expected PyTorch weights; give the weights it was made from"
    if head[257:262] == b"ustar":
        return "is a tar archive; unpack it and give the weights file in it"
    if path.suffix == ".onnx":
        return "is an ONNX file, expected PyTorch weights"
    if head[0] == 0x80 and head[1] in range(2, 6):
        return (
            "is a plain pickle that torch.save did not write, expected a weights file; nothing of it was "
            f"run; in the program that wrote it {SAVE_WEIGHTS}"
        )
    return (
        f"is not a weights file: it starts with {head[:12]!r}, which neither torch.save nor safetensors "
        "writes; give a .pt, .pth or .safetensors file"
    )
