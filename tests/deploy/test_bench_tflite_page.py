"""The page of `make bench-tflite`: both tables of a network, goals met and missed, and what is not said."""

from __future__ import annotations

from condmix.deploy.bench.tflite_latency import TfliteResult, TfliteRow
from condmix.deploy.bench.tflite_page import render
from condmix.deploy.bench.tflite_subjects import CONVERTER, INT8, QUANTIZER
from condmix.runtime.cpu import CpuFacts
from condmix.runtime.latency_report import CandidateSamples, LatencyReport, LatencySettings


def _row(name: str, ratio: float | None, **changes: object) -> TfliteRow:
    facts: dict[str, object] = {
        "name": name,
        "median_ms": 10.0,
        "ratio": ratio,
        "low": None if ratio is None else ratio - 0.01,
        "high": None if ratio is None else ratio + 0.01,
        "size_bytes": 16_700_000,
        "size_ratio": 1.0,
        "difference": 1.8e-6,
        "capture_seconds": 4.0,
        "write_seconds": 0.5,
        "time_goal": None,
        "size_goal": None,
    }
    return TfliteRow(**{**facts, **changes})  # type: ignore[arg-type]


def _page(*rows: TfliteRow, rounds: int = 30, missing: dict[str, str] | None = None) -> str:
    samples = tuple(range(1000, 1000 + 2 * rounds))
    candidates = tuple(
        CandidateSamples(name=name, wall_ns=samples, cpu_ns=samples, warmup_wall_ns=(), warmup_cpu_ns=())
        for name in (CONVERTER, "again")
    )
    report = LatencyReport(
        settings=LatencySettings(warmup_runs=0, minimum_runs=1, minimum_seconds=0.0, block=2, seed=0),
        candidates=candidates,
        control="again",
    )
    machine = CpuFacts(
        architecture="x86_64",
        system="Linux",
        model_names=("A CPU",),
        features=("AVX2",),
        logical_cores=2,
        usable_cores=2,
        versions=(),
    )
    result = TfliteResult(network="mixnet_s", report=report, rows=rows, missing=missing or {})
    return render([result], machine, {"litert-torch": "0.10.0"}, "python -m bench out", 3)


def test_a_page_has_both_tables_of_a_network() -> None:
    page = _page(
        _row(CONVERTER, 1.0, capture_seconds=None, write_seconds=14.8),
        _row("condmix", 0.59, time_goal=0.60, size_goal=1 / 3, size_ratio=0.332, size_bytes=5_500_000),
    )
    assert "Command: `python -m bench out`\n" in page
    assert "Machine: A CPU, x86_64, 2 cores, AVX2. litert-torch 0.10.0.\n" in page
    assert page.partition("**mixnet_s**")[2].partition("What these figures")[0] == (
        " (a file against itself differs by up to 0.000; less than that is no difference)\n\n"
        "| file | median ms | ratio to litert-torch | interval | goal |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| litert-torch | 10.00 | 1.000 | 0.990 to 1.010 |  |\n"
        "| condmix | 10.00 | 0.590 | 0.580 to 0.600 | at most 0.60: met |\n\n"
        "| file | MB | size ratio | goal | difference | conversion s |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| litert-torch | 16.7 | 1.000 |  | 1.8e-06 | 14.8 |\n"
        "| condmix | 5.5 | 0.332 | at most 0.333: met | 1.8e-06 | 4.0 + 0.5 |\n\n"
    )


def test_what_was_missed_is_said() -> None:
    page = _page(_row("condmix", 0.61, time_goal=0.60, size_goal=1 / 3, size_ratio=0.34, write_seconds=5.1))
    assert "| 0.610 | 0.600 to 0.620 | at most 0.60: missed |" in page
    assert "| 0.340 | at most 0.333: missed |" in page
    assert "| 4.0 + 5.1 (goal of 5: missed) |" in page


def test_what_could_not_be_measured_is_said() -> None:
    page = _page(_row("condmix", None, time_goal=0.60), rounds=5)
    assert "differs by up to unknown;" in page
    assert "| condmix | 10.00 |  |  | at most 0.60: not measured |" in page


def test_the_page_says_what_it_does_not() -> None:
    assert "anything about Arm (nothing was run there)" in _page(_row("condmix", 0.5))


def test_a_goal_against_another_file_names_it() -> None:
    goal = {"time_goal": 0.30, "goal_against": QUANTIZER, "capture_seconds": None}
    page = _page(_row(CONVERTER, 1.0), _row(INT8, 0.5, goal_ratio=0.171, **goal))
    assert f"at most 0.30: met (0.171), against {QUANTIZER} |" in page
    page = _page(_row(CONVERTER, 1.0), _row(INT8, 0.5, goal_ratio=None, **goal))
    assert f"at most 0.30: not measured, against {QUANTIZER} |" in page


def test_what_could_not_be_measured_is_named_with_its_reason() -> None:
    page = _page(_row(CONVERTER, 1.0), missing={QUANTIZER: "its file cannot be opened"})
    assert f"\n\n{QUANTIZER}: not measured. its file cannot be opened\n\n" in page
