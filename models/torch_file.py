"""Reads files of torch.save without running what is in them.

A pickle is a program. `torch.load(weights_only=True)` runs only the part of it that builds tensors and plain
data; everything else is refused here with the names of what the file wanted to import.
"""

import argparse
import io
import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy._core import multiarray

from condmix.models.errors import CheckpointError, NotACheckpointError, PickleRefusedError
from condmix.models.factory import working_directory_importable
from condmix.models.file_kind import FileKind

_SHOWN = 8
_LEGACY_PICKLES = 4
"""Magic number, protocol, machine, content: the pickles before the raw numbers in files before torch 1.6."""

_HARMLESS: tuple[Any, ...] = (
    argparse.Namespace,
    np.dtype,
    *(type(np.dtype(code)) for code in "?bBhHiIlLqQefd"),
    multiarray.scalar,
    (multiarray.scalar, "numpy.core.multiarray.scalar"),
)
"""What training scripts leave beside the weights and what cannot do anything when built: the parsed arguments
and NumPy numbers."""

_BUILDS_TENSORS = re.compile(
    r"torch\._utils\._rebuild_\w+|torch\.(\w+Storage|Size|storage\.UntypedStorage|nn\.parameter\.Parameter)"
    r"|collections\.(OrderedDict|Counter|defaultdict)|(__builtin__|builtins)\.(set|bytearray)|_codecs\.encode"
)


def read(path: Path, kind: FileKind, *, allow_pickle: bool) -> tuple[object, bool]:
    """The content of a file of torch.save on the CPU, and whether its pickle had to be run to get it.

    Raises `PickleRefusedError` where reading would run code and `allow_pickle` is false,
    `NotACheckpointError` for a damaged file, `CheckpointError` where an allowed pickle fails.
    """
    try:
        with torch.serialization.safe_globals(list(_HARMLESS)), _protocol_warning_silenced():
            return torch.load(path, map_location="cpu", weights_only=True), False
    except pickle.UnpicklingError as error:
        reason = _reason(error)
    except (RuntimeError, EOFError, KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        message = f"{path}: is cut off or damaged ({_first_line(error)}); copy or download it again"
        raise NotACheckpointError(message) from None
    wants = _wanted_imports(path, kind)
    if not allow_pickle:
        raise PickleRefusedError(_refusal(path, wants, reason), wants)
    return _run_pickle(path), True


def _run_pickle(path: Path) -> object:
    try:
        with working_directory_importable(), _protocol_warning_silenced():
            return torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        message = (
            f"{path}: its pickle was run, as allowed, and failed with {type(error).__name__}: "
            f"{_first_line(error)}; install or put into the working directory the code it was saved with"
        )
        raise CheckpointError(message) from error


@contextmanager
def _protocol_warning_silenced() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Detected pickle protocol", category=UserWarning)
        yield


def _refusal(path: Path, wants: tuple[str, ...], reason: str) -> str:
    shown = ", ".join(wants[:_SHOWN])
    rest = f" and {len(wants) - _SHOWN} more" if len(wants) > _SHOWN else ""
    what = f"wants to import {shown}{rest}" if wants else f"is a pickle that safe reading refuses ({reason})"
    return (
        f"{path}: holds more than tensors and plain data: it {what}. Reading it would run code from the "
        "file, so nothing was read. Save the weights alone with torch.save(network.state_dict(), "
        "'weights.pt'), or, if you trust where the file comes from, read it with --allow-pickle"
    )


def _reason(error: pickle.UnpicklingError) -> str:
    """The one sentence in torch's explanation that says what was refused."""
    text = str(error)
    found = re.search(r"Unsupported operand \d+|Unsupported global: GLOBAL \S+|unsupported GLOBAL \S+", text)
    return found.group(0) if found else _first_line(error)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _wanted_imports(path: Path, kind: FileKind) -> tuple[str, ...]:
    if kind is FileKind.TORCH_ZIP:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl")
            stream: IO[bytes] = io.BytesIO(archive.read(name))
        pickles = 1
    else:
        stream = io.BytesIO(path.read_bytes())
        pickles = _LEGACY_PICKLES
    found: dict[str, None] = {}
    for _ in range(pickles):
        found.update(dict.fromkeys(_imports_of_one_pickle(stream)))
    allowed = {_path_of(entry) for entry in _HARMLESS}
    return tuple(name for name in found if name not in allowed and not _BUILDS_TENSORS.fullmatch(name))


def _path_of(entry: object) -> str:
    if isinstance(entry, tuple):
        return str(entry[1])
    return f"{getattr(entry, '__module__', '')}.{getattr(entry, '__qualname__', '')}"


def _imports_of_one_pickle(stream: IO[bytes]) -> Iterator[str]:
    """Dotted names in the import instructions of the next pickle, found by reading and not by running it.

    The stacked form takes the two texts pushed last; a text may come from the memo, so it is followed too.
    """
    texts: list[str] = []
    memo: dict[int, str] = {}
    try:
        for operation, argument, _ in pickletools.genops(stream):
            name = operation.name
            if name == "GLOBAL":
                yield str(argument).replace(" ", ".")
            elif name == "STACK_GLOBAL":
                yield ".".join(texts[-2:])
            elif name == "MEMOIZE":
                memo[len(memo)] = texts[-1] if texts else ""
            elif name in {"PUT", "BINPUT", "LONG_BINPUT"}:
                memo[int(str(argument))] = texts[-1] if texts else ""
            elif name in {"GET", "BINGET", "LONG_BINGET"}:
                texts.append(memo.get(int(str(argument)), ""))
            elif isinstance(argument, str):
                texts.append(argument)
    except ValueError:
        # Not a pickle from here on: what was named before still counts.
        return
