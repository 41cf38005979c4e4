"""What a page posts when it has measured: every key known, every list as long as it must be, every number in bounds."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from condmix.deploy.browser.facts import text_problems
from condmix.deploy.browser.variants import Variant
from condmix.runtime.bench.fields import NULL, whole_numbers
from condmix.runtime.bench.samples import Opening, Samples
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.errors import InvalidRecordError
from condmix.runtime.records import read_fields
from condmix.runtime.signature import Tensor

SCHEMA_VERSION = 1
KIND = "condmix-browser-run"
LATEST_NS = 2**53
"""What a number of JavaScript holds exactly: 104 days."""
MOST_OUTPUTS = 64
MOST_OUTPUT_VALUES = 2**24
OUTPUT_TYPES = frozenset(
    {"float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"}
)
_RECORD = "BrowserRun"
_OPENING = {"load_ns": int, "first_inference_ns": int, "warmup_wall_ns": list}
_SAMPLES = ("start_ns", "wall_ns", "round", "opening", "input")


@dataclass(frozen=True, kw_only=True, eq=False)
class PostedSubject:
    """One subject as the page measured it. outputs: of each opening, name -> [K, ...].

    engine_start_ns: from the import of the engine to where it can open files; None when it was lost before.
    fully_accelerated: LiteRT.js on WebGPU says whether the GPU has all operators; else None.
    """

    name: str
    engine_version: str
    engine_start_ns: int | None
    fully_accelerated: bool | None
    failure: str | None
    openings: tuple[Opening, ...]
    outputs: tuple[Mapping[str, Tensor], ...]
    samples: Samples


@dataclass(frozen=True, kw_only=True, eq=False)
class PostedRun:
    """One measurement. hidden_seconds: in which the page was not in front. clock_step_ns, power: afterwards."""

    rounds: int
    interrupted: str | None
    hidden_seconds: float
    clock_step_ns: int
    power: str | None
    subjects: tuple[PostedSubject, ...]


def read_run(data: object, variants: Sequence[Variant], settings: BenchSettings) -> PostedRun:
    """The run in what was posted, of exactly these variants in this order.

    Raises InvalidRecordError with everything that is wrong in the part where something is.
    """
    wanted: dict[str, type | tuple[type, ...]] = {
        "kind": str,
        "nonce": str,
        "rounds": int,
        "interrupted": (str, NULL),
        "hidden_seconds": float,
        "clock_step_ns": int,
        "power": (str, NULL),
        "subjects": list,
    }
    values = read_fields(data, record=_RECORD, fields=wanted, schema_version=SCHEMA_VERSION)
    subjects = cast("list[object]", values["subjects"])
    rounds, hidden, step = cast(int, values["rounds"]), cast(float, values["hidden_seconds"]), values["clock_step_ns"]
    problems = text_problems(values)
    if values["kind"] != KIND:
        problems.append(f"'kind' must be {KIND!r}")
    if not 0 <= rounds <= LATEST_NS:
        problems.append(f"'rounds' must be at least 0, found {rounds}")
    if not (math.isfinite(hidden) and 0 <= hidden <= LATEST_NS):
        problems.append(f"'hidden_seconds' must be finite and at least 0, found {hidden}")
    if not 1 <= cast(int, step) <= LATEST_NS:
        problems.append(f"'clock_step_ns' must be at least 1, found {step}")
    if len(subjects) != len(variants):
        problems.append(f"'subjects' must have {len(variants)} items, found {len(subjects)}")
    if problems:
        raise InvalidRecordError(problems, record=_RECORD)
    return PostedRun(
        rounds=rounds,
        interrupted=cast("str | None", values["interrupted"]),
        hidden_seconds=hidden,
        clock_step_ns=cast(int, step),
        power=cast("str | None", values["power"]),
        subjects=tuple(
            _subject(one, variant, settings, rounds) for one, variant in zip(subjects, variants, strict=True)
        ),
    )


def _subject(data: object, variant: Variant, settings: BenchSettings, rounds: int) -> PostedSubject:
    record = f"BrowserRun subject {variant.name!r}"
    wanted: dict[str, type | tuple[type, ...]] = {
        "name": str,
        "engine_version": str,
        "engine_start_ns": (int, NULL),
        "fully_accelerated": (bool, NULL),
        "failure": (str, NULL),
        "openings": list,
        "outputs": list,
        "samples": dict,
    }
    values = read_fields(data, record=record, fields=wanted, schema_version=None)
    problems = text_problems(values)
    if values["name"] != variant.name:
        problems.append("'name' is not that of the subject in this place")
    start = cast("int | None", values["engine_start_ns"])
    problems += _out_of_bounds("engine_start_ns", () if start is None else (start,))
    opened, outputs = cast("list[object]", values["openings"]), cast("list[object]", values["outputs"])
    if len(opened) > settings.openings or len(outputs) != len(opened):
        found = f"{len(opened)} and {len(outputs)}"
        problems.append(f"'openings' must be at most {settings.openings} and as many as 'outputs', found {found}")
    if problems:
        raise InvalidRecordError(problems, record=record)
    openings = tuple(_opening(one, record) for one in opened)
    samples = _samples(values["samples"], record, rounds, len(openings), variant.file.feeds.count)
    failure = cast("str | None", values["failure"])
    if failure is None and len(openings) == 0 and len(samples):
        raise InvalidRecordError(["it has samples and no opening"], record=record)
    return PostedSubject(
        name=variant.name,
        engine_version=cast(str, values["engine_version"]),
        engine_start_ns=start,
        fully_accelerated=cast("bool | None", values["fully_accelerated"]),
        failure=failure,
        openings=openings,
        outputs=tuple(_outputs(one, record, variant.file.feeds.count) for one in outputs),
        samples=samples,
    )


def _opening(data: object, record: str) -> Opening:
    values = read_fields(data, record=record, fields=dict(_OPENING), schema_version=None)
    warmup = whole_numbers(values, "warmup_wall_ns", record=record)
    load, first = cast(int, values["load_ns"]), cast(int, values["first_inference_ns"])
    problems = _out_of_bounds("warmup_wall_ns", warmup) + _out_of_bounds("load_ns, first_inference_ns", (load, first))
    if problems:
        raise InvalidRecordError(problems, record=record)
    return Opening(
        load_ns=load,
        first_inference_ns=first,
        warmup_wall_ns=warmup,
        memory_before_bytes=None,
        memory_loaded_bytes=None,
        peak_memory_bytes=None,
    )


def _samples(data: object, record: str, rounds: int, openings: int, feeds: int) -> Samples:
    values = read_fields(data, record=record, fields=dict.fromkeys(_SAMPLES, list), schema_version=None)
    columns = {name: whole_numbers(values, name, record=record) for name in _SAMPLES}
    lengths = {name: len(column) for name, column in columns.items()}
    problems = [] if len(set(lengths.values())) == 1 else [f"samples must be of one length, found {lengths}"]
    bounds = {"start_ns": LATEST_NS, "wall_ns": LATEST_NS, "round": rounds, "opening": openings - 1, "input": feeds - 1}
    problems += [line for name, most in bounds.items() for line in _out_of_bounds(name, columns[name], most)]
    if any(later < earlier for earlier, later in zip(columns["round"], columns["round"][1:], strict=False)):
        problems.append("samples are not in the order of their rounds")
    if problems:
        raise InvalidRecordError(problems, record=record)
    # A browser does not tell the CPU time of a worker.
    return Samples(**columns, cpu_ns=(0,) * lengths["wall_ns"])


def _outputs(data: object, record: str, feeds: int) -> dict[str, Tensor]:
    if not isinstance(data, Mapping) or len(data) > MOST_OUTPUTS:
        raise InvalidRecordError([f"'outputs' must hold mappings of at most {MOST_OUTPUTS} arrays"], record=record)
    return {str(name): _array(one, f"{record} output {str(name)[:100]!r}", feeds) for name, one in data.items()}


def _array(data: object, record: str, feeds: int) -> Tensor:
    values = read_fields(data, record=record, fields={"dtype": str, "shape": list, "data": str}, schema_version=None)
    shape = whole_numbers(values, "shape", record=record)
    if values["dtype"] not in OUTPUT_TYPES:
        raise InvalidRecordError([f"'dtype' must be one of {', '.join(sorted(OUTPUT_TYPES))}"], record=record)
    if not shape or shape[0] != feeds or min(shape) < 1 or len(shape) > 16 or math.prod(shape) > MOST_OUTPUT_VALUES:
        problem = (
            f"'shape' must begin with {feeds} and have at most {MOST_OUTPUT_VALUES} values, found {list(shape)[:16]}"
        )
        raise InvalidRecordError([problem], record=record)
    dtype = np.dtype(values["dtype"])
    try:
        content = base64.b64decode(cast(str, values["data"]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRecordError(["'data' is not base64"], record=record) from error
    if len(content) != math.prod(shape) * dtype.itemsize:
        problem = f"'data' has {len(content)} bytes, {math.prod(shape) * dtype.itemsize} belong to that shape"
        raise InvalidRecordError([problem], record=record)
    return np.frombuffer(content, dtype=dtype.newbyteorder("<")).reshape(shape).astype(dtype)


def _out_of_bounds(name: str, numbers: Sequence[int], most: int = LATEST_NS) -> list[str]:
    wrong = next((one for one in numbers if not 0 <= one <= most), None)
    return [] if wrong is None else [f"{name!r} must be 0 to {most}, found {wrong}"]
