"""What tuning found, for the record of the export and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from condmix.deploy.metadata import condmix_version
from condmix.deploy.tune.measuring import Machine
from condmix.exporters.records import LayerForm, LayerRecord
from condmix.exporters.tune.assembly import TABLE, SiteClass
from condmix.exporters.tune.forms_file import FormsFile
from condmix.exporters.tune.measured import Timed, TimedRun
from condmix.models.network import LoadedNetwork

_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """The forms that were chosen and every figure behind them.

    networks: the runs of whole networks, in order. decided: the one that decided, against the untuned network; None
    where none was made. chosen: the name of its winner.
    finisher: what was made of the network after its forms, "portable" for nothing.
    reused: measurements that came from the cache. notes: what a user should know.
    """

    machine: Machine
    threads: int
    batch: int | None
    measured_batch: int
    classes: tuple[SiteClass, ...]
    networks: tuple[TimedRun, ...]
    decided: TimedRun | None
    chosen: str
    finisher: str
    forms: tuple[LayerForm, ...]
    seconds: float
    reused: int
    notes: tuple[str, ...]

    @property
    def gain(self) -> Timed | None:
        """The winner against the untuned network; None where nothing was faster."""
        if self.chosen == TABLE or self.decided is None:
            return None
        return self.decided.of(self.chosen)

    def noting(self, notes: Sequence[str]) -> Tuned:
        """The same with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def lines(self) -> list[str]:
        """For the summary."""
        measured = [one for one in self.classes if one.run is not None]
        tried = sum(len(one.candidates) for one in measured)
        threads = f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        reused = f", {self.reused} from the cache" if self.reused else ""
        count = f"{len(measured)} kinds of blocks, {tried} candidates, {len(self.networks)} runs of whole networks"
        where = f"on {self.machine.name}: {self.machine.sentence()}, {self.machine.runtime}, {threads}"
        lines = [f"{where}; {count} in {self.seconds:.0f} s{reused}", self.verdict()]
        lines += [f"{layers}: {why}" for layers, why in self._largest()]
        return lines

    def verdict(self) -> str:
        """The whole network, tuned against untuned."""
        run = self.decided
        if run is None:
            return f"{self._without_networks()}: the written rule's forms stay"
        floor = "" if run.noise_floor is None else f"; noise floor {run.noise_floor:.2f}"
        if self.gain is None:
            return f"nothing was faster than the written rule's forms beyond the noise{floor}"
        made = "" if self.finisher == "portable" else f" as {self.finisher} file"
        return f"whole network{made} {self.gain.words()} of the untuned one{floor}"

    def _without_networks(self) -> str:
        if not any(one.run is not None for one in self.classes):
            return "nothing was measured"
        promised = any(one.bold() != one.table for one in self.classes)
        return "no whole network was measured" if promised else "in no block another form promised to be faster"

    def explained(self, layers: Sequence[LayerRecord]) -> tuple[LayerRecord, ...]:
        """The layers as they were written; those that a finisher took over say what it was measured to be worth."""
        return tuple(
            replace(one, why=f"{one.why}; {self.verdict()}") if one.form == self.finisher else one for one in layers
        )

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "device": self.machine.name,
            "machine": self.machine.facts(),
            "threads": self.threads,
            "batch": self.batch,
            "measured_batch": self.measured_batch,
            "verdict": self.verdict(),
            "chosen": self.chosen,
            "decided": None if self.decided is None else self.decided.to_dict(),
            "finisher": self.finisher,
            "blocks": [_class_dict(one) for one in self.classes],
            "networks": [run.to_dict() for run in self.networks],
            "forms": {one.layer: {"form": one.form, "why": one.why} for one in self.forms},
            "seconds": round(self.seconds, 1),
            "reused": self.reused,
            "notes": list(self.notes),
        }

    def _largest(self) -> list[tuple[str, str]]:
        """The layers that gained most in their blocks, and why."""
        why: Mapping[str, LayerForm] = {one.layer: one for one in self.forms}
        found = []
        for one in self.classes:
            form = why.get(one.layers[0][-1])
            if form is None or one.run is None:
                continue
            timed = next((t for t in one.run.candidates if t.name == self._name(one, why)), None)
            if timed is not None and timed.name != one.table.name and timed.ratio is not None:
                layers = ", ".join(site[-1] for site in one.layers)
                found.append((timed.ratio, layers, f"{timed.name}: {form.why}"))
        return [(layers, words) for _, layers, words in sorted(found)[:_SHOWN]]

    def _name(self, one: SiteClass, forms: Mapping[str, LayerForm]) -> str:
        return " + ".join(forms[layer].form for layer in one.layers[0])


def forms_file(tuned: Tuned, network: LoadedNetwork) -> FormsFile:
    """The forms to share, with what they were measured for."""
    return FormsFile(
        condmix_version=condmix_version(),
        network=network.architecture,
        input_size=network.input_size,
        batch=tuned.batch,
        runtime=tuned.machine.runtime,
        machine=tuned.machine.sentence(),
        threads=tuned.threads,
        finisher=tuned.finisher,
        forms=tuned.forms,
    )


def _class_dict(one: SiteClass) -> dict[str, object]:
    return {
        "layers": [list(site) for site in one.layers],
        "what": one.description,
        "candidates": [] if one.run is None else [timed.to_dict() for timed in one.run.candidates],
        "noise_floor": None if one.run is None else one.run.noise_floor,
        "median_ms": None if one.run is None else one.run.median_ms,
        "left_out": dict(one.left_out),
        "skipped": one.skipped,
    }
