"""From a rewritten graph to the fastest form of every layer: blocks, whole networks, single changes, a last run.

1. Every class of alike sites: its candidates in their block, in one interleaved run; those that may be the fastest
   once more and longer.
2. Whole networks put together from the blocks, against the untuned one.
3. The best of them with single changes where a block could not tell the forms apart.
4. What came out faster, together, and every finisher, against the untuned one: the winner has to beat its noise floor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from condmix.deploy.devices.device import Say
from condmix.deploy.tune.measuring import BLOCK, NETWORK, SCREEN, Machine
from condmix.deploy.tune.record import Tuned
from condmix.deploy.tune.remembered import Remembered
from condmix.exporters.errors import ExportError, NotExportableError
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.tune.assembly import (
    Assembly,
    Change,
    SiteClass,
    changed,
    combined,
    contenders,
    doubtful,
    proposals,
    swaps,
)
from condmix.exporters.tune.blocks import block_of
from condmix.exporters.tune.candidates import Candidate, choices_of, describe
from condmix.exporters.tune.finisher import PORTABLE, Finisher
from condmix.exporters.tune.measured import TimedRun
from condmix.exporters.tune.reasons import reasons
from condmix.exporters.tune.signature import signature_of
from condmix.exporters.tune.sites import Site, find_sites
from condmix.exporters.tune.written import block_forms, written
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.errors import InferenceError

TIME_IS_UP = "the time for tuning (--tune-seconds) was up"
DYNAMIC_MEASURED_BATCH = 4
"""Images a call at which a file for any number is measured."""
SHARE_FOR_BLOCKS = 0.55
"""Of the time there is: whole networks decide, so they must have their part."""
MOST_TOGETHER = 4
"""Networks in one run, besides the one they are compared with: each is held in memory by two processes."""


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Sites of one signature, before they are measured."""

    signature: str
    sites: tuple[Site, ...]
    block: ir.Model


@dataclass(frozen=True, kw_only=True)
class _Winner:
    """swapped: signature -> what the whole network said of that class alone. run: that decided, None without one."""

    assembly: Assembly
    run: TimedRun | None = None
    finisher: str = PORTABLE
    swapped: Mapping[str, str] = field(default_factory=dict)


