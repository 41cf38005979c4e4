"""The sections of a report beyond its samples, read from plain JSON: every fault at once, with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.report.json_reader import JsonReader
from condmix.deploy.report.profile_record import Profile, read_profile

KNOWN = ("profile", "routing", "batch_curve", "input_dependence", "accuracy", "int8", "gates", "missing")


@dataclass(frozen=True, kw_only=True)
class RoutingBlock:
    """Histograms of one block's routing weights: counts[expert][bin], over `images`."""

    block: str
    images: int
    bin_edges: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]
    mean: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Routing:
    """All blocks of one network."""

    blocks: tuple[RoutingBlock, ...]
    source: str


@dataclass(frozen=True, kw_only=True)
class BatchPoint:
    """One batch size of one file."""

    batch: int
    median_ns: float
    per_image_ns: float
    subject: str | None


@dataclass(frozen=True, kw_only=True)
class FedInput:
    """The runs with one input."""

    input: int
    median_ns: float
    runs: int


@dataclass(frozen=True, kw_only=True)
class InputDependence:
    """Whether latency depends on the image; `depends` None: not to be told from these runs."""

    inputs: tuple[FedInput, ...]
    depends: bool | None
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Top-1 from 0 to 1 over `images` of `source`."""

    top1: float
    images: int
    source: str


@dataclass(frozen=True, kw_only=True)
class FloatPart:
    """A part of an int8 file that runs in float."""

    where: tuple[str, ...]
    operators: str
    multiply_adds: float
    reason: str
    advice: str


@dataclass(frozen=True, kw_only=True)
class Int8Use:
    """What an int8 file truly runs in int8: the record of `condmix audit`."""

    verdict: str
    multiply_adds: float
    islands: tuple[FloatPart, ...]


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A gate of this run for one subject, None for the whole report; `outcome` as in `gate_result`."""

    gate: str
    subject: str | None
    outcome: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Extras:
    """All sections; `unknown` are names that this version does not know, `unknown_subjects` what has no subject."""

    profile: Mapping[str, Profile] = field(default_factory=dict)
    routing: Mapping[str, Routing] = field(default_factory=dict)
    batch_curve: Mapping[str, tuple[BatchPoint, ...]] = field(default_factory=dict)
    input_dependence: Mapping[str, InputDependence] = field(default_factory=dict)
    accuracy: Mapping[str, Accuracy] = field(default_factory=dict)
    int8: Mapping[str, Int8Use] = field(default_factory=dict)
    gates: tuple[Gate, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    """What could not be built to be measured, and why."""
    unknown: tuple[str, ...] = ()


def read_extras(sections: Mapping[str, object]) -> Extras:
    """The sections of a report. Raises UnreadableFileError naming every place that is not what it should be."""
    problems: list[str] = []

    def reader(name: str) -> JsonReader:
        return JsonReader(sections.get(name, {}), place=f"sections.{name}", problems=problems)

    extras = Extras(
        profile=reader("profile").mapping(read_profile),
        routing=reader("routing").mapping(_routing),
        batch_curve=reader("batch_curve").mapping(lambda one: one.items(_batch_point)),
        input_dependence=reader("input_dependence").mapping(_input_dependence),
        accuracy=reader("accuracy").mapping(_accuracy),
        int8=reader("int8").mapping(_int8_use),
        gates=reader("gates").items(_gate) if "gates" in sections else (),
        missing=reader("missing").mapping(lambda one: one.child("reason").text()),
        unknown=tuple(sorted(set(sections) - set(KNOWN))),
    )
    if problems:
        heading = "the sections of the report cannot be read:"
        raise UnreadableFileError("\n".join([heading, *(f"  - {problem}" for problem in problems)]))
    return extras


def _routing(reader: JsonReader) -> Routing:
    blocks = reader.child("blocks").items(_routing_block)
    return Routing(blocks=blocks, source=reader.child("source").optional_text() or "")


def _routing_block(reader: JsonReader) -> RoutingBlock:
    block = RoutingBlock(
        block=reader.child("block").text(),
        images=reader.child("images").whole(),
        bin_edges=reader.child("bin_edges").items(lambda edge: edge.number(least=float("-inf"))),
        counts=reader.child("counts").items(lambda row: row.items(lambda one: one.whole())),
        mean=reader.child("mean").items(lambda one: one.number(least=float("-inf"))),
    )
    bins = len(block.bin_edges) - 1
    rising = all(left < right for left, right in zip(block.bin_edges, block.bin_edges[1:], strict=False))
    if bins < 1 or not rising:
        reader.problems.append(f"{reader.place}.bin_edges must be two rising numbers or more")
    elif not block.counts or any(len(row) != bins for row in block.counts):
        reader.problems.append(f"{reader.place}.counts must have {bins} numbers for each expert")
    elif len(block.mean) != len(block.counts):
        reader.problems.append(f"{reader.place}.mean must have a number for each of {len(block.counts)} experts")
    return block


def _batch_point(reader: JsonReader) -> BatchPoint:
    point = BatchPoint(
        batch=reader.child("batch").whole(),
        median_ns=reader.child("median_ns").number(),
        per_image_ns=reader.child("per_image_ns").number(),
        subject=reader.child("subject").optional_text(),
    )
    if point.batch < 1:
        reader.problems.append(f"{reader.place}.batch must be at least 1")
    return point


def _input_dependence(reader: JsonReader) -> InputDependence:
    return InputDependence(
        inputs=reader.child("inputs").items(_fed_input),
        depends=reader.child("depends").truth(),
        sentence=reader.child("sentence").optional_text() or "",
    )


def _fed_input(reader: JsonReader) -> FedInput:
    return FedInput(
        input=reader.child("input").whole(),
        median_ns=reader.child("median_ns").number(),
        runs=reader.child("runs").whole(),
    )


def _accuracy(reader: JsonReader) -> Accuracy:
    found = Accuracy(
        top1=reader.child("top1").number(),
        images=reader.child("images").whole(),
        source=reader.child("source").optional_text() or "",
    )
    if found.top1 > 1:
        reader.problems.append(f"{reader.place}.top1 must be a share from 0 to 1, found {found.top1:g}")
    return found


def _int8_use(reader: JsonReader) -> Int8Use:
    return Int8Use(
        verdict=reader.child("verdict").text(),
        multiply_adds=reader.child("multiply_adds").number(),
        islands=reader.child("islands").items(_float_part),
    )


def _float_part(reader: JsonReader) -> FloatPart:
    operators = reader.child("operators")
    detail = reader.child("detail").optional_text()
    reason = reader.child("reason").text()
    return FloatPart(
        where=reader.child("where").items(lambda one: one.text()),
        operators=", ".join(_operator_counts(operators)),
        multiply_adds=reader.child("multiply_adds").number(),
        reason=f"{reason}: {detail}" if detail else reason,
        advice=reader.child("advice").optional_text() or "",
    )


def _gate(reader: JsonReader) -> Gate:
    return Gate(
        gate=reader.child("gate").text(),
        subject=reader.child("subject").optional_text(),
        outcome=reader.child("outcome").text(),
        sentence=reader.child("sentence").text(),
    )


def _operator_counts(reader: JsonReader) -> list[str]:
    counts = reader.mapping(lambda one: one.whole())
    return [name if number == 1 else f"{name} x{number}" for name, number in counts.items()]
