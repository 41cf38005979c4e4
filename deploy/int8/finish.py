"""From a maker of candidates to one int8 file with its proof: guard, verification, routing drift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from condmix.deploy.int8.candidate import Candidate, CandidateMaker
from condmix.deploy.int8.float_network import FloatNetwork, LabelledScores
from condmix.deploy.int8.guard import Attempt, GuardResult, hold
from condmix.exporters.detection.proof import SuppressionProof
from condmix.exporters.quantize.drift import RoutingDrift, drift
from condmix.exporters.verify.rounded import RoundedLimits, RoundedVerification, Way, verify_rounded
from condmix.runtime.latency import measure
from condmix.runtime.latency_report import Clock, LatencySettings

GUARD_LATENCY = LatencySettings(warmup_runs=3, minimum_runs=20, minimum_seconds=0.2, block=2, seed=0)
THREADS = (1, 2)


@dataclass(frozen=True, kw_only=True, eq=False)
class ProvenFile:
    """A candidate and what was proven of it."""

    candidate: Candidate
    verification: RoundedVerification
    guard: GuardResult | None
    put_back: frozenset[str]
    drift: tuple[RoutingDrift, ...]
    suppression: SuppressionProof | None = None
    """Of a detector's file that suppresses by itself."""

    @property
    def passed(self) -> bool:
        """It computes what it says, agrees with the float network, and the accuracy guard holds."""
        suppresses = self.suppression is None or self.suppression.passed
        return self.verification.passed and suppresses and (self.guard is None or self.guard.met)


def proven(
    maker: CandidateMaker,
    network: FloatNetwork,
    *,
    max_drop: float | None,
    limits: RoundedLimits,
    report_progress: Callable[[str], None],
) -> ProvenFile:
    """The file that the guard settles on, run in every way, and compared with the float network."""
    guard: GuardResult | None = None
    put_back: frozenset[str] = frozenset()
    if network.labelled is not None:
        report_progress(f"accuracy of {maker.format}")
        guard, put_back = _guarded(maker, network, network.labelled, max_drop, report_progress)
    candidate = maker.make(put_back, report_progress)
    report_progress(f"verify int8 {maker.format}")
    ways = [Way(name=f"on {threads} of the CPU's threads", run=candidate.run_fast(threads)) for threads in THREADS]
    ways += [Way(name=name, run=open_run()) for name, open_run in candidate.other_ways.items()]
    verification = verify_rounded(
        candidate.run_plain(),
        ways,
        network.images_nchw,
        network.outputs,
        input_step=network.input_step,
        output_steps=network.output_steps,
        limits=limits,
        kinds=network.kinds,
    )
    rows = candidate.routing(network.judged_nchw) if candidate.routing is not None and network.routing else {}
    shown = {name: network.routing[name] for name in rows}
    return ProvenFile(
        candidate=candidate,
        verification=verification,
        guard=guard,
        put_back=put_back,
        drift=drift(shown, rows) if shown else (),
    )


def _guarded(
    maker: CandidateMaker,
    network: FloatNetwork,
    labelled: LabelledScores,
    max_drop: float | None,
    report_progress: Callable[[str], None],
) -> tuple[GuardResult, frozenset[str]]:
    first = network.judged_nchw[:1]

    def rebuild(float_layers: frozenset[str]) -> Attempt:
        candidate = maker.make(float_layers, lambda _stage: None)
        run = candidate.run_fast(1)
        scores = labelled.scores_in(run(labelled.images_nchw))
        return Attempt(size_bytes=len(candidate.content), scores=scores, run_once=lambda: run(first))

    def milliseconds(before: Attempt, after: Attempt) -> tuple[float, float]:
        report = measure({"before": before.run_once, "after": after.run_once}, settings=GUARD_LATENCY)
        before_ns, after_ns = (report.candidate(name).median_ns(Clock.CPU) for name in ("before", "after"))
        return before_ns / 1e6, after_ns / 1e6

    return hold(
        rebuild,
        maker.layer_paths if max_drop is not None else (),
        labelled.scores,
        labelled.labels,
        max_drop=max_drop,
        measure_milliseconds=milliseconds,
        report_progress=report_progress,
        judge=labelled.judge,
    )
