"""What is measured: one file, in one engine, in one way of running it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import cast

from condmix.runtime.bench.fields import NULL, shapes_by_name
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.records import read_fields

ONNXRUNTIME = "onnxruntime"
LITERT = "litert"
TFLITE_RUNTIME = "tflite-runtime"
ENGINES = (ONNXRUNTIME, LITERT, TFLITE_RUNTIME)
_RECORD = "BenchSubject"


@dataclass(frozen=True, kw_only=True)
class BenchSubject:
    """One line of a report.

    name: under which it is spoken of, once in a report.
    threads: that the engine computes on.
    delegate: offer a TFLite graph to XNNPACK; says nothing for ONNX Runtime, which has no delegate.
    shapes: input name -> shape, for inputs with free axes.
    batch: images in one run of a file with a free batch axis; None: 1, or what the file fixes.
    python: the interpreter of its worker, which must be able to import condmix.runtime; None: this one.
    """

    name: str
    file: Path
    engine: str
    threads: int = 1
    delegate: bool = True
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))
    batch: int | None = None
    python: Path | None = None

    def __post_init__(self) -> None:
        problems = [] if self.name else ["name is empty"]
        if self.engine not in ENGINES:
            problems.append(f"engine must be one of {', '.join(map(repr, ENGINES))}, found {self.engine!r}")
        if self.threads < 1:
            problems.append(f"threads must be at least 1, found {self.threads}")
        if self.batch is not None and self.batch < 1:
            problems.append(f"batch must be at least 1, found {self.batch}")
        if self.engine == ONNXRUNTIME and not self.delegate:
            problems.append(f"delegate is False, but {ONNXRUNTIME} has no delegate to leave out")
        for name, shape in self.shapes.items():
            if not shape or min(shape) < 1:
                problems.append(f"shapes[{name!r}] must have lengths of at least 1, found {tuple(shape)}")
            elif self.batch is not None and shape[0] != self.batch:
                problems.append(f"shapes[{name!r}] begins with {shape[0]}, but batch is {self.batch}: give one of them")
        if problems:
            raise InvalidSettingError(problems, record=_RECORD)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "file": self.file.as_posix(),
            "engine": self.engine,
            "threads": self.threads,
            "delegate": self.delegate,
            "shapes": {name: list(shape) for name, shape in self.shapes.items()},
            "batch": self.batch,
            "python": None if self.python is None else self.python.as_posix(),
        }

    @classmethod
    def from_dict(cls, data: object) -> BenchSubject:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        fields: dict[str, type | tuple[type, ...]] = {
            "name": str,
            "file": str,
            "engine": str,
            "threads": int,
            "delegate": bool,
            "shapes": dict,
            "batch": (int, NULL),
            "python": (str, NULL),
        }
        values = read_fields(data, record=_RECORD, fields=fields, schema_version=None)
        python = cast("str | None", values["python"])
        return cls(
            name=cast(str, values["name"]),
            file=Path(cast(str, values["file"])),
            engine=cast(str, values["engine"]),
            threads=cast(int, values["threads"]),
            delegate=cast(bool, values["delegate"]),
            shapes=shapes_by_name(values, "shapes", record=_RECORD),
            batch=cast("int | None", values["batch"]),
            python=None if python is None else Path(python),
        )
