"""What condmix bench can be told: types that refuse with what would be right, and the groups of its flags."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from condmix.deploy.commands.audit import ShapeText
from condmix.deploy.parameters import Command, with_options

DEFAULT_REGRESSION = "5%"
TFLITE_ENGINES = ("litert", "tflite-runtime")
"""The names of runtime.bench.subject; repeated here, for --help loads no numpy."""
_SHARE = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<percent>%?)")


class NumberList(click.ParamType[tuple[int, ...]]):
    """Whole numbers of at least 1 with commas between; none may come twice."""

    name = "numbers"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """As --help shows it."""
        return "N[,N...]"

    def convert(
        self, value: str | tuple[int, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The numbers, in the order typed."""
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in value.split(",")]
        if not all(word.isdecimal() and word.isascii() and int(word) > 0 for word in words):
            self.fail(f"{value!r} is no list of numbers of at least 1: expected N or N,N, such as 1,4", param, ctx)
        numbers = tuple(map(int, words))
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        if twice:
            self.fail(f"given twice: {', '.join(map(str, twice))}", param, ctx)
        return numbers


class EngineList(click.ParamType[tuple[str, ...]]):
    """Engines of TFLite files with commas between; none may come twice."""

    name = "engines"

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, in the order typed."""
        if isinstance(value, tuple):
            return value
        names = tuple(word.strip() for word in value.split(","))
        if unknown := [name for name in names if name not in TFLITE_ENGINES]:
            known = ", ".join(TFLITE_ENGINES)
            self.fail(f"{unknown[0]!r} is no engine for .tflite files: expected {known}", param, ctx)
        if len(set(names)) < len(names):
            self.fail(f"{value!r} names one twice", param, ctx)
        return names


class ShareText(click.ParamType[float]):
    """A share: 5% or 0.05."""

    name = "share"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share as a number; 5 without a percent sign could mean either and is refused."""
        if isinstance(value, float):
            return value
        found = _SHARE.fullmatch(value.strip())
        if found is None:
            self.fail(f"{value!r} is no share: expected a percentage such as 5%, or a number below 1", param, ctx)
        if found["percent"]:
            return float(found["number"]) / 100
        number = float(found["number"])
        if number >= 1:
            self.fail(f"{value!r} could be 100 times less: write {value.strip()}%, or a number below 1", param, ctx)
        return number


