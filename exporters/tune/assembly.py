"""Whole networks out of blocks: which of them are worth a measurement, and the form of every layer in each.

Blocks only propose: a network is put together from the best of each, and single changes that the blocks could not
judge are tried on the whole of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from condmix.exporters.records import LayerForm
from condmix.exporters.tune.candidates import Candidate
from condmix.exporters.tune.measured import Timed, TimedRun

TABLE, SURE, LIKELY, BOLD = "table", "sure", "likely", "bold"
UNIFORM = ("kernel", "experts", "matmul", "parallel", "hoisted", "merged")
MOST_RIVALS = 2
MOST_CONTENDERS = 2
RIVAL_MARGIN = 0.02
"""A form whose interval begins within so much of the chosen one's ratio may be the better one in the network."""
LEAST_EFFECT = 0.005
"""Of the network's time: a single change that can win less is not seen, so it is not tried."""
MOST_SWAPS = 8
WORTH = 1.02
"""Of the untuned network's time by its blocks: one that takes more is not measured."""


@dataclass(frozen=True, kw_only=True)
class SiteClass:
    """All sites that share a signature. layers: of each site, by name. candidates: the written rule's first.

    run: None where it was not measured, for the reason `skipped`. left_out: form -> why it was not measured.
    """

    signature: str
    description: str
    layers: tuple[tuple[str, ...], ...]
    candidates: tuple[Candidate, ...]
    run: TimedRun | None
    left_out: tuple[tuple[str, str], ...] = ()
    skipped: str | None = None

    @property
    def table(self) -> Candidate:
        """The form of the untuned export."""
        return self.candidates[0]

    @property
    def milliseconds(self) -> float:
        """Of all its blocks in the written rule's form; 0 where they were not measured."""
        return 0.0 if self.run is None or self.run.median_ms is None else self.run.median_ms * len(self.layers)

    def named(self, name: str) -> Candidate:
        """The candidate of that name."""
        return next(one for one in self.candidates if one.name == name)

    def sure(self) -> Candidate:
        """The fastest beyond the noise, else the written rule's."""
        return self.table if self.run is None else self.named(self.run.fastest().name)

    def likely(self) -> Candidate:
        """The lowest ratio of those whose interval lies below 1, else the written rule's."""
        below = (
            [] if self.run is None else [one for one in self.run.candidates if one.high is not None and one.high < 1]
        )
        return self.named(min(below, key=lambda one: one.ratio or 1.0).name) if below else self.table

    def bold(self) -> Candidate:
        """The lowest ratio."""
        return self.table if self.run is None else self.named(self.run.lowest().name)

    def timed(self, candidate: Candidate) -> Timed | None:
        """Its figures."""
        return None if self.run is None else self.run.of(candidate.name)


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """A whole network. chosen: signature -> candidate, of every class."""

    name: str
    chosen: Mapping[str, Candidate]

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """The same for networks that are the same."""
        return tuple(sorted((signature, candidate.name) for signature, candidate in self.chosen.items()))

    def differences(self, other: Assembly) -> tuple[str, ...]:
        """The signatures of the classes in which they differ."""
        return tuple(signature for signature, one in self.chosen.items() if one != other.chosen[signature])

    def forms(self, classes: Sequence[SiteClass], why: Mapping[str, str] | None = None) -> tuple[LayerForm, ...]:
        """The form of every layer. why: signature -> the reason for the record."""
        return tuple(
            LayerForm(layer=layer, form=form, why=(why or {}).get(one.signature, ""))
            for one in classes
            for site in one.layers
            for layer, form in zip(site, self.chosen[one.signature].forms, strict=True)
        )


@dataclass(frozen=True, kw_only=True)
class Change:
    """A form of one class that made a whole network faster. ratio: against the network without it; words: the same."""

    signature: str
    candidate: Candidate
    ratio: float
    words: str


def proposals(classes: Sequence[SiteClass]) -> tuple[Assembly, ...]:
    """The written rule's network first, then the best blocks, and one form throughout where that may be worth it.

    Each network once.
    """
    made = [
        Assembly(name=TABLE, chosen={one.signature: one.table for one in classes}),
        Assembly(name=SURE, chosen={one.signature: one.sure() for one in classes}),
        Assembly(name=LIKELY, chosen={one.signature: one.likely() for one in classes}),
        Assembly(name=BOLD, chosen={one.signature: one.bold() for one in classes}),
        *(
            Assembly(name=f"all {form}", chosen={one.signature: _uniform(one, form) for one in classes})
            for form in UNIFORM
        ),
    ]
    first: dict[tuple[tuple[str, str], ...], Assembly] = {}
    for one in made:
        if one.name in (TABLE, SURE, LIKELY, BOLD) or predicted(classes, one) <= WORTH * predicted(classes, made[0]):
            first.setdefault(one.key, one)
    return tuple(first.values())


