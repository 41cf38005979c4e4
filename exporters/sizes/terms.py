"""Lengths as expressions: a number, the length of an axis of some value, or a share or product of such lengths.

An expression is taken when it is right at every captured size; sizes that were not captured decide in the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.sizes.twins import Length, Site

INT64 = ir.DataType.INT64
FACTORS = ((1, 1), (2, 1), (3, 1), (4, 1), (8, 1), (16, 1), (32, 1), (1, 2), (1, 4), (1, 8), (3, 2), (1, 16), (1, 32))
"""Numerator and denominator of shares that networks take of a length, the plainest first."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Term:
    """numerator * product of axes // denominator; without axes the numerator alone."""

    axes: tuple[tuple[ir.Value, int], ...] = ()
    numerator: int = 1
    denominator: int = 1


def explain(
    lengths: Sequence[Length], site: Site, sources: Sequence[ir.Value], from_end: int | None = None
) -> Term | None:
    """An expression that gives these lengths, one a size: first of the axes of `sources`, then of earlier values.

    from_end: which axis it is about, counted from the back: the same one of another map is taken before any other,
    for height and width may have the same lengths at all captured sizes deep in a network.
    """
    if len(set(lengths)) == 1 and isinstance(lengths[0], int):
        return Term(numerator=lengths[0])
    earlier = site.twins.earlier(site.node)
    equal = [one for one in _axes((*sources, *earlier), site) if one[2] == tuple(lengths)]
    likely = [one for one in equal if len(site.twins.shapes(one[0])[0]) - one[1] == from_end]
    for value, axis, _ in (likely or equal)[:1]:
        return Term(axes=((value, axis),))
    if not all(isinstance(length, int) for length in lengths):
        return None
    numbers = [length for length in lengths if isinstance(length, int)]
    return _share(numbers, site, (*sources, *earlier[:1])) or _product(numbers, site, (*sources, *earlier))


def _axes(values: Iterable[ir.Value], site: Site) -> Iterator[tuple[ir.Value, int, tuple[Length, ...]]]:
    """Every axis of every value with its length at every size."""
    for value in values:
        shapes = site.twins.shapes(value)
        if len({len(shape) for shape in shapes}) == 1:
            for axis, found in enumerate(zip(*shapes, strict=True)):
                yield value, axis, found


def _share(lengths: Sequence[int], site: Site, values: Iterable[ir.Value]) -> Term | None:
    for value, axis, found in _axes(values, site):
        numbers = [length for length in found if isinstance(length, int)]
        if len(numbers) < len(found):
            continue
        for over, under in FACTORS[1:]:
            if all(over * one // under == length for one, length in zip(numbers, lengths, strict=True)):
                return Term(axes=((value, axis),), numerator=over, denominator=under)
    return None


def _product(lengths: Sequence[int], site: Site, values: Iterable[ir.Value]) -> Term | None:
    """A multiple of the positions of one map: of two neighbouring axes that both vary."""
    for value in values:
        varying = [
            (axis, [length for length in found if isinstance(length, int)])
            for one, axis, found in _axes((value,), site)
            if one is value and len(set(found)) > 1 and all(isinstance(length, int) for length in found)
        ]
        for (first, heights), (second, widths) in pairwise(varying):
            positions = [height * width for height, width in zip(heights, widths, strict=True)]
            over, rest = divmod(lengths[0], positions[0])
            if not rest and all(over * one == length for one, length in zip(positions, lengths, strict=True)):
                return Term(axes=((value, first), (value, second)), numerator=over)
    return None


class TermWriter:
    """Writes expressions as nodes that compute them from shapes while the file runs."""

    def __init__(self, builder: NodeBuilder) -> None:
        self.builder = builder

    def vector(self, terms: Sequence[Term | int], role: str) -> ir.Value:
        """A vector of integers, one a term. A plain number stands for itself (0 and -1 of a Reshape)."""
        parts: list[ir.Value] = []
        place = 0
        while place < len(terms):
            run = 1
            while place + run < len(terms) and _continues(terms[place + run - 1], terms[place + run]):
                run += 1
            parts.append(self._run(terms[place : place + run], f"{role}_{place}"))
            place += run
        if len(parts) == 1:
            return parts[0]
        return self.builder.one("Concat", parts, (len(terms),), role=role, attributes={"axis": 0}, data_type=INT64)

    def axes_of(self, value: ir.Value, start: int, stop: int, role: str) -> ir.Value:
        """The lengths of some neighbouring axes of a value."""
        # The shape of integers is that of the real numbers they stand for, and needs no conversion.
        producer = value.producer()
        source = value
        if producer is not None and producer.op_type == "DequantizeLinear" and producer.inputs[0] is not None:
            source = producer.inputs[0]
        attributes = {"start": start, "end": stop}
        return self.builder.one("Shape", [source], (stop - start,), role=role, attributes=attributes, data_type=INT64)

    def _run(self, terms: Sequence[Term | int], role: str) -> ir.Value:
        first = terms[0]
        if isinstance(first, int) or not first.axes:
            numbers = [one if isinstance(one, int) else one.numerator for one in terms]
            return self.builder.ints(numbers, role)
        value, axis = first.axes[0]
        if len(terms) > 1:
            return self.axes_of(value, axis, axis + len(terms), role)
        result = self.axes_of(value, axis, axis + 1, role)
        for other, own in first.axes[1:]:
            result = self._two("Mul", result, self.axes_of(other, own, own + 1, role), role)
        if first.numerator != 1:
            result = self._two("Mul", result, self.builder.ints((first.numerator,), role), role)
        if first.denominator != 1:
            result = self._two("Div", result, self.builder.ints((first.denominator,), role), role)
        return result

    def _two(self, operator: str, one: ir.Value, other: ir.Value, role: str) -> ir.Value:
        return self.builder.one(operator, [one, other], (1,), role=role, data_type=INT64)


def _continues(one: Term | int, other: Term | int) -> bool:
    """Whether two entries can be written together: both numbers, or neighbouring axes of one value."""
    numbers = [isinstance(item, int) or not item.axes for item in (one, other)]
    if any(numbers):
        return all(numbers)
    assert isinstance(one, Term)
    assert isinstance(other, Term)
    plain = all(len(item.axes) == 1 and item.numerator == item.denominator == 1 for item in (one, other))
    return plain and one.axes[0][0] is other.axes[0][0] and one.axes[0][1] + 1 == other.axes[0][1]
