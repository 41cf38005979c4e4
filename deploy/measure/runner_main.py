"""Measure the latency of ONNX and TFLite files on this machine, and check their outputs.

Needs Python 3.11, numpy and the engine of the files: onnxruntime for .onnx, ai-edge-litert for .tflite.
"""

# This file goes into the single-file runner: it may import the standard library and condmix.runtime only.
from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from condmix.runtime.bench.engines import missing_engine
from condmix.runtime.bench.identity import engine_of
from condmix.runtime.bench.reference import Reference, find_reference, read_reference
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.run import Progress, run_bench
from condmix.runtime.bench.samples import SubjectRecord
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.errors import InferenceError, InvalidSettingError

OK, LOST, USAGE, NOT_UNDERSTOOD, WRONG_OUTPUTS, MISSING, INTERRUPTED = 0, 1, 2, 3, 5, 8, 130
DEFAULT_OUTPUT = Path("report.json")
_HEADINGS = ("", "MiB", "load ms", "first ms", "warm-up ms", "median ms", "p90 ms", "peak MiB", "outputs")
_MIB = 1 << 20
_CLEAR = "\r\033[K"


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0, or 1 a file was lost or nothing could be written, 2 usage, 3 a file that is not understood,
    5 outputs are wrong, 8 an engine is missing, 130 Ctrl-C."""
    choices = _parser().parse_args(arguments)
    try:
        return _measure(choices, arguments)
    except InvalidSettingError as error:
        return _complain(error, USAGE)
    except InferenceError as error:
        return _complain(error, NOT_UNDERSTOOD)
    except OSError as error:
        return _complain(f"'{choices.output}' cannot be written: {error.strerror}", LOST)
    except KeyboardInterrupt:
        return _complain("interrupted before anything was measured", INTERRUPTED)


def _complain(reason: object, code: int) -> int:
    sys.stderr.write(f"{reason}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="condmix-runner", description=__doc__)
    defaults = BenchSettings()
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=".onnx or .tflite")
    parser.add_argument("--threads", type=_counts, default=(1,), metavar="N[,N...]", help="of the engine (default 1)")
    parser.add_argument(
        "--runs", type=int, default=defaults.minimum_runs, help="at least, of each (default %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=defaults.minimum_seconds, help="at least, of each (default %(default)s)"
    )
    parser.add_argument(
        "--warmup-seconds", type=float, default=defaults.warmup_seconds, help="of each process (default %(default)s)"
    )
    parser.add_argument(
        "--maximum-seconds", type=float, help="stop all after so long, whatever is met (default: never)"
    )
    parser.add_argument(
        "--openings", type=int, default=defaults.openings, help="processes of each (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=defaults.seed, help="of the order and of random inputs")
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="R.npz",
        help="inputs and right outputs (default: NAME.reference.npz beside FILE)",
    )
    parser.add_argument(
        "--output", type=Path, default=DEFAULT_OUTPUT, metavar="FILE.json", help="every sample (default %(default)s)"
    )
    return parser


def _counts(text: str) -> tuple[int, ...]:
    counts = tuple(int(word) for word in text.split(","))
    if min(counts) < 1 or len(set(counts)) < len(counts):
        raise ValueError
    return counts


def _measure(choices: argparse.Namespace, given: Sequence[str]) -> int:
    settings = BenchSettings(
        warmup_seconds=choices.warmup_seconds,
        minimum_runs=choices.runs,
        minimum_seconds=choices.seconds,
        maximum_seconds=choices.maximum_seconds,
        openings=choices.openings,
        seed=choices.seed,
    )
    subjects = _subjects(choices.files, choices.threads)
    missing = dict.fromkeys(missing_engine(engine) for engine in dict.fromkeys(one.engine for one in subjects))
    if reasons := [reason for reason in missing if reason is not None]:
        return _complain("\n".join(reasons), MISSING)
    with choices.output.open("a", encoding="utf-8"):
        pass  # what cannot be written is better known before the measurement than after
    report = run_bench(
        subjects,
        settings,
        references=_references(subjects, choices.reference),
        report_progress=_show if sys.stderr.isatty() else _silent,
        command=("condmix-runner", *given),
    )
    if sys.stderr.isatty():
        sys.stderr.write(_CLEAR)
    choices.output.write_text(json.dumps(report.to_dict(), allow_nan=False) + "\n", encoding="utf-8")
    sys.stdout.write(f"{summary(report)}\nevery sample: {choices.output}\n")
    if report.interrupted is not None:
        return INTERRUPTED
    if any(one.agreement is not None and not one.agreement.passed for one in report.subjects):
        return WRONG_OUTPUTS
    return LOST if any(one.failure is not None for one in report.subjects) else 0


def _subjects(files: Sequence[Path], threads: Sequence[int]) -> list[BenchSubject]:
    """Every file with every number of threads, named by the file alone where that says enough."""
    files = list(dict.fromkeys(files))
    names = [file.name for file in files]
    return [
        BenchSubject(
            name=(file.name if names.count(file.name) == 1 else str(file))
            + (f" ({count} thread{'' if count == 1 else 's'})" if len(threads) > 1 else ""),
            file=file,
            engine=engine_of(file),
            threads=count,
        )
        for file in files
        for count in threads
    ]


def _references(subjects: Sequence[BenchSubject], given: Path | None) -> dict[str, Reference]:
    found = {one.name: given or find_reference(one.file) for one in subjects}
    read = {path: read_reference(path) for path in set(found.values()) if path is not None}
    return {name: read[path] for name, path in found.items() if path is not None}


def _silent(_progress: Progress) -> None:
    """Nobody watches."""


def _show(progress: Progress) -> None:
    sys.stderr.write(_CLEAR + progress.sentence())
    sys.stderr.flush()


def summary(report: BenchReport) -> str:
    """The verdict, one line for each subject, and what else was found."""
    rows = [_HEADINGS, *(_row(report, one) for one in report.subjects)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [report.verdict.first_line(), ""]
    for row in rows:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:], strict=False)),
        ]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    lines.append("")
    for one in () if report.verdict.is_emulated else report.subjects[1:]:
        ratio = report.ratio(one.name, report.baseline)
        said = "" if one.name == report.control or report.is_different(ratio) else ": no measurable difference"
        lines.append(ratio.sentence() + said)
    lines += [f"{finding.verdict}: {finding.reason}" for finding in report.verdict.findings[1:]]
    return "\n".join(lines)


def _row(report: BenchReport, one: SubjectRecord) -> tuple[str, ...]:
    steady = report.steady(one.name)
    if steady is None or not one.openings:
        said = "lost" if one.failure is not None or not report.verdict.is_emulated else _outputs(one)
        return (one.name, f"{one.size_bytes / _MIB:.2f}", *["-"] * 6, said)
    warmups = [wall_ns for opening in one.openings for wall_ns in opening.warmup_wall_ns]
    peaks = [opening.peak_memory_bytes for opening in one.openings if opening.peak_memory_bytes is not None]
    return (
        one.name,
        f"{one.size_bytes / _MIB:.2f}",
        _milliseconds(_mean([opening.load_ns for opening in one.openings])),
        _milliseconds(_mean([opening.first_inference_ns for opening in one.openings])),
        _milliseconds(_mean(warmups)),
        _milliseconds(steady.median_ns),
        _milliseconds(steady.p90_ns),
        f"{max(peaks) / _MIB:.1f}" if peaks else "-",
        _outputs(one),
    )


def _outputs(one: SubjectRecord) -> str:
    return "not compared" if one.agreement is None else "right" if one.agreement.passed else "WRONG"


def _mean(numbers: Sequence[int]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


def _milliseconds(number_ns: float | None) -> str:
    return "-" if number_ns is None else f"{number_ns / 1e6:.3f}"