def predicted(classes: Sequence[SiteClass], assembly: Assembly) -> float:
    """Milliseconds of all measured blocks in the assembly's forms; they overlap, so only ratios of such sums count."""
    total = 0.0
    for one in classes:
        timed = one.timed(assembly.chosen[one.signature])
        total += one.milliseconds * (1.0 if timed is None or timed.ratio is None else timed.ratio)
    return total


def contenders(one: SiteClass) -> tuple[Candidate, ...]:
    """The written rule's form and those that may be faster by a short run: they deserve a longer one."""
    if one.run is None:
        return ()
    near = [timed for timed in one.run.candidates[1:] if timed.ratio is not None and (timed.low or timed.ratio) < 1]
    near.sort(key=lambda timed: timed.ratio or 0.0)
    return (one.table, *(one.named(timed.name) for timed in near[:MOST_CONTENDERS]))


def doubtful(classes: Sequence[SiteClass]) -> tuple[SiteClass, ...]:
    """Those of which a longer run may win something, the one that may win most first."""
    total = predicted(classes, Assembly(name=TABLE, chosen={one.signature: one.table for one in classes}))
    found: list[tuple[float, SiteClass]] = []
    for one in classes:
        lows = [timed.low or 1.0 for candidate in contenders(one)[1:] if (timed := one.timed(candidate)) is not None]
        won = (1.0 - min(lows, default=1.0)) * one.milliseconds
        if won > LEAST_EFFECT * total:
            found.append((won, one))
    found.sort(key=lambda pair: -pair[0])
    return tuple(one for _, one in found)


def swaps(classes: Sequence[SiteClass], leader: Assembly, network_ms: float) -> tuple[Assembly, ...]:
    """Networks that differ from the leader in one class, where its block could not tell the forms apart.

    network_ms: of a whole network. The changes that can win most come first, those that can win nothing visible never.
    """
    found: list[tuple[float, Assembly]] = []
    for one in classes:
        own = one.timed(leader.chosen[one.signature])
        for rival in rivals(one, leader.chosen[one.signature]):
            timed = one.timed(rival)
            assert own is not None
            assert timed is not None
            won = ((own.ratio or 1.0) - (timed.low or 1.0)) * one.milliseconds / network_ms
            name = f"{one.layers[0][-1]}: {rival.name}"
            if won >= LEAST_EFFECT:
                found.append((won, Assembly(name=name, chosen={**leader.chosen, one.signature: rival})))
    found.sort(key=lambda pair: -pair[0])
    return tuple(swap for _, swap in found[:MOST_SWAPS])


def rivals(one: SiteClass, chosen: Candidate) -> tuple[Candidate, ...]:
    """The forms that may be better than the chosen one in the whole network, likeliest first."""
    own = one.timed(chosen)
    if one.run is None or own is None or own.ratio is None:
        return ()
    near = [
        timed
        for timed in one.run.candidates
        if timed.name != chosen.name
        and timed.ratio is not None
        and timed.low is not None
        and timed.low <= own.ratio * (1 + RIVAL_MARGIN)
    ]
    near.sort(key=lambda timed: timed.ratio or 0.0)
    return tuple(one.named(timed.name) for timed in near[:MOST_RIVALS])


def changed(swap: Assembly, leader: Assembly, run: TimedRun) -> Change | None:
    """The single change, measured against the leader; None when it was not faster beyond the noise."""
    timed = run.of(swap.name)
    if timed.ratio is None or not run.is_faster(timed):
        return None
    (signature,) = swap.differences(leader)
    return Change(
        signature=signature,
        candidate=swap.chosen[signature],
        ratio=timed.ratio,
        words=f"{timed.words()} of the one with `{leader.chosen[signature].name}`",
    )


def combined(name: str, leader: Assembly, changes: Sequence[Change]) -> Assembly:
    """The leader with all the changes; of several at one class the one with the lowest ratio."""
    chosen = dict(leader.chosen)
    for change in sorted(changes, key=lambda one: -one.ratio):
        chosen[change.signature] = change.candidate
    return Assembly(name=name, chosen=chosen)


def _uniform(one: SiteClass, form: str) -> Candidate:
    """The candidate with that form where the written rule's has another one of the same kind, else the latter."""
    wanted = (*one.table.forms[:-1], form)
    return next((candidate for candidate in one.candidates if candidate.forms == wanted), one.table)