class Search:
    """One tuning. Every measurement that is made is in the cache at once: killed, it goes on from there."""

    def __init__(
        self,
        model: ir.Model,
        batch: int | None,
        opset: int,
        runs: Remembered,
        *,
        machine: Machine,
        say: Say,
        finishers: Sequence[Finisher] = (),
    ) -> None:
        """model: rewritten, for one image; it is left as it is. machine: on which `runs` measures."""
        self._model, self._opset = model, opset
        self._batch = BatchAxis(size=batch)
        self._runs, self._machine, self._say = runs, machine, say
        self._finishers = tuple(one for one in finishers if one.refuse(self._batch) is None)
        self._networks: list[TimedRun] = []
        self._notes: list[str] = []
        self._signature = signature_of(model, Site(layers=(), nodes=()))

    def run(self, threads: int) -> Tuned:
        """What was found. Raises DeviceError, KeyboardInterrupt."""
        classes = self._classes()
        winner = self._assemble(classes)
        why = reasons(classes, winner.assembly, winner.swapped, self._machine.sentence())
        return Tuned(
            machine=self._machine,
            threads=threads,
            batch=self._batch.size,
            measured_batch=self._batch.size or DYNAMIC_MEASURED_BATCH,
            classes=classes,
            networks=tuple(self._networks),
            decided=winner.run,
            chosen=winner.assembly.name,
            finisher=winner.finisher,
            forms=winner.assembly.forms(classes, why),
            seconds=self._runs.seconds,
            reused=self._runs.reused,
            notes=tuple(self._notes),
        )

    def _classes(self) -> tuple[SiteClass, ...]:
        """Step 1: a short run of every class, then longer ones where they may win something."""
        groups = {group.signature: group for group in self._groups()}
        found: dict[str, SiteClass] = {}
        for place, group in enumerate(groups.values()):
            fresh = place - self._runs.reused
            left = f", about {self._runs.seconds / fresh * (len(groups) - place):.0f} s left" if fresh > 0 else ""
            self._say(f"tune: block {place + 1} of {len(groups)}{left}")
            found[group.signature] = self._screened(group)
        again = doubtful(tuple(found.values()))
        for place, one in enumerate(again):
            self._say(f"tune: block {place + 1} of {len(again)} once more")
            longer = self._timed(groups[one.signature], contenders(one), BLOCK)
            assert one.run is not None
            found[one.signature] = replace(one, run=one.run.updated(longer))
        late = sum(one.skipped == TIME_IS_UP for one in found.values())
        if late:
            self._notes.append(
                f"{late} kinds of blocks were not measured and keep the written rule's forms: {TIME_IS_UP}"
            )
        return tuple(found.values())

    def _groups(self) -> list[_Group]:
        sites: dict[str, list[Site]] = {}
        blocks: dict[str, ir.Model] = {}
        for site in find_sites(self._model.graph):
            block = block_of(self._model, site)
            signature = signature_of(block, site)
            sites.setdefault(signature, []).append(site)
            blocks.setdefault(signature, block)
        return [_Group(signature=key, sites=tuple(same), block=blocks[key]) for key, same in sites.items()]

    def _screened(self, group: _Group) -> SiteClass:
        site = group.sites[0]
        choices = choices_of(site, self._batch)
        one = SiteClass(
            signature=group.signature,
            description=describe(site.nodes[-1]),
            layers=tuple(same.layers for same in group.sites),
            candidates=choices.candidates,
            run=None,
            left_out=choices.left_out,
        )
        if len(choices.candidates) == 1:
            return replace(one, skipped="there is no other form")
        try:
            run = self._timed(group, choices.candidates, SCREEN)
        except NotExportableError as error:
            return replace(one, skipped=f"its block cannot stand alone: {' '.join(str(error).split())}")
        return replace(one, skipped=TIME_IS_UP) if run is None else replace(one, run=run)

    def _timed(self, group: _Group, some: Sequence[Candidate], settings: BenchSettings) -> TimedRun | None:
        """Candidates in their block; None when the time for blocks is up. Raises NotExportableError."""
        site, block = group.sites[0], group.block

        def files() -> Mapping[str, bytes]:
            return {
                one.name: written(block, self._batch, self._opset, block_forms(block, site, one), ends=False)
                for one in some
            }

        return self._runs.run(group.signature, [one.name for one in some], files, settings, share=SHARE_FOR_BLOCKS)

    def _assemble(self, classes: tuple[SiteClass, ...]) -> _Winner:
        """Steps 2 to 4."""
        table, *others = proposals(classes)
        self._say(f"tune: {1 + len(others)} whole networks")
        run = self._measured(classes, [table, *others]) if others else None
        if others and run is None:
            self._notes.append(f"what the blocks promise was not tried on the whole network: {TIME_IS_UP}")
        leader = table if run is None else next(one for one in (table, *others) if one.name == run.fastest().name)
        changes = [] if run is None or run.median_ms is None else self._changes(classes, leader, run.median_ms)
        finalists = [table, *([] if leader is table else [leader])]
        if changes:
            finalists.append(combined("single changes", leader, changes))
        elif not self._finishers:
            return _Winner(assembly=leader, run=run)
        self._say("tune: the finalists")
        swapped = {change.signature: change.words for change in changes}
        winner = self._final(classes, finalists)
        changed = winner.assembly.differences(leader)
        return replace(winner, swapped={one: words for one, words in swapped.items() if one in changed})

    def _changes(self, classes: tuple[SiteClass, ...], leader: Assembly, network_ms: float) -> list[Change]:
        """Step 3: the single changes that made the leader faster beyond the noise."""
        tried = swaps(classes, leader, network_ms)
        kept: list[Change] = []
        for start in range(0, len(tried), MOST_TOGETHER):
            some = tried[start : start + MOST_TOGETHER]
            self._say(f"tune: single changes, {start + len(some)} of {len(tried)}")
            run = self._measured(classes, [leader, *some])
            if run is None:
                self._notes.append(f"{len(tried) - start} of {len(tried)} single changes were not tried: {TIME_IS_UP}")
                break
            kept += [change for one in some if (change := changed(one, leader, run)) is not None]
        return kept

    def _final(self, classes: tuple[SiteClass, ...], finalists: Sequence[Assembly]) -> _Winner:
        """Step 4. A finisher works on the last finalist, which holds all that was found."""
        entries: dict[str, tuple[Assembly, Finisher | None]] = {one.name: (one, None) for one in finalists}
        finished: dict[str, bytes] = {}
        for finisher in self._finishers:
            try:
                finished[finisher.name] = self._content(classes, finalists[-1], finisher)
            except (ExportError, InferenceError) as error:
                self._notes.append(f"no {finisher.name} file: {' '.join(str(error).split())}")
                continue
            entries[finisher.name] = (replace(finalists[-1], name=finisher.name), finisher)

        def files() -> Mapping[str, bytes]:
            return {**{one.name: self._content(classes, one) for one in finalists}, **finished}

        names = [f"{name}: {one.key}" for name, (one, _) in entries.items()]
        run = self._runs.run(self._signature, names, files, NETWORK, share=None)
        assert run is not None
        self._networks.append(run)
        # What runs on this machine only has to be faster than what runs everywhere.
        portable = [one.name for one in finalists]
        assembly, used = entries[run.fastest_of(portable, unless=tuple(finished)).name]
        return _Winner(assembly=assembly, finisher=PORTABLE if used is None else used.name, run=run)

    def _measured(self, classes: tuple[SiteClass, ...], some: Sequence[Assembly]) -> TimedRun | None:
        """Whole networks against the first; None when the time is up."""

        def files() -> Mapping[str, bytes]:
            return {one.name: self._content(classes, one) for one in some}

        names = [f"{one.name}: {one.key}" for one in some]
        run = self._runs.run(self._signature, names, files, NETWORK, share=1.0)
        if run is not None:
            self._networks.append(run)
        return run

    def _content(self, classes: tuple[SiteClass, ...], one: Assembly, finisher: Finisher | None = None) -> bytes:
        forms = one.forms(classes)
        if finisher is None:
            return written(self._model, self._batch, self._opset, forms)
        return finisher.write(self._model, self._batch, self._opset, forms)
