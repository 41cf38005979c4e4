"""Whether an int8 file is faster than its float file on this machine: measured, or said to be unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from condmix.runtime.artifact import Format
from condmix.runtime.audit.audit import format_of
from condmix.runtime.audit.example_inputs import example_inputs
from condmix.runtime.bootstrap import MINIMUM_ROUNDS_FOR_INTERVAL
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.latency import measure
from condmix.runtime.latency_report import Clock, LatencyReport, LatencySettings
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.session import Session
from condmix.runtime.signature import Tensor

SCHEMA_VERSION = 1
FLOAT, INT8 = "float", "int8"
WARMUP_RUNS = 3


class SpeedVerdict(StrEnum):
    """What the measurement allows to say of the int8 file."""

    FASTER = "faster than float on this machine"
    SLOWER = "slower than float on this machine"
    NO_DIFFERENCE = "no faster and no slower than float on this machine, as far as the noise lets one see"
    UNKNOWN = "not measured long enough to tell"


@dataclass(frozen=True, kw_only=True)
class SpeedComparison:
    """Both files timed in turns. The report holds every sample, and the float file against itself."""

    float_file: Path
    int8_file: Path
    threads: int
    clock: Clock
    report: LatencyReport

    @property
    def verdict(self) -> SpeedVerdict:
        """A difference counts when its interval excludes 1 and it exceeds that of the float file from itself."""
        ratio = self.report.ratio(INT8, FLOAT, self.clock)
        if ratio.ratio is None or ratio.low is None or self.report.noise_floor(self.clock) is None:
            return SpeedVerdict.UNKNOWN
        if not self.report.is_different(ratio):
            return SpeedVerdict.NO_DIFFERENCE
        return SpeedVerdict.FASTER if ratio.ratio < 1 else SpeedVerdict.SLOWER

    def sentence(self) -> str:
        """The verdict with its figures, in one line."""
        int8, floating = (self.report.candidate(name).median_ns(self.clock) / 1e6 for name in (INT8, FLOAT))
        floor = self.report.noise_floor(self.clock)
        noise = f"the float file against itself differs by up to {floor:.3f}" if floor is not None else "no noise floor"
        ratio = self.report.ratio(INT8, FLOAT, self.clock).sentence()
        hint = f": run it {MINIMUM_ROUNDS_FOR_INTERVAL} times or more" if self.verdict is SpeedVerdict.UNKNOWN else ""
        return f"{self.verdict}{hint}; {ratio}; {int8:.2f} ms against {floating:.2f} ms; {noise}"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "float_file": str(self.float_file),
            "int8_file": str(self.int8_file),
            "threads": self.threads,
            "clock": str(self.clock),
            "verdict": self.verdict.name.lower(),
            "sentence": self.sentence(),
            "report": self.report.to_dict(),
        }


def compare_speed(
    float_file: Path, int8_file: Path, *, threads: int, runs: int, shapes: Mapping[str, tuple[int, ...]], seed: int = 0
) -> SpeedComparison:
    """Both files timed in turns on the same machine, `runs` calls each, after three to warm up.

    On one thread the time of the thread counts, which other programs lengthen least; on more the time that passes.

    Raises InvalidSettingError when their inputs differ in number or size, and what opening and running raise.
    """
    floating, int8 = (_open(path, threads) for path in (float_file, int8_file))
    feeds = [example_inputs(session.signature, shapes) for session in (floating, int8)]
    _check_same_inputs(float_file, int8_file, *feeds)
    settings = LatencySettings(warmup_runs=WARMUP_RUNS, minimum_runs=runs, minimum_seconds=0, block=1, seed=seed)
    report = measure(
        {FLOAT: lambda: floating.run(feeds[0]), INT8: lambda: int8.run(feeds[1])},
        settings=settings,
    )
    clock = Clock.CPU if threads == 1 else Clock.WALL
    return SpeedComparison(float_file=float_file, int8_file=int8_file, threads=threads, clock=clock, report=report)


def _open(path: Path, threads: int) -> Session:
    if format_of(path) is Format.TFLITE:
        return LiteRtBackend().open(path, threads=threads)
    return OnnxRuntimeBackend().open(path, threads=threads)


def _check_same_inputs(
    float_file: Path, int8_file: Path, float_feeds: Mapping[str, Tensor], int8_feeds: Mapping[str, Tensor]
) -> None:
    """Formats may order axes in their own ways: lengths are compared whatever their order."""
    floating, int8 = (sorted(sorted(array.shape) for array in feeds.values()) for feeds in (float_feeds, int8_feeds))
    if floating != int8:
        shapes = [
            f"{path} takes {', '.join('x'.join(map(str, array.shape)) for array in feeds.values())}"
            for path, feeds in ((float_file, float_feeds), (int8_file, int8_feeds))
        ]
        problems = [*shapes, "give the float file that the int8 file was made from"]
        raise InvalidSettingError(problems, record="comparison of speed")
