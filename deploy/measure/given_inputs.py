"""--inputs FILE.npz: arrays to feed, by the name of the input."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from condmix.deploy.errors import UnreadableFileError
from condmix.runtime.bench.reference import ARCHIVE_ERRORS
from condmix.runtime.errors import one_line
from condmix.runtime.signature import Tensor

_OF_A_REFERENCE = ("input/", "output/")


def read_given_inputs(path: Path) -> dict[str, Tensor]:
    """input name -> [N, ...], one single image a row.

    Raises UnreadableFileError for what is no .npz of numbers, or is a reference, which --reference takes.
    """
    try:
        # Opened here, since numpy leaves a file open that it then finds damaged.
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise _unusable(path, "it is one array without a name", "Save it with numpy.savez(FILE, NAME=array).")
            arrays = {name: archive[name] for name in archive.files}
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise _unusable(path, reason, "Give the path of a readable .npz file.") from error
    except ARCHIVE_ERRORS as error:
        if isinstance(error, UnreadableFileError):
            raise
        # numpy's own words are about pickles, which are never read here.
        next_step = "Save numbers with numpy.savez(FILE, NAME=array)."
        raise _unusable(path, "it is no .npz archive of numbers, or a damaged one", next_step) from error
    if any(name.startswith(_OF_A_REFERENCE) for name in arrays):
        raise _unusable(path, "it is a reference, with outputs", "Give it with --reference, which feeds its inputs.")
    strange = [f"{name} is {array.dtype}" for name, array in arrays.items() if array.dtype.kind not in "fiub"]
    if strange or not arrays:
        reason = "; ".join(strange) or "no array is in it"
        raise _unusable(path, reason, "Save numbers with numpy.savez(FILE, NAME=array).")
    return arrays


def _unusable(path: Path, reason: str, next_step: str) -> UnreadableFileError:
    message = f"{path}: cannot be used as inputs: {reason}. {next_step}"
    return UnreadableFileError(message)
