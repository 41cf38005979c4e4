from dataclasses import replace

import numpy as np
import pytest

from condmix.runtime.bench.environment import Core, Environment
from condmix.runtime.bench.judge import judge
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import Samples
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.verdict import Judgement
from tests.runtime.bench.reports import AGREEMENT, ENVIRONMENT, make_report, noisy_wall_ns, samples_of

QUIET = make_report()


def reasons(report: BenchReport, judgement: Judgement) -> list[str]:
    return [one.reason for one in judge(report).findings if one.verdict is judgement]


def with_subject(report: BenchReport, place: int, **changes: object) -> BenchReport:
    subjects = list(report.subjects)
    subjects[place] = replace(subjects[place], **changes)
    return replace(report, subjects=tuple(subjects))


def around(before: dict[str, object], after: dict[str, object]) -> BenchReport:
    return make_report(
        environment_before=replace(ENVIRONMENT, **before), environment_after=replace(ENVIRONMENT, **after)
    )


def test_a_quiet_measurement_is_valid():
    verdict = judge(QUIET)
    assert verdict.is_valid
    assert verdict.machine is None
    floor = QUIET.noise_floor()
    assert verdict.first_line() == (
        f"VALID: at least 200 runs of each in 40 rounds, noise floor {floor:.1%}, outputs as the reference says"
    )


def test_an_invalid_machine_is_in_the_first_line():
    report = around({"hypervisor": True, "cpu_quota_cores": 1.5}, {})
    assert (
        judge(report)
        .first_line()
        .endswith("; measured on a virtual machine, which may share its cores and with a quota of 1.5 cores")
    )


def test_an_emulated_machine_has_no_latency_to_judge():
    report = around({"emulated": True, "hypervisor": True, "load_average": (9.0, 9.0, 9.0)}, {})
    verdict = judge(replace(report, interrupted="interrupted by Ctrl-C"))
    assert verdict.is_emulated
    assert verdict.first_line() == (
        "EMULATED: aarch64 CPU, numerics only: every time is withheld, since it says nothing about a real one"
        " (also TOO SHORT)"
    )
    assert not QUIET.verdict.is_emulated


def test_outputs_that_nobody_compared():
    assert reasons(with_subject(QUIET, 1, agreement=None), Judgement.UNVERIFIED) == [
        "the outputs of 'half' were compared with nothing, since there is no reference"
    ]


def test_a_subject_that_was_lost_is_told_as_lost_and_not_as_unverified():
    lost = with_subject(QUIET, 1, agreement=None, failure="the engine did not load")
    assert reasons(lost, Judgement.UNVERIFIED) == []
    assert any("was lost: the engine did not load" in reason for reason in reasons(lost, Judgement.TOO_SHORT))


def test_outputs_that_are_wrong():
    wrong = replace(AGREEMENT, passed=False, detail="largest difference 3, at most 1e-04")
    assert reasons(with_subject(QUIET, 0, agreement=wrong), Judgement.UNVERIFIED) == [
        "'a' does not compute what its reference says: largest difference 3, at most 1e-04"
    ]


def test_minima_that_were_not_met():
    asked = BenchSettings(minimum_runs=201, minimum_seconds=0.15)
    assert reasons(replace(QUIET, settings=asked), Judgement.TOO_SHORT) == [
        "201 runs and 0.15 s were asked for: 'a' 200 runs in 0.2 s, 'half' 200 runs in 0.0999 s, "
        "'a (again)' 200 runs in 0.2 s"
    ]
    asked = BenchSettings(minimum_runs=200, minimum_seconds=0.15)
    assert reasons(replace(QUIET, settings=asked), Judgement.TOO_SHORT)[0].endswith(
        "asked for: 'half' 200 runs in 0.0999 s"
    )


def test_an_end_before_the_end():
    assert reasons(replace(QUIET, interrupted="interrupted by Ctrl-C"), Judgement.TOO_SHORT) == [
        "interrupted by Ctrl-C"
    ]
    assert reasons(with_subject(QUIET, 1, failure="it died"), Judgement.TOO_SHORT) == ["'half' was lost: it died"]


def test_too_few_rounds_for_an_interval():
    walls = {name: noisy_wall_ns(1e6, seed=seed, rounds=19) for seed, name in enumerate(("a", "a (again)"))}
    report = replace(make_report(walls), settings=BenchSettings(minimum_runs=50, minimum_seconds=0))
    assert reasons(report, Judgement.TOO_SHORT) == ["19 complete rounds, an interval needs 20"]


def drifting(seed: int, slope: float, rounds: int = 40) -> np.ndarray:
    return (noisy_wall_ns(1e6, seed=seed, rounds=rounds) * np.linspace(1, 1 + slope, rounds * 5)).astype(np.int64)


