"""A file of forms: what tuning found, for --forms on another day or another machine of the same kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from condmix.exporters.errors import FormsFileError
from condmix.exporters.records import LayerForm
from condmix.runtime.errors import InvalidRecordError
from condmix.runtime.records import read_fields

SCHEMA_VERSION = 1
KIND = "condmix-forms"
SUFFIX = ".forms.json"
_NULL = type(None)


@dataclass(frozen=True, kw_only=True)
class FormsFile:
    """The forms, and what they were measured for. batch: None for any number of images a call.

    runtime: engine and version. machine: in words. finisher: the kind of file in which they were fastest.
    """

    condmix_version: str
    network: str
    input_size: tuple[int, int, int]
    batch: int | None
    runtime: str
    machine: str
    threads: int
    finisher: str
    forms: tuple[LayerForm, ...]

    def content(self) -> bytes:
        """As it lies on the disk."""
        data = {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "condmix_version": self.condmix_version,
            "network": self.network,
            "input_size": list(self.input_size),
            "batch": self.batch,
            "runtime": self.runtime,
            "machine": self.machine,
            "threads": self.threads,
            "finisher": self.finisher,
            "layers": {one.layer: {"form": one.form, "why": one.why} for one in self.forms},
        }
        return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()

    def sentence(self) -> str:
        """What it was measured for."""
        size = "x".join(map(str, self.input_size))
        batch = "any batch" if self.batch is None else f"batch {self.batch}"
        threads = f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        return f"{self.network} {size}, {batch}, {threads}, {self.runtime}, {self.machine}"

    def differences(self, *, network: str, input_size: tuple[int, int, int], batch: int | None) -> tuple[str, ...]:
        """Where the export at hand is another one: it stays exact, and may not be the fastest."""
        pairs = (
            ("network", self.network, network),
            ("input size", "x".join(map(str, self.input_size)), "x".join(map(str, input_size))),
            ("batch", self.batch or "dynamic", batch or "dynamic"),
        )
        return tuple(f"{name} {there}, here {here}" for name, there, here in pairs if there != here)


def read_forms_file(content: bytes, place: str) -> FormsFile:
    """The file. place: how errors name it. Raises FormsFileError with every problem."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FormsFileError(place, (f"it is not JSON: {' '.join(str(error).split())}",)) from error
    if not isinstance(data, Mapping) or data.get("kind") != KIND:
        found = data.get("kind") if isinstance(data, Mapping) else type(data).__name__
        raise FormsFileError(place, (f"'kind' must be {KIND!r}, found {found!r}",))
    wanted: dict[str, type | tuple[type, ...]] = {
        "kind": str,
        "condmix_version": str,
        "network": str,
        "input_size": list,
        "batch": (int, _NULL),
        "runtime": str,
        "machine": str,
        "threads": int,
        "finisher": str,
        "layers": dict,
    }
    try:
        values = read_fields(data, record="forms", fields=wanted, schema_version=SCHEMA_VERSION)
    except InvalidRecordError as error:
        raise FormsFileError(place, tuple(error.problems)) from error
    forms, problems = _layers(cast("Mapping[str, object]", values.pop("layers")))
    size = cast("list[object]", values["input_size"])
    if len(size) != 3 or not all(isinstance(one, int) and not isinstance(one, bool) and one > 0 for one in size):
        problems.append(f"'input_size' must be channels, height and width, found {size!r}")
    if problems:
        raise FormsFileError(place, tuple(problems))
    del values["kind"]
    return FormsFile(**{**values, "input_size": tuple(size), "forms": tuple(forms)})  # type: ignore[arg-type]


def _layers(data: Mapping[str, object]) -> tuple[list[LayerForm], list[str]]:
    forms, problems = [], []
    for layer, entry in data.items():
        try:
            values = read_fields(entry, record=layer, fields={"form": str, "why": str}, schema_version=None)
        except InvalidRecordError as error:
            problems += [f"layer {layer!r}: {problem}" for problem in error.problems]
            continue
        forms.append(LayerForm(layer=layer, form=str(values["form"]), why=str(values["why"])))
    if not data:
        problems.append("'layers' is empty")
    return forms, problems
