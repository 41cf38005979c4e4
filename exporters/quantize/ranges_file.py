"""Ranges as JSON text, so that one calibration serves many exports; and back, for the same network only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from condmix.exporters.errors import CalibrationError
from condmix.exporters.quantize.ranges import Range, Ranges

SCHEMA_VERSION = 1
KIND = "condmix-ranges"
FIELDS = (
    "schema_version", "kind", "source_sha256", "method", "image_count", "images_sha256",
    "values", "inner", "routing", "channel_means",
)  # fmt: skip
MOST_NAMES = 3
"""Differing values that a refusal names."""


@dataclass(frozen=True, kw_only=True)
class NetworkFingerprint:
    """Which network ranges belong to: the file it came from (None where there was none), and its values."""

    source_sha256: str | None
    values: tuple[str, ...]
    """The names of the rewritten graph's float values, in order."""


def to_text(ranges: Ranges, network: NetworkFingerprint) -> str:
    """The ranges as JSON, a value a line; every number comes back exactly as it is.

    Raises CalibrationError when the ranges are not those of the network's values.
    """
    differing = _differing(tuple(ranges.values), network.values)
    if differing:
        message = f"these ranges cannot be saved for this network: {differing}"
        raise CalibrationError(message)
    record = {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "source_sha256": network.source_sha256,
        "method": ranges.method,
        "image_count": ranges.image_count,
        "images_sha256": ranges.images_sha256,
        "values": _plain_ranges(ranges.values),
        "inner": {form: _plain_ranges(values) for form, values in ranges.inner.items()},
        "routing": {name: [_shortest(row) for row in rows] for name, rows in ranges.routing.items()},
        "channel_means": {name: _shortest(means) for name, means in ranges.channel_means.items()},
    }
    return _text(record, depth=0) + "\n"


def from_text(text: str, network: NetworkFingerprint) -> Ranges:
    """The ranges in the text, which are those of this very network.

    Raises CalibrationError listing all that is wrong with the text, or how its network differs.
    """
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refusal([f"is not JSON: {error}"]) from error
    if not isinstance(record, dict) or record.get("kind") != KIND:
        found = record.get("kind") if isinstance(record, dict) else type(record).__name__
        raise _refusal([f"is of kind {found!r}: expected {KIND!r}"])
    if record.get("schema_version") != SCHEMA_VERSION:
        raise _refusal([f"has schema_version {record.get('schema_version')!r}: expected {SCHEMA_VERSION}"])
    reading = _Reading()
    ranges = reading.ranges(record)
    if reading.problems or ranges is None:
        raise _refusal(reading.problems)
    _require_same(record["source_sha256"], ranges, network)
    return ranges


def _require_same(source_sha256: object, ranges: Ranges, network: NetworkFingerprint) -> None:
    problems = []
    if source_sha256 != network.source_sha256:
        problems.append(
            f"they were made from weights with sha256 {_short(source_sha256)}, this network's have "
            f"{_short(network.source_sha256)}"
        )
    differing = _differing(tuple(ranges.values), network.values)
    if differing:
        problems.append(differing)
    if problems:
        heading = "these ranges belong to another network, or to another version of condmix: calibrate again"
        raise CalibrationError("\n".join((heading, *(f"  - {problem}" for problem in problems))))


def _differing(found: Sequence[str], wanted: Sequence[str]) -> str:
    """How two lists of value names differ, regardless of their order; empty when they do not."""
    known, needed = set(found), set(wanted)
    parts = []
    for names, words in (
        ([name for name in wanted if name not in known], "without a range"),
        ([name for name in found if name not in needed], "not in the network"),
    ):
        if names:
            more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
            parts.append(f"{words}: {', '.join(repr(name) for name in names[:MOST_NAMES])}{more}")
    return "; ".join(parts)


