"""One subject while it is measured: its workers, and what they have told so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from condmix.runtime.bench.identity import Identity, precision_of
from condmix.runtime.bench.inputs import Feeds, feeds_of_images, random_feeds
from condmix.runtime.bench.reference import Reference
from condmix.runtime.bench.samples import Agreement, Opening, Samples, SubjectRecord
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import ONNXRUNTIME, BenchSubject
from condmix.runtime.bench.verify import ONNX_TOLERANCE, TFLITE_TOLERANCE, cannot_verify, verify
from condmix.runtime.bench.worker_process import StartWorker, Worker
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.piped_process import WorkerEndedError
from condmix.runtime.signature import Signature, Tensor
from condmix.runtime.tflite_worker import Head

_NS_PER_SECOND = 1_000_000_000


class SubjectLostError(Exception):
    """The subject cannot go on; the text is the sentence for its record. Never leaves this folder."""


@dataclass(kw_only=True)
class RunningSubject:
    """Everything of one subject; `failure` once it is lost, after which it is asked nothing more."""

    subject: BenchSubject
    identity: Identity
    settings: BenchSettings
    start: StartWorker
    given: Mapping[str, Tensor] | None
    reference: Reference | None
    timeout_seconds: float
    failure: str | None = None
    engine_version: str = ""
    holds_integers: bool | None = None
    delegate_coverage: Mapping[str, object] | None = None
    feeds: Feeds | None = None
    agreement: Agreement | None = None
    _workers: list[Worker] = field(default_factory=list)
    _openings: list[Opening] = field(default_factory=list)
    _columns: dict[str, list[int]] = field(
        default_factory=lambda: {name: [] for name in ("start_ns", "wall_ns", "cpu_ns", "round", "opening", "input")}
    )
    _total_wall_ns: int = 0

    @property
    def name(self) -> str:
        """Of the subject."""
        return self.subject.name

    @property
    def runs(self) -> int:
        """Timed so far."""
        return len(self._columns["wall_ns"])

    def progress(self) -> float:
        """The part of both minima that is done, 1.0 when they are met or nothing more will come."""
        if self.failure is not None:
            return 1.0
        least = self.settings.minimum_seconds * _NS_PER_SECOND
        return min(1.0, self.runs / self.settings.minimum_runs, self._total_wall_ns / least if least else 1.0)

    def open(self) -> None:
        """One more opening: loaded, run for the first time, compared with the reference, warmed up."""
        try:
            self._open()
        except SubjectLostError as error:
            self._lose(str(error))

    def turn(self, round_number: int, *, origin_ns: int) -> None:
        """A block of timed runs in the opening whose turn it is."""
        assert self.feeds is not None
        # Moved on now and then: of as many inputs as a block has runs, each would always have the same place in it.
        moved = self.runs // (self.settings.block * self.feeds.count)
        opening, first = round_number % len(self._workers), (self.runs + moved) % self.feeds.count
        request = {
            "kind": "turn",
            "runs": self.settings.block,
            "first": first,
            "settling_runs": self.settings.settling_runs,
        }
        try:
            _, times = self._ask(self._workers[opening], request, {})
        except SubjectLostError as error:
            self._lose(str(error))
            return
        runs = len(times["wall_ns"])
        columns = self._columns
        columns["start_ns"] += (times["start_ns"] - origin_ns).tolist()
        columns["wall_ns"] += times["wall_ns"].tolist()
        columns["cpu_ns"] += times["cpu_ns"].tolist()
        columns["round"] += [round_number] * runs
        columns["opening"] += [opening] * runs
        columns["input"] += [(first + place) % self.feeds.count for place in range(runs)]
        self._total_wall_ns += int(times["wall_ns"].sum())

    def finish(self) -> None:
        """What is asked last: the peak of memory, and what the delegate took."""
        for number, worker in enumerate(self._workers):
            try:
                answer, _ = self._ask(worker, {"kind": "finish"}, {})
            except SubjectLostError as error:
                if self.failure is None:
                    self._lose(str(error))
                return
            old = self._openings[number]
            self._openings[number] = Opening(
                **{**vars(old), "peak_memory_bytes": answer["peak_memory_bytes"]},
            )
            self.delegate_coverage = answer["delegate_coverage"]

    def close(self) -> None:
        """No process of the subject is left."""
        for worker in self._workers:
            worker.close()

    def record(self) -> SubjectRecord:
        """What is known by now."""
        return SubjectRecord(
            subject=self.subject,
            format=str(self.identity.format),
            precision=precision_of(self._holds_integers()),
            sha256=self.identity.sha256,
            size_bytes=self.identity.size_bytes,
            engine_version=self.engine_version,
            inputs={} if self.feeds is None else self.feeds.shapes(),
            input_source=self._source(),
            openings=tuple(self._openings),
            samples=Samples(**{name: tuple(values) for name, values in self._columns.items()}),
            agreement=self.agreement,
            delegate_coverage=self.delegate_coverage,
            failure=self.failure,
        )

    def _holds_integers(self) -> bool | None:
        """Whether the file is one in int8; None before it was opened, where only its engine can tell."""
        return self.identity.holds_integers if self.identity.holds_integers is not None else self.holds_integers

    def _open(self) -> None:
        subject = self.subject
        try:
            worker = self.start(subject)
        except WorkerEndedError as error:
            raise SubjectLostError(str(error)) from error
        self._workers.append(worker)
        ready, _ = self._hear(worker)
        request = {
            "kind": "open",
            "file": str(subject.file.absolute()),
            "engine": subject.engine,
            "threads": subject.threads,
            "delegate": subject.delegate,
        }
        opened, _ = self._ask(worker, request, {})
        self.engine_version, self.holds_integers = opened["engine_version"], opened["holds_integers"]
        signature = Signature.from_dict(opened["signature"])
        scales = {name: (float(scale), int(zero)) for name, (scale, zero) in opened["scales"].items()}
        fed_before = self.feeds
        feeds = self.feeds = self._feeds_for(signature, scales) if fed_before is None else fed_before
        warmup = {
            "kind": "start",
            "warmup_runs": self.settings.warmup_runs,
            "warmup_seconds": self.settings.warmup_seconds,
            "feeds": feeds.count,
        }
        started, outputs = self._ask(worker, warmup, feeds.arrays)
        self._openings.append(
            Opening(
                load_ns=opened["load_ns"],
                first_inference_ns=started["first_inference_ns"],
                warmup_wall_ns=tuple(started["warmup_wall_ns"]),
                memory_before_bytes=ready["memory_before_bytes"],
                memory_loaded_bytes=opened["memory_loaded_bytes"],
                peak_memory_bytes=None,
            )
        )
        self._check(worker, signature, scales, outputs)

    def _feeds_for(self, signature: Signature, scales: Mapping[str, tuple[float, int]]) -> Feeds:
        """The images given, else those of the reference where they fit, else random ones."""
        subject = self.subject
        try:
            if self.given:
                return feeds_of_images(
                    self.given, signature, source="given", batch=subject.batch, shapes=subject.shapes, scales=scales
                )
            fitting = self._reference_feeds(signature, scales)
            if fitting is not None:
                return fitting
            return random_feeds(signature, seed=self.settings.seed, batch=subject.batch, shapes=subject.shapes)
        except InvalidSettingError as error:
            text = f"its inputs cannot be made: {'; '.join(error.problems)}"
            raise SubjectLostError(text) from error

    def _reference_feeds(self, signature: Signature, scales: Mapping[str, tuple[float, int]]) -> Feeds | None:
        """None without a reference, or with one that does not fit, which is then on record."""
        if self.reference is None:
            return None
        try:
            return feeds_of_images(
                self.reference.inputs,
                signature,
                source="reference",
                batch=self.subject.batch,
                shapes=self.subject.shapes,
                scales=scales,
            )
        except InvalidSettingError as error:
            self.agreement = cannot_verify(self.reference, f"its images do not fit: {'; '.join(error.problems)}")
            return None

    def _check(
        self,
        worker: Worker,
        signature: Signature,
        scales: Mapping[str, tuple[float, int]],
        outputs: Mapping[str, Tensor],
    ) -> None:
        """The outputs for the reference's images are compared; where other ones were given, its own are run too."""
        assert self.feeds is not None
        if self.feeds.source == "reference":
            self._compare(outputs, self.feeds, scales)
        elif self.feeds.source == "given" and (feeds := self._reference_feeds(signature, scales)) is not None:
            _, outputs = self._ask(worker, {"kind": "check", "feeds": feeds.count}, feeds.arrays)
            self._compare(outputs, feeds, scales)

    def _compare(self, outputs: Mapping[str, Tensor], feeds: Feeds, scales: Mapping[str, tuple[float, int]]) -> None:
        """The worst of all openings counts."""
        assert self.reference is not None
        found = verify(
            outputs,
            self.reference,
            image_of_row=feeds.image_of_row,
            file_name=self.subject.file.name,
            tolerance=ONNX_TOLERANCE if self.subject.engine == ONNXRUNTIME else TFLITE_TOLERANCE,
            scales=scales,
            is_rounded=bool(self._holds_integers()),
        )
        before = self.agreement
        if before is None or (found.passed, -found.max_abs_difference) < (before.passed, -before.max_abs_difference):
            self.agreement = found

    def _source(self) -> str:
        if self.feeds is not None:
            return self.feeds.source
        return "given" if self.given else "random" if self.reference is None else "reference"

    def _hear(self, worker: Worker) -> tuple[Head, dict[str, Tensor]]:
        try:
            return worker.receive(timeout_seconds=self.timeout_seconds)
        except WorkerEndedError as error:
            raise SubjectLostError(str(error)) from error

    def _ask(
        self, worker: Worker, head: Mapping[str, object], arrays: Mapping[str, Tensor]
    ) -> tuple[Head, dict[str, np.ndarray]]:
        try:
            answer, outputs = worker.ask(head, arrays, timeout_seconds=self.timeout_seconds)
        except WorkerEndedError as error:
            raise SubjectLostError(str(error)) from error
        if answer["kind"] == "failed":
            raise SubjectLostError(answer["reason"])
        return answer, outputs

    def _lose(self, reason: str) -> None:
        self.failure = " ".join(reason.split())
        self.close()
