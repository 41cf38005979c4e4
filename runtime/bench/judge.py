"""The rules by which a measurement is believed, each with its threshold and its figures."""

from __future__ import annotations

import numpy as np

from condmix.runtime.bench.environment import Environment
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.statistics import Array, blocks
from condmix.runtime.bench.verdict import Finding, Judgement, Verdict
from condmix.runtime.bootstrap import MINIMUM_ROUNDS_FOR_INTERVAL, median_ratio, ratio_interval

WIDEST_NOISE_FLOOR = 0.05
"""The baseline against itself: beyond this its interval reaches too far for ordinary differences to be seen."""
WIDEST_CONTROL_GAP = 0.02
"""The baseline against itself: an interval that lies beyond this on one side is more than the two can differ by."""
MOST_DRIFT = 0.05
"""Last third over first third: the interval lies beyond this."""
ROUNDS_FOR_DRIFT = 18
"""Six rounds a third; fewer cannot tell a drift from a bad moment."""
MOST_WAITING = 0.05
"""Wall time over CPU time of single-threaded runs, less 1: the share in which something else had the core."""
MOST_STOLEN = 0.01
"""Of the time of all cores while it was measured."""
MOST_OTHER_LOAD = 0.5
"""Runnable processes a core besides this measurement."""
MOST_FREQUENCY_LOSS = 0.1
"""Of the fastest core's share of its maximum, between the start and the end."""


def judge(report: BenchReport) -> Verdict:
    """What is to be said against the report, whatever verdict it carries already.

    Of an emulated CPU no time is judged, not even as noisy: it is EMULATED.
    """
    if report.environment_before.emulated:
        return emulated(report, f"{report.environment_before.cpu.architecture} CPU")
    findings = [
        *_unverified(report),
        *_too_short(report),
        *_throttled(report.environment_before, report.environment_after),
        *_drift(report),
        *_noise_floor(report),
        *_waiting(report),
        *_shared(report),
    ]
    return Verdict.of(findings, valid=_valid(report), machine=report.environment_before.machine())


def emulated(report: BenchReport, machine: str) -> Verdict:
    """What is to be said of a report of `machine`, which is no real CPU."""
    said = f"{machine}, numerics only: every time is withheld, since it says nothing about a real one"
    findings = [*_unverified(report), _finding(Judgement.EMULATED, said), *_lost(report)]
    return Verdict.of(findings, valid="", machine=None)


def _finding(verdict: Judgement, reason: str) -> Finding:
    return Finding(verdict=verdict, reason=reason)


def _unverified(report: BenchReport) -> list[Finding]:
    without = [
        one.name
        for one in report.subjects
        if one.agreement is None and one.name != report.control and one.failure is None  # lost ones are told apart
    ]
    wrong = [one for one in report.subjects if one.agreement is not None and not one.agreement.passed]
    found = [
        _finding(Judgement.UNVERIFIED, f"{one.name!r} does not compute what its reference says: {one.agreement.detail}")
        for one in wrong
        if one.agreement is not None
    ]
    if without:
        names = ", ".join(map(repr, without))
        reason = f"the outputs of {names} were compared with nothing, since there is no reference"
        found.append(_finding(Judgement.UNVERIFIED, reason))
    return found


def _too_short(report: BenchReport) -> list[Finding]:
    settings = report.settings
    found = _lost(report)
    short = []
    for one in report.subjects:
        runs, seconds = len(one.samples), sum(one.samples.wall_ns) / 1e9
        if one.failure is None and (runs < settings.minimum_runs or seconds < settings.minimum_seconds):
            short.append(f"{one.name!r} {runs} runs in {seconds:.3g} s")
    if short:
        asked = f"{settings.minimum_runs} runs and {settings.minimum_seconds:g} s"
        found.append(_finding(Judgement.TOO_SHORT, f"{asked} were asked for: {', '.join(short)}"))
    if report.rounds < MINIMUM_ROUNDS_FOR_INTERVAL:
        reason = f"{report.rounds} complete rounds, an interval needs {MINIMUM_ROUNDS_FOR_INTERVAL}"
        found.append(_finding(Judgement.TOO_SHORT, reason))
    return found


def _lost(report: BenchReport) -> list[Finding]:
    found = [
        _finding(Judgement.TOO_SHORT, f"{one.name!r} was lost: {one.failure}")
        for one in report.subjects
        if one.failure is not None
    ]
    return [*found, *([] if report.interrupted is None else [_finding(Judgement.TOO_SHORT, report.interrupted)])]


def _throttled(before: Environment, after: Environment) -> list[Finding]:
    found = []
    if before.throttled_periods is not None and after.throttled_periods is not None:
        periods = after.throttled_periods - before.throttled_periods
        seconds = (after.throttled_seconds or 0.0) - (before.throttled_seconds or 0.0)
        if periods > 0:
            reason = f"the CPU quota of this cgroup stopped it {periods} times, for {seconds:.2g} s"
            found.append(_finding(Judgement.THROTTLED, reason))
    shares = [_fastest_share(environment) for environment in (before, after)]
    if shares[0] is not None and shares[1] is not None and shares[0] - shares[1] > MOST_FREQUENCY_LOSS:
        reason = f"the fastest core ran at {shares[0]:.0%} of its maximum frequency before and {shares[1]:.0%} after"
        found.append(_finding(Judgement.THROTTLED, reason))
    return found


