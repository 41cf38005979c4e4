"""Timing the rows of a network in one interleaved run: a process each, and only one of them computes at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from condmix.deploy.bench.peers_check import bound, laid_out, real
from condmix.deploy.bench.peers_process import LONGEST_REASON, core_for_one_thread, start_bound, worker_command
from condmix.deploy.bench.peers_rows import FLOAT32, Doubles, PeerRow, Reference
from condmix.runtime.bench.samples import Samples
from condmix.runtime.bench.statistics import Ratio, blocks, compare_blocks
from condmix.runtime.bench.worker_process import Worker
from condmix.runtime.bench.worker_process import worker_command as own_command
from condmix.runtime.piped_process import WorkerEndedError
from condmix.runtime.signature import Signature, Tensor
from condmix.runtime.tflite_worker import Head

Start = Callable[[PeerRow, int | None], Worker]
"""(row, core) -> its worker, bound to that core; None leaves it where it likes."""


@dataclass(frozen=True, kw_only=True)
class PeerSettings:
    """How long to measure.

    rounds: in which every row has its turn of `block` runs, after one that is not timed.
    slow_seconds: a row whose run takes longer has turns of a single run, in the first `slow_rounds` only.
    openings: processes of each row, which have its turns in turn: where an engine's memory comes to lie makes two of
    one file differ by some percent for as long as they live.
    answer_seconds: after which a silent worker is given up.
    """

    threads: int = 1
    rounds: int = 40
    block: int = 3
    warmup_runs: int = 8
    slow_seconds: float = 0.25
    slow_rounds: int = 20
    openings: int = 1
    answer_seconds: float = 120.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class MeasuredRow:
    """One row after the run.

    difference: the largest from PyTorch in float64, over the largest output; None where nothing came out.
    failure: why there is no time, in a line: not written, not opened, wrong, or lost; `wrong` tells that one apart.
    """

    row: PeerRow
    engine_version: str = ""
    difference: float | None = None
    wrong: bool = False
    failure: str | None = None
    block: int = 1
    samples: Samples = field(default_factory=Samples)

    @property
    def is_measured(self) -> bool:
        """It has times that count."""
        return self.failure is None

    def median_ms(self, clock: str = "wall_ns") -> float:
        """Of the timed runs, by the wall clock or by that of all threads of the process."""
        return float(np.median(getattr(self.samples, clock))) / 1e6

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        data = asdict(self)
        return {**data, "samples": self.samples.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MeasuredRow:
        """What `to_dict` wrote."""
        return cls(**{**data, "row": PeerRow(**data["row"]), "samples": Samples.from_dict(data["samples"])})


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """All rows of one network on so many threads; the first is the baseline and was timed by a second process too."""

    network: str
    settings: PeerSettings
    core: int | None
    rows: tuple[MeasuredRow, ...]
    control: MeasuredRow

    def ratio(self, above: MeasuredRow, below: MeasuredRow) -> Ratio:
        """Of the medians of wall time, with its interval over the rounds that both had."""
        turns = [blocks(one.samples, rounds=self.settings.rounds, block=one.block) for one in (above, below)]
        return compare_blocks(
            turns[0], turns[1], numerator=above.row.name, denominator=below.row.name, seed=self.settings.seed
        )

    def noise_floor(self) -> float | None:
        """How far the baseline, timed against itself, reaches from 1; None without an interval."""
        if not (self.rows[0].is_measured and self.control.is_measured):
            return None
        found = self.ratio(self.control, self.rows[0])
        if found.low is None or found.high is None:
            return None
        return max(abs(found.low - 1), abs(found.high - 1))

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON: every sample, and each row's ratio to the first."""
        measured = [row for row in self.rows if row.is_measured]
        return {
            "network": self.network,
            "settings": asdict(self.settings),
            "core": self.core,
            "rows": [row.to_dict() for row in self.rows],
            "control": self.control.to_dict(),
            "noise_floor": self.noise_floor(),
            "ratios": [self.ratio(row, self.rows[0]).to_dict() for row in measured if self.rows[0].is_measured],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Measurement:
        """What `to_dict` wrote."""
        return cls(
            network=data["network"],
            settings=PeerSettings(**data["settings"]),
            core=data["core"],
            rows=tuple(MeasuredRow.from_dict(row) for row in data["rows"]),
            control=MeasuredRow.from_dict(data["control"]),
        )


def starter(pythons: Mapping[str, Path | str], threads: int) -> Start:
    """What starts the worker of a row: ours in this environment, a peer's in its own."""

    def start(row: PeerRow, core: int | None) -> Worker:
        if row.runs_here:
            return start_bound(own_command(None), core, threads)
        python = pythons.get(row.engine, f"there is no environment for {row.engine}")
        if isinstance(python, str):
            raise WorkerEndedError(python)
        return start_bound(worker_command(python, row.engine, "serve"), core, threads)

    return start


def measure_rows(
    network: str,
    rows: Sequence[PeerRow],
    references: Mapping[str, Reference],
    folder: Path,
    settings: PeerSettings,
    start: Start,
) -> Measurement:
    """Every right row was timed; the others say why they were not. No process is left."""
    core = core_for_one_thread() if settings.threads == 1 else None
    runners = [_Runner(row, references[row.reference], folder, settings) for row in rows]
    runners.append(_Runner(rows[0], references[rows[0].reference], folder, settings))
    try:
        for _ in range(settings.openings):
            for runner in runners:
                runner.open(start, core)
        generator = np.random.default_rng(settings.seed)
        for number in range(settings.rounds):
            for place in generator.permutation(len(runners)):
                runners[place].turn(number)
    finally:
        for runner in runners:
            runner.close()
    *measured, control = [runner.measured() for runner in runners]
    return Measurement(network=network, settings=settings, core=core, rows=tuple(measured), control=control)


class _LostError(Exception):
    """The row cannot go on; the text is its failure."""


class _Runner:
    """One row while it is measured."""

    def __init__(self, row: PeerRow, reference: Reference, folder: Path, settings: PeerSettings) -> None:
        self._row, self._reference, self._folder, self._settings = row, reference, folder, settings
        self._workers: list[Worker] = []
        self._failure = row.failure
        self._wrong = False
        self._difference: float | None = None
        self._engine_version = ""
        self._block, self._rounds, self._settling = settings.block, settings.rounds, 1
        self._columns: dict[str, list[int]] = {
            name: [] for name in ("start_ns", "wall_ns", "cpu_ns", "round", "opening")
        }

    def open(self, start: Start, core: int | None) -> None:
        """Opened once more, compared with PyTorch, warmed up."""
        if self._failure is not None:
            return
        try:
            worker = start(self._row, core)
            self._workers.append(worker)
            worker.receive(timeout_seconds=self._settings.answer_seconds)
            self._open(worker)
        except (_LostError, WorkerEndedError) as error:
            self._lose(str(error))

    def turn(self, number: int) -> None:
        """A block of timed runs."""
        if self._failure is not None or number >= self._rounds:
            return
        request = {"kind": "turn", "runs": self._block, "first": 0, "settling_runs": self._settling}
        try:
            _, times = self._ask(self._workers[number % len(self._workers)], request, {})
        except (_LostError, WorkerEndedError) as error:
            self._lose(str(error))
            return
        for name in ("start_ns", "wall_ns", "cpu_ns"):
            self._columns[name] += times[name].tolist()
        self._columns["round"] += [number] * self._block
        self._columns["opening"] += [number % len(self._workers)] * self._block

    def close(self) -> None:
        """No process is left."""
        for worker in self._workers:
            worker.close()

    def measured(self) -> MeasuredRow:
        """What is known by now."""
        zeros = (0,) * len(self._columns["round"])
        columns = {name: tuple(values) for name, values in self._columns.items()}
        return MeasuredRow(
            row=self._row,
            engine_version=self._engine_version,
            difference=self._difference,
            wrong=self._wrong,
            failure=self._failure,
            block=self._block,
            samples=Samples(**columns, input=zeros),
        )

    def _open(self, worker: Worker) -> None:
        images = self._reference.images_nchw
        assert self._row.file is not None
        request = {
            "kind": "open",
            "file": str((self._folder / self._row.file).absolute()),
            "engine": self._row.engine,
            "threads": self._settings.threads,
            "delegate": True,
            "shape": [1, *images.shape[1:]],
        }
        opened, _ = self._ask(worker, request, {})
        self._engine_version = opened["engine_version"]
        signature = Signature.from_dict(opened["signature"])
        (taken,), (given,) = signature.inputs, signature.outputs
        scales = {name: (float(scale), int(zero)) for name, (scale, zero) in opened["scales"].items()}
        feeds = np.stack([laid_out(image[None], taken.shape, taken.dtype, scales.get(taken.name)) for image in images])
        _, outputs = self._ask(worker, {"kind": "check", "feeds": len(feeds)}, {taken.name: feeds})
        self._compare(real(outputs[given.name], scales.get(given.name)))
        warmup = {"kind": "start", "warmup_runs": 1, "warmup_seconds": 0.0, "feeds": 1}
        started, _ = self._ask(worker, warmup, {taken.name: feeds[:1]})
        if started["warmup_wall_ns"][0] > self._settings.slow_seconds * 1e9:
            self._block, self._settling = 1, 0
            self._rounds = min(self._rounds, self._settings.slow_rounds)
        else:
            more = {**warmup, "warmup_runs": self._settings.warmup_runs}
            self._ask(worker, more, {taken.name: feeds[:1]})

    def _compare(self, found: Doubles) -> None:
        """What came out is right, or the row is lost; rounded weights move it as they do, but not to nothing."""
        expected = self._reference.expected
        found = found.reshape(expected.shape) if found.size == expected.size else found
        if found.shape != expected.shape or not np.isfinite(found).all():
            self._wrong = True
            text = f"wrong: {found.shape} with {np.isnan(found).sum()} NaN, expected {expected.shape} finite"
            raise _LostError(text)
        difference = float(np.abs(found - expected).max() / np.abs(expected).max())
        self._difference = max(difference, self._difference or 0.0)
        limit = bound(self._reference) if self._row.weights == FLOAT32 else None
        if limit is not None and not self._difference <= limit:
            self._wrong = True
            text = f"wrong: differs by {self._difference:.1e} of the largest output, expected at most {limit:.1e}"
            raise _LostError(text)

    def _ask(self, worker: Worker, head: Head, arrays: Mapping[str, Tensor]) -> tuple[Head, dict[str, Tensor]]:
        answer, outputs = worker.ask(head, arrays, timeout_seconds=self._settings.answer_seconds)
        if answer["kind"] == "failed":
            text = f"not run: {answer['reason']}"
            raise _LostError(text)
        return answer, outputs

    def _lose(self, reason: str) -> None:
        # In a line, and without the folder, which is different on every machine.
        self._failure = " ".join(reason.split()).replace(f"{self._folder.absolute()}/", "")[:LONGEST_REASON]
        self.close()
