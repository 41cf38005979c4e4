"""Reading what TensorFlow Lite's benchmark_model and onnxruntime_perf_test print; both print figures, not samples."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

BENCHMARK_MODEL, PERF_TEST = "benchmark_model", "onnxruntime_perf_test"
_US, _MS, _S = 1e3, 1e6, 1e9
_NUMBER = r"(\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"


@dataclass(frozen=True, kw_only=True)
class ToolFigures:
    """What a tool says of one file; None where it does not.

    runs: timed ones. p..._ns: as the tool computes them, however few runs there are.
    delegated: "31 of 64 nodes" where it says so.
    """

    runs: int | None = None
    load_ns: float | None = None
    first_ns: float | None = None
    warmup_mean_ns: float | None = None
    mean_ns: float | None = None
    median_ns: float | None = None
    minimum_ns: float | None = None
    maximum_ns: float | None = None
    standard_deviation_ns: float | None = None
    p90_ns: float | None = None
    p95_ns: float | None = None
    p99_ns: float | None = None
    peak_memory_bytes: int | None = None
    delegated: str | None = None

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return asdict(self)


class ToolOutputError(ValueError):
    """The output has no result in it; the text says what was expected. Never leaves this folder."""


def parse_benchmark_model(text: str) -> ToolFigures:
    """The figures. Raises ToolOutputError when the line with the timings is not there."""
    timings = re.search(
        rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}, "
        rf"Warmup \(avg\): {_NUMBER}, Inference \(avg\): {_NUMBER}",
        text,
    )
    if timings is None:
        message = "no line 'Inference timings in us: Init: ..., Inference (avg): ...'"
        raise ToolOutputError(message)
    load, first, warmup, mean = (float(number) * _US for number in timings.groups())
    # The first such line is of the warm-up; of a single run only `count` and `curr` are printed.
    counts = re.findall(r"^(?:.*\s)?(count=\d+ .*)$", text[: timings.start()], re.M)
    steady = dict(re.findall(rf"(\w+)={_NUMBER}", counts[-1])) if len(counts) > 1 else {}
    if steady and "min" not in steady:
        steady |= dict.fromkeys(("min", "max", "median"), steady["curr"])
    delegated = re.search(r"Replacing (\d+) out of (\d+) node\(s\) with delegate", text)

    def of(name: str) -> float | None:
        return float(steady[name]) * _US if name in steady else None

    return ToolFigures(
        runs=int(steady["count"]) if steady else None,
        load_ns=load,
        first_ns=first,
        warmup_mean_ns=warmup,
        mean_ns=mean,
        median_ns=of("median"),
        minimum_ns=of("min"),
        maximum_ns=of("max"),
        standard_deviation_ns=of("std"),
        p95_ns=of("p95"),
        delegated=None if delegated is None else f"{delegated[1]} of {delegated[2]} nodes",
    )


def parse_perf_test(text: str) -> ToolFigures:
    """The figures. Raises ToolOutputError when the line with the average is not there."""

    def of(pattern: str, unit: float) -> float | None:
        found = re.search(rf"^{pattern}\s*:\s*{_NUMBER}", text, re.M)
        return None if found is None else float(found[1]) * unit

    mean = of(r"Average inference time cost(?: total)?", _MS)
    if mean is None:
        message = "no line 'Average inference time cost: ... ms'"
        raise ToolOutputError(message)
    runs = of("Total inference requests", 1)
    memory = of("Peak working set size", 1)
    return ToolFigures(
        runs=None if runs is None else int(runs),
        load_ns=of("Session creation time cost", _S),
        first_ns=of("First inference time cost", _MS),
        mean_ns=mean,
        median_ns=of("P50 Latency", _S),
        minimum_ns=of("Min Latency", _S),
        maximum_ns=of("Max Latency", _S),
        p90_ns=of("P90 Latency", _S),
        p95_ns=of("P95 Latency", _S),
        p99_ns=of("P99 Latency", _S),
        peak_memory_bytes=None if memory is None else int(memory),
    )