def _fastest_share(environment: Environment) -> float | None:
    shares = [
        core.current_khz / core.maximum_khz for core in environment.cores if core.current_khz and core.maximum_khz
    ]
    return max(shares, default=None)


def _drift(report: BenchReport) -> list[Finding]:
    """Slower for all is the machine; slower for some is they; faster is a warm-up that was too short."""
    slower, faster, judged = [], [], 0
    for one in report.subjects:
        turns = blocks(one.samples, rounds=report.rounds, block=report.settings.block)
        if len(turns) < ROUNDS_FOR_DRIFT:
            continue
        judged += 1
        low, high, ratio = _last_over_first(np.stack(list(turns.values())), report.settings.seed)
        text = f"{one.name!r} {ratio - 1:+.1%} ({low - 1:+.1%} to {high - 1:+.1%})"
        if low > 1 + MOST_DRIFT:
            slower.append(text)
        elif high < 1 - MOST_DRIFT:
            faster.append(text)
    found = []
    if slower and len(slower) == judged:
        reason = f"every subject was slower in the last third than in the first: {', '.join(slower)}{_warming(report)}"
        found.append(_finding(Judgement.THROTTLED, reason))
    elif slower:
        reason = f"not the machine, some subjects alone were slower in the last third: {', '.join(slower)}"
        found.append(_finding(Judgement.NOISY, reason))
    if faster:
        reason = f"faster in the last third than in the first: {', '.join(faster)}; a longer warm-up may help"
        found.append(_finding(Judgement.NOISY, reason))
    return found


def _last_over_first(rounds: Array, seed: int) -> tuple[float, float, float]:
    third = len(rounds) // 3
    first, last = rounds[:third], rounds[-third:]
    interval = ratio_interval(last, first, seed=seed, minimum_rounds=ROUNDS_FOR_DRIFT // 3)
    ratio = median_ratio(last, first)
    if interval is None or ratio is None:  # a clock too coarse to see a run
        return 1.0, 1.0, 1.0
    return (*interval, ratio)


def _warming(report: BenchReport) -> str:
    before, after = (one.temperatures_celsius for one in (report.environment_before, report.environment_after))
    zones = [zone for zone in before if zone in after]
    if not zones:
        return ""
    hottest = max(zones, key=lambda zone: after[zone])
    return f"; {hottest} went from {before[hottest]:.0f} to {after[hottest]:.0f} °C"


def _noise_floor(report: BenchReport) -> list[Finding]:
    floor = report.noise_floor()
    ratio = report.ratio(report.control, report.baseline)
    if floor is None or ratio.low is None or ratio.high is None:
        return []
    gap = max(ratio.low - 1, 1 - ratio.high)
    if floor <= WIDEST_NOISE_FLOOR and gap <= WIDEST_CONTROL_GAP:
        return []
    reason = f"{report.baseline!r} against itself is {ratio.ratio:.3f} ({ratio.low:.3f} to {ratio.high:.3f}): "
    return [_finding(Judgement.NOISY, reason + f"differences below {floor:.1%} cannot be seen")]


def _waiting(report: BenchReport) -> list[Finding]:
    found = []
    for one in report.subjects:
        wall, cpu = sum(one.samples.wall_ns), sum(one.samples.cpu_ns)
        # More than one thread wait for each other too, which is the engine's own affair.
        if one.subject.threads == 1 and cpu > 0 and wall / cpu - 1 > MOST_WAITING:
            found.append(f"{one.name!r} {1 - cpu / wall:.0%}")
    if not found:
        return []
    return [_finding(Judgement.NOISY, f"runs waited for a core for a part of their time: {', '.join(found)}")]


def _shared(report: BenchReport) -> list[Finding]:
    before, after = report.environment_before, report.environment_after
    found = []
    cores = before.cpu.logical_cores or len(before.cores) or 1
    if before.stolen_seconds is not None and after.stolen_seconds is not None:
        seconds = _elapsed_seconds(report)
        stolen = after.stolen_seconds - before.stolen_seconds
        if seconds and stolen / (seconds * cores) > MOST_STOLEN:
            reason = f"the hypervisor gave {stolen / (seconds * cores):.1%} of the CPU time to others"
            found.append(_finding(Judgement.NOISY, reason))
    if before.load_average is not None:
        own = max(one.subject.threads for one in report.subjects)
        others = before.load_average[0] - own
        if others / cores > MOST_OTHER_LOAD:
            reason = f"the load average was {before.load_average[0]:.2f} on {cores} cores, of which {own} is this bench"
            found.append(_finding(Judgement.NOISY, reason))
    return found


def _elapsed_seconds(report: BenchReport) -> float:
    ends = [one.samples.start_ns[-1] + one.samples.wall_ns[-1] for one in report.subjects if len(one.samples)]
    return max(ends, default=0) / 1e9


def _valid(report: BenchReport) -> str:
    runs = min(len(one.samples) for one in report.subjects)
    floor = report.noise_floor()
    noise = "" if floor is None else f", noise floor {floor:.1%}"
    return f"at least {runs} runs of each in {report.rounds} rounds{noise}, outputs as the reference says"
