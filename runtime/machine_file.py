"""Model files that are for one kind of machine and one ONNX Runtime: what they say of it, and whether it is this one.

Such a file holds weights in the order in which that runtime's kernels read them on that CPU. Elsewhere it would be
slow, wrong or fatal, so it is not opened there.
"""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from condmix.runtime.cpu import CpuFacts, read_cpu_facts
from condmix.runtime.errors import OtherMachineError, describe_place

MACHINE_KEY = "condmix_machine"
"""Of the file's metadata."""
RUNTIME = "onnxruntime"
INSTRUCTION_SETS = frozenset(
    {
        *("AVX", "FMA", "AVX2", "AVX-512F", "AVX-512BW", "AVX-512-VNNI", "AVX-VNNI"),
        *("NEON", "ASIMD", "FP16", "dotprod", "I8MM", "SVE"),
    }
)
"""Those by which ONNX Runtime chooses kernels and the width of their blocks."""
PORTABLE_LINE = "export again without --condconv blocked for a file that runs everywhere"

_METADATA_FIELD = 14  # ModelProto.metadata_props in onnx.proto
_KEY_FIELD, _VALUE_FIELD = 1, 2  # of StringStringEntryProto
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST_ENTRY = 1 << 24


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A kind of machine with its runtime. runtime: its exact version, None where it is not installed."""

    architecture: str
    instruction_sets: tuple[str, ...]
    runtime: str | None

    @property
    def problem(self) -> str | None:
        """Why no file can be made for it; None when one can."""
        if not self.instruction_sets:
            return f"the system does not say which instruction sets this {self.architecture or 'machine'} has"
        return None if self.runtime else f"{RUNTIME} is not installed"

    def sentence(self) -> str:
        """In words."""
        return f"{self.architecture} with {', '.join(self.instruction_sets)}, {RUNTIME} {self.runtime}"

    def text(self) -> str:
        """As a file carries it."""
        return json.dumps(
            {
                "architecture": self.architecture,
                "instruction_sets": list(self.instruction_sets),
                RUNTIME: self.runtime,
            }
        )

    def differences(self, here: Machine) -> tuple[str, ...]:
        """In what `here` is another one, a phrase each; none when it is the same."""
        found = []
        if self.architecture != here.architecture:
            found.append(f"it is for {self.architecture}, this is {here.architecture or 'an unnamed architecture'}")
        else:
            lacking = [one for one in self.instruction_sets if one not in here.instruction_sets]
            beyond = [one for one in here.instruction_sets if one not in self.instruction_sets]
            if lacking:
                found.append(f"it is for a CPU with {', '.join(lacking)}, which this one lacks")
            if beyond:
                found.append(f"it is for a CPU without {', '.join(beyond)}, which this one has")
        if self.runtime != here.runtime:
            found.append(f"it is for {RUNTIME} {self.runtime}, here is {here.runtime or 'none'}")
        return tuple(found)


def this_machine(facts: CpuFacts | None = None, *, runtime: str | None = None) -> Machine:
    """The machine that this process runs on, with that version of ONNX Runtime, else the one installed here."""
    facts = facts or read_cpu_facts()
    return Machine(
        architecture=facts.architecture,
        instruction_sets=tuple(name for name in facts.features if name in INSTRUCTION_SETS),
        runtime=runtime or dict(facts.versions).get(RUNTIME),
    )


def machine_of(model: Path | bytes) -> Machine | None:
    """The machine that an ONNX file is for; None for a file that runs everywhere, and for what is no ONNX file.

    Raises OtherMachineError for a file that names its machine in a way that is not understood.
    """
    text = _metadata(model).get(MACHINE_KEY)
    if text is None:
        return None
    try:
        data = json.loads(text)
        sets, runtime = data["instruction_sets"], data[RUNTIME]
        if not isinstance(sets, list) or not all(isinstance(one, str) for one in [*sets, runtime]):
            raise TypeError
        return Machine(architecture=str(data["architecture"]), instruction_sets=tuple(sets), runtime=runtime)
    except (ValueError, TypeError, KeyError) as error:
        problem = f"its metadata '{MACHINE_KEY}' is not understood: {text[:80]!r}"
        raise OtherMachineError(describe_place(model), (problem,), "Export it again with this condmix.") from error


def require_this_machine(model: Path | bytes, *, runtime: str | None = None) -> None:
    """The file may run here, in that version of ONNX Runtime. Raises OtherMachineError, naming every difference."""
    machine = machine_of(model)
    if machine is None:
        return
    if differences := machine.differences(this_machine(runtime=runtime)):
        next_step = f"Export the network on this machine with --condconv blocked, or {PORTABLE_LINE}."
        raise OtherMachineError(describe_place(model), differences, next_step)


def _metadata(model: Path | bytes) -> dict[str, str]:
    """The metadata of an ONNX file, found without reading its weights; empty for what is not one."""
    try:
        with io.BytesIO(model) if isinstance(model, bytes) else model.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(0)
            return dict(_entries(stream, size))
    except (OSError, ValueError, EOFError):
        # Whoever opens the file says what is wrong with it.
        return {}


def _entries(stream: BinaryIO, size: int) -> list[tuple[str, str]]:
    entries = []
    while stream.tell() < size:
        field, content = _field(stream, size, wanted=_METADATA_FIELD)
        if field == _METADATA_FIELD and content is not None:
            inner = io.BytesIO(content)
            parts = {}
            while inner.tell() < len(content):
                number, part = _field(inner, len(content))
                parts[number] = (part or b"").decode()
            entries.append((parts.get(_KEY_FIELD, ""), parts.get(_VALUE_FIELD, "")))
    return entries


def _field(stream: BinaryIO, size: int, wanted: int | None = None) -> tuple[int, bytes | None]:
    """The next field: its number, and its bytes where it has a length and is wanted."""
    tag = _varint(stream)
    number, kind = tag >> 3, tag & 7
    if kind == _VARINT:
        _varint(stream)
    elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
        stream.seek(8 if kind == _EIGHT_BYTES else 4, os.SEEK_CUR)
    elif kind == _LENGTH:
        length = _varint(stream)
        if stream.tell() + length > size:
            raise EOFError
        if wanted in (None, number) and length <= _LONGEST_ENTRY:
            return number, stream.read(length)
        stream.seek(length, os.SEEK_CUR)
    else:
        raise EOFError
    return number, None


def _varint(stream: BinaryIO) -> int:
    value = shift = 0
    while True:
        byte = stream.read(1)
        if not byte or shift > 63:
            raise EOFError
        value |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            return value