_PATH = click.Path(path_type=Path)
_AT_LEAST_1 = click.IntRange(min=1)
_SECONDS = click.FloatRange(min=0)
_HOW_LONG: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--threads", type=NumberList(), default="1", show_default=True, help="Of the engine; several to compare."
    ),
    click.option(
        "--runs", metavar="N", type=_AT_LEAST_1, default=100, show_default=True, help="Timed runs of each, at least."
    ),
    click.option(
        "--seconds", metavar="S", type=_SECONDS, default=2.0, show_default=True, help="Timed seconds of each, at least."
    ),
    click.option(
        "--most-seconds",
        metavar="S",
        type=click.FloatRange(min=0, min_open=True),
        help="Stop timing after these, even if that is TOO SHORT.",
    ),
    click.option(
        "--warmup-runs",
        metavar="N",
        type=click.IntRange(min=0),
        default=5,
        show_default=True,
        help="Runs of each process before the timed ones, at least.",
    ),
    click.option(
        "--warmup-seconds", metavar="S", type=_SECONDS, default=0.5, show_default=True, help="And so long, at least."
    ),
    click.option(
        "--block", metavar="N", type=_AT_LEAST_1, default=5, show_default=True, help="Runs in one turn of a subject."
    ),
    click.option(
        "--openings", metavar="N", type=_AT_LEAST_1, default=2, show_default=True, help="Processes of each subject."
    ),
    click.option(
        "--seed",
        metavar="N",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Of the order of turns, and of random inputs.",
    ),
)
_WHAT_IS_FED: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--reference",
        metavar="FILE.npz",
        type=_PATH,
        help="Inputs with the outputs they must give; NAME.reference.npz beside a file is found by itself.",
    ),
    click.option(
        "--inputs", metavar="FILE.npz", type=_PATH, help="Arrays to feed by input name, one image a row; not verified."
    ),
    click.option("--batches", type=NumberList(), help="Images in a run, where the batch is free; several to compare."),
    click.option(
        "--shape",
        "shapes",
        metavar="NAME=1x3x224x224",
        multiple=True,
        type=ShapeText(),
        help="Shape of an input with free axes; may be given several times.",
    ),
    click.option(
        "--engine",
        "engines",
        metavar="NAME[,NAME]",
        type=EngineList(),
        default=TFLITE_ENGINES[0],
        show_default=True,
        help=f"Of .tflite files: {' or '.join(TFLITE_ENGINES)}; both beside each other with a comma.",
    ),
    click.option("--no-delegate", is_flag=True, help="TFLite: the builtin kernels, without XNNPACK."),
    click.option("--profile", is_flag=True, help="Then, in runs of its own: time by operator and by PyTorch module."),
)
_WHAT_COMES_OUT: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "-o", "--output", metavar="FOLDER", type=_PATH, help="Write the report there: HTML, Markdown, JSON, CSV."
    ),
    click.option("-f", "--overwrite", is_flag=True, help="Replace a report that is there."),
    click.option(
        "--fail-if",
        "fail_if",
        metavar="METRIC[(SUBJECT)]>VALUE",
        multiple=True,
        help='Exit code 7 if so, such as "p90>12ms"; may be given several times.',
    ),
    click.option(
        "--baseline",
        metavar="OLD.json",
        type=_PATH,
        help="Exit code 7 if the ratio of a subject to the first file has grown since this report.",
    ),
    click.option(
        "--max-regression",
        metavar="SHARE",
        type=ShareText(),
        default=DEFAULT_REGRESSION,
        show_default=True,
        help="By which it may have grown.",
    ),
    click.option("--junit", metavar="FILE.xml", type=_PATH, help="Write subjects and gates as JUnit XML."),
    click.option("--github", is_flag=True, help="Annotations and a job summary for GitHub Actions."),
    click.option(
        "--write-runner",
        metavar="FILE.pyz",
        type=_PATH,
        help="Write a single file that measures on a device with numpy and an engine; no FILE then.",
    ),
)

_WHERE: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--device",
        "devices",
        metavar="ADDRESS",
        multiple=True,
        help="local (the default), ssh://USER@HOST, adb[:SERIAL], browser, emulated:cortex-a53 (numerics only), or a "
        "name of --fleet; several are measured side by side.",
    ),
    click.option("--fleet", metavar="FILE.toml", type=_PATH, help="Devices by name; without --device all of them."),
    click.option(
        "--tool",
        metavar="PATH",
        type=_PATH,
        help="Your own benchmark_model or onnxruntime_perf_test for --device adb or ssh://, whose figures are printed; "
        "outputs are not checked.",
    ),
    click.option(
        "--tool-library",
        "tool_libraries",
        metavar="FILE",
        multiple=True,
        type=_PATH,
        help="That the tool needs beside it, such as libonnxruntime.so; may be given several times.",
    ),
    click.option("--tool-args", metavar="WORDS", help='More of the tool\'s own, such as "--use_xnnpack=false".'),
    click.option("--clean", is_flag=True, help="Remove everything of condmix from the devices; no FILE then."),
    click.option(
        "--cores",
        metavar="WHICH",
        help="Of a phone: fastest (the default), slowest, all, or numbers such as 4-7.",
    ),
    click.option("--cool-to", metavar="C", type=float, help="A phone first cools down to these °C (37)."),
    click.option(
        "--cool-seconds", metavar="S", type=_SECONDS, help="But waits no longer than this (300); 0: not at all."
    ),
    click.option("--no-fixed-performance", is_flag=True, help="Do not ask a phone for a clock that it can hold."),
    click.option(
        "--bind", default="127.0.0.1", show_default=True, help="Of the page for --device browser; 0.0.0.0 for phones."
    ),
    click.option(
        "--port",
        metavar="N",
        type=click.IntRange(0, 65535),
        default=0,
        show_default=True,
        help="Of that page; 0: any free.",
    ),
)


def bench_options(command: Command) -> Command:
    """Adds every flag of condmix bench but those that all commands share."""
    return with_options(command, (*_HOW_LONG, *_WHAT_IS_FED, *_WHERE, *_WHAT_COMES_OUT))