class _Reading:
    """Reads the fields one by one and collects what is wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def ranges(self, record: Mapping[str, object]) -> Ranges | None:
        self.problems += [f"field '{name}' is absent" for name in FIELDS if name not in record]
        self.problems += [f"unknown field '{name}'" for name in record if name not in FIELDS]
        if self.problems:
            return None
        self._text(record, "method")
        self._text(record, "images_sha256")
        if record["source_sha256"] is not None:
            self._text(record, "source_sha256")
        count = record["image_count"]
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            self.problems.append(f"image_count is {count!r}: expected a whole number of at least 1")
        values = self._ranges("values", record["values"])
        inner = {form: self._ranges(f"inner.{form}", found) for form, found in self._members(record, "inner")}
        routing = {name: self._array(f"routing['{name}']", rows, 2) for name, rows in self._members(record, "routing")}
        means = {
            name: self._array(f"channel_means['{name}']", row, 1)
            for name, row in self._members(record, "channel_means")
        }
        self.problems += [
            f"routing['{name}'] has {len(rows)} rows: expected one an image, {count}"
            for name, rows in routing.items()
            if rows.ndim == 2 and len(rows) != count
        ]
        if self.problems:
            return None
        return Ranges(
            method=str(record["method"]),
            image_count=int(str(count)),
            images_sha256=str(record["images_sha256"]),
            values=values,
            inner=inner,
            routing=routing,
            channel_means=means,
        )

    def _text(self, record: Mapping[str, object], name: str) -> None:
        if not isinstance(record[name], str):
            self.problems.append(f"{name} is {record[name]!r}: expected a text")

    def _members(self, record: Mapping[str, object], name: str) -> list[tuple[str, object]]:
        found = record[name]
        if isinstance(found, dict):
            return list(found.items())
        self.problems.append(f"{name} is a {type(found).__name__}: expected an object")
        return []

    def _ranges(self, place: str, found: object) -> dict[str, Range]:
        read: dict[str, Range] = {}
        for name, ends in self._members({place: found}, place):
            if not (isinstance(ends, list) and len(ends) == 2 and all(map(_is_number, ends))):
                self.problems.append(f"{place}['{name}'] is {ends!r}: expected two numbers, [low, high]")
                continue
            try:
                read[name] = Range(low=float(ends[0]), high=float(ends[1]))
            except CalibrationError as error:
                self.problems.append(f"{place}['{name}']: {error}")
        return read

    def _array(self, place: str, found: object, axes: int) -> np.ndarray:
        rows: list[object] = found if axes == 2 and isinstance(found, list) else [found]
        plain = [row for row in rows if isinstance(row, list) and all(map(_is_number, row))]
        same = len(plain) == len(rows) and len({len(row) for row in plain}) == 1
        array = np.array(found, np.float32) if same and found else np.zeros(0, np.float32)
        if array.ndim != axes or not array.size or not np.isfinite(array).all():
            wanted = "rows of equally many" if axes == 2 else "a row of"
            self.problems.append(f"{place}: expected {wanted} finite numbers")
        return array


def _is_number(found: object) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _plain_ranges(values: Mapping[str, Range]) -> dict[str, list[float]]:
    return {name: [span.low, span.high] for name, span in values.items()}


def _shortest(row: np.ndarray) -> list[float]:
    """float32 numbers as the doubles whose shortest text reads back as the same float32."""
    return [float(str(number)) for number in row.astype(np.float32)]


def _text(record: object, *, depth: int) -> str:
    """JSON with a line for each member of the first two levels."""
    if depth == 2 or not isinstance(record, dict) or not record:
        return json.dumps(record, ensure_ascii=False, allow_nan=False)
    indent = "  " * (depth + 1)
    members = (
        f"{indent}{json.dumps(key, ensure_ascii=False)}: {_text(value, depth=depth + 1)}"
        for key, value in record.items()
    )
    return "{\n" + ",\n".join(members) + "\n" + "  " * depth + "}"


def _short(sha256: object) -> str:
    return f"{sha256[:12]}..." if isinstance(sha256, str) else "unknown (no file)"


def _refusal(problems: Sequence[str]) -> CalibrationError:
    heading = "the saved ranges cannot be used:"
    return CalibrationError("\n".join((heading, *(f"  - {problem}" for problem in problems))))
