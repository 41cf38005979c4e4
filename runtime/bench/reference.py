"""The reference beside a model: inputs that drive it apart, and the outputs that PyTorch gave for them.

`NAME.reference.npz` holds the arrays `input/<name>` and `output/<name>`, [N, ...] with one single image a row, and
`about`, a JSON text with the limits of each file that was written with it. numpy alone reads it, nothing is unpickled.
"""

from __future__ import annotations

import io
import json
import math
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

import numpy as np

from condmix.runtime.bench.fields import NULL
from condmix.runtime.errors import InferenceError, InvalidRecordError, InvalidSettingError, one_line
from condmix.runtime.output_kind import METADATA_KEY, sound_kinds
from condmix.runtime.records import read_fields
from condmix.runtime.signature import Tensor

SCHEMA_VERSION = 1
KIND = "condmix-reference"
ARCHIVE_ERRORS = (
    ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, tokenize.TokenError,
)  # fmt: skip
"""All that a damaged .npz makes numpy, zipfile and zlib raise; numpy reads strange array headers as Python."""
SUFFIX = ".reference.npz"
_INPUT, _OUTPUT, _ABOUT = "input/", "output/", "about"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """By what one file is accepted: every figure that is given must be met.

    max_abs_difference: at most. top1_agreement, sqnr_db: at least; for files that were rounded on purpose.
    """

    max_abs_difference: float | None = None
    top1_agreement: float | None = None
    sqnr_db: float | None = None

    def __post_init__(self) -> None:
        given = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name) is not None}
        problems = [] if given else ["no figure is given: everything would pass"]
        problems += [
            f"{name} must be finite, found {value}" for name, value in given.items() if not math.isfinite(value)
        ]
        if self.max_abs_difference is not None and self.max_abs_difference < 0:
            problems.append(f"max_abs_difference must be at least 0, found {self.max_abs_difference}")
        if self.top1_agreement is not None and not 0 < self.top1_agreement <= 1:
            problems.append(f"top1_agreement must be above 0 and at most 1, found {self.top1_agreement}")
        if problems:
            raise InvalidSettingError(problems, record="Limit")

    def to_dict(self) -> dict[str, float]:
        """Plain data for JSON: the figures that are given."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: float(value) for name, value in values.items() if value is not None}

    @classmethod
    def from_dict(cls, data: object) -> Limit:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        names = [one.name for one in fields(cls)]
        filled = {**dict.fromkeys(names), **data} if isinstance(data, Mapping) else data
        wanted: dict[str, type | tuple[type, ...]] = {name: (float, NULL) for name in names}
        return cls(**cast("dict[str, Any]", read_fields(filled, record="Limit", fields=wanted, schema_version=None)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """Inputs and outputs, each [N, ...], N single images.

    outputs_are: who computed them, in words ("PyTorch 2.9, float64").
    limits: file name -> by what that file is accepted. kinds: what outputs are, in the words of `output_kind`.
    """

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    outputs_are: str
    limits: Mapping[str, Limit]
    kinds: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = [f"{side} is empty" for side in ("inputs", "outputs") if not getattr(self, side)]
        if not self.outputs_are:
            problems.append("outputs_are is empty: say who computed the outputs")
        arrays = {_INPUT + name: array for name, array in self.inputs.items()}
        arrays |= {_OUTPUT + name: array for name, array in self.outputs.items()}
        problems += [f"{name} has no axis of images" for name, array in arrays.items() if not array.ndim]
        problems += [
            f"{name} has dtype {array.dtype}, expected numbers"
            for name, array in arrays.items()
            if array.dtype.kind not in "fiub"
        ]
        counts = {name: len(array) for name, array in arrays.items() if array.ndim}
        if len(set(counts.values())) > 1 or 0 in counts.values():
            listed = ", ".join(f"{name} has {count}" for name, count in counts.items())
            problems.append(f"all must have the same number of images, at least one: {listed}")
        problems += [
            f"{_OUTPUT}{name} has values that are not finite"
            for name, array in self.outputs.items()
            if array.dtype.kind == "f" and not np.isfinite(array).all()
        ]
        if problems:
            raise InvalidSettingError(problems, record="Reference")

    @property
    def images(self) -> int:
        """N."""
        return len(next(iter(self.inputs.values())))


def write_reference(path: Path, reference: Reference) -> None:
    """The file at `path` holds the reference, the same bytes for the same reference."""
    path.write_bytes(reference_content(reference))


def reference_content(reference: Reference) -> bytes:
    """The bytes of that file."""
    about = {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "source": reference.outputs_are,
        "limits": {name: limit.to_dict() for name, limit in reference.limits.items()},
        **({METADATA_KEY: dict(reference.kinds)} if reference.kinds else {}),
    }
    arrays: dict[str, Any] = {_INPUT + name: array for name, array in reference.inputs.items()}
    arrays |= {_OUTPUT + name: array for name, array in reference.outputs.items()}
    arrays[_ABOUT] = np.array(json.dumps(about))
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def read_reference(path: Path) -> Reference:
    """The reference in the file at `path`.

    Raises InvalidRecordError naming what is wrong: no such file, not an .npz, an array that cannot be read, a newer
    schema, arrays that do not belong together.
    """
    record = f"reference {path.name!r}"
    try:
        # From memory: numpy leaves a file open that turns out to be damaged.
        loaded = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise InvalidRecordError(["it is one array, expected an .npz archive"], record=record)
        arrays = {name: loaded[name] for name in loaded.files}
    except InferenceError:
        raise
    except OSError as error:
        raise InvalidRecordError([error.strerror or one_line(error)], record=record) from error
    except ARCHIVE_ERRORS as error:
        problem = f"it is not an .npz archive that numpy reads: {one_line(error)}"
        raise InvalidRecordError([problem], record=record) from error
    return _assemble(arrays, record)


def find_reference(model: Path) -> Path | None:
    """The reference that belongs to the model file: of its own stem, or of the record beside it that lists it.

    `a.onnx` and `a.tflite` share `a.reference.npz`; `a.int8.onnx` is also looked for under `a`.
    """
    name = model.name
    while "." in name:
        name = name.rpartition(".")[0]
        found = model.with_name(name + SUFFIX)
        if name and found.is_file():
            return found
    for path in sorted(model.absolute().parent.glob(f"*{SUFFIX}")):
        try:
            if model.name in read_reference(path).limits:
                return path
        except InferenceError:
            continue  # of another model; one that is asked for by name is read again and then named
    return None


def _assemble(arrays: dict[str, Tensor], record: str) -> Reference:
    inputs = {name.removeprefix(_INPUT): array for name, array in arrays.items() if name.startswith(_INPUT)}
    outputs = {name.removeprefix(_OUTPUT): array for name, array in arrays.items() if name.startswith(_OUTPUT)}
    strange = [name for name in arrays if name != _ABOUT and not name.startswith((_INPUT, _OUTPUT))]
    problems = [f"unknown array {name!r}" for name in strange]
    if _ABOUT not in arrays:
        problems.append(f"there is no array {_ABOUT!r}")
        raise InvalidRecordError(problems, record=record)
    try:
        about = json.loads(str(arrays[_ABOUT][()]))
    except ValueError as error:
        raise InvalidRecordError([*problems, f"{_ABOUT!r} is not JSON: {one_line(error)}"], record=record) from error
    kinds = about.pop(METADATA_KEY, {}) if isinstance(about, dict) else {}
    wanted = {"kind": str, "source": str, "limits": dict}
    values = read_fields(about, record=record, fields=wanted, schema_version=SCHEMA_VERSION)
    if values["kind"] != KIND:
        problems.append(f"'kind' must be {KIND!r}, found {values['kind']!r}")
    if problems:
        raise InvalidRecordError(problems, record=record)
    limits = cast("Mapping[str, object]", values["limits"])
    try:
        return Reference(
            inputs=inputs,
            outputs=outputs,
            outputs_are=cast(str, values["source"]),
            limits={name: Limit.from_dict(limit) for name, limit in limits.items()},
            kinds=sound_kinds(kinds),
        )
    except InvalidSettingError as error:
        raise InvalidRecordError(list(error.problems), record=record) from error