@pytest.mark.parametrize("rounds", [18, 40])
def test_a_drift_of_all_is_the_machine(rounds: int):
    report = make_report({name: drifting(seed, 0.2, rounds) for seed, name in enumerate(("a", "b", "a (again)"))})
    report = replace(report, environment_after=replace(ENVIRONMENT, temperatures_celsius={"cpu-thermal": 71.6}))
    (reason,) = reasons(report, Judgement.THROTTLED)
    assert reason.startswith("every subject was slower in the last third than in the first: 'a' +1")
    assert reason.endswith("; cpu-thermal went from 42 to 72 °C")
    assert judge(report).judgement in (Judgement.THROTTLED, Judgement.TOO_SHORT)


def test_a_drift_of_one_is_its_own():
    report = make_report({"a": drifting(0, 0.0), "b": drifting(1, 0.2), "a (again)": drifting(2, 0.0)})
    assert reasons(report, Judgement.THROTTLED) == []
    (reason,) = reasons(report, Judgement.NOISY)
    assert reason.startswith("not the machine, some subjects alone were slower in the last third: 'b' +1")


def test_getting_faster_is_a_warm_up_that_was_too_short():
    report = make_report({"a": drifting(0, -0.2), "b": drifting(1, 0.0), "a (again)": drifting(2, 0.0)})
    assert any(
        reason.startswith("faster in the last third than in the first: 'a' -1")
        for reason in reasons(report, Judgement.NOISY)
    )


@pytest.mark.parametrize("slope", [0.0, 0.04])
def test_a_drift_below_the_limit_is_none(slope: float):
    report = make_report({name: drifting(seed, slope) for seed, name in enumerate(("a", "b", "a (again)"))})
    assert judge(report).is_valid


def test_the_quota_of_the_group():
    report = around(
        {"throttled_periods": 3, "throttled_seconds": 1.0}, {"throttled_periods": 8, "throttled_seconds": 1.5}
    )
    assert reasons(report, Judgement.THROTTLED) == ["the CPU quota of this cgroup stopped it 5 times, for 0.5 s"]


def cores(*current_khz: int | None) -> tuple[Core, ...]:
    return tuple(
        Core(number=number, governor="schedutil", maximum_khz=2_000_000, current_khz=khz)
        for number, khz in enumerate(current_khz)
    )


def test_a_frequency_that_fell():
    report = around({"cores": cores(800_000, 2_000_000)}, {"cores": cores(1_500_000, 800_000)})
    assert reasons(report, Judgement.THROTTLED) == [
        "the fastest core ran at 100% of its maximum frequency before and 75% after"
    ]
    assert judge(around({"cores": cores(2_000_000, None)}, {"cores": cores(600_000, 1_900_000)})).is_valid


def test_a_baseline_that_differs_from_itself():
    report = make_report({"a": noisy_wall_ns(1e6, seed=0), "a (again)": noisy_wall_ns(1.03e6, seed=1)})
    (reason,) = reasons(report, Judgement.NOISY)
    assert reason.startswith("'a' against itself is 1.03")
    assert reason.endswith("cannot be seen")
    wide = {name: noisy_wall_ns(1e6, seed=seed, noise=0.4) for seed, name in enumerate(("a", "a (again)"))}
    assert any("against itself" in reason for reason in reasons(make_report(wide), Judgement.NOISY))


def test_time_without_a_core():
    samples = samples_of(noisy_wall_ns(5e5, seed=1), cpu_share=0.8)
    assert reasons(with_subject(QUIET, 1, samples=samples), Judgement.NOISY) == [
        "runs waited for a core for a part of their time: 'half' 20%"
    ]
    two = replace(QUIET.subject("half").subject, threads=2)
    assert judge(with_subject(QUIET, 1, samples=samples, subject=two)).is_valid


def test_time_that_the_hypervisor_took():
    # The last run of each subject starts 1.99 s after the first.
    assert reasons(around({"stolen_seconds": 5.0}, {"stolen_seconds": 5.1}), Judgement.NOISY) == [
        "the hypervisor gave 2.5% of the CPU time to others"
    ]
    assert judge(around({"stolen_seconds": 5.0}, {"stolen_seconds": 5.01})).is_valid


def test_a_machine_with_other_work():
    assert reasons(around({"load_average": (2.5, 1.0, 1.0)}, {}), Judgement.NOISY) == [
        "the load average was 2.50 on 2 cores, of which 1 is this bench"
    ]
    assert judge(around({"load_average": (1.9, 9.0, 9.0)}, {})).is_valid


def test_a_measurement_without_a_sample_is_judged_too():
    report = replace(QUIET, rounds=0, subjects=tuple(replace(one, samples=Samples()) for one in QUIET.subjects))
    assert judge(report).judgement is Judgement.TOO_SHORT


def test_what_cannot_be_read_is_not_held_against_it():
    nothing = dict.fromkeys(
        ("load_average", "stolen_seconds", "throttled_periods", "throttled_seconds", "hypervisor", "emulated")
    )
    empty: dict[str, object] = {**nothing, "cores": (), "temperatures_celsius": {}}
    assert judge(around(empty, empty)).is_valid
    assert isinstance(replace(ENVIRONMENT, **empty), Environment)
