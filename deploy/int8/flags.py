"""The flags of an int8 export: what can be typed, and which of them contradict each other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from condmix.deploy.errors import PlanError
from condmix.deploy.format_choices import ONNX, TFLITE
from condmix.deploy.parameters import Command, NearestChoice, NearestChoices, with_options

METHODS = ("minmax", "percentile", "entropy", "mse")
DEFAULT_METHOD = "mse"
STYLES = ("qdq", "qoperator")
MODES = ("full", "dynamic", "weights", "int16")
TARGETS = ("auto", "x86-vnni", "x86", "arm")
IO_DTYPES = ("float32", "int8", "uint8")
IMPROVEMENTS = ("equalise", "bias", "rounding", "none")
RANDOM = "random"
DEFAULT_SAMPLES = 300
ONNX_ONLY = ("int8_style", "target")
TFLITE_ONLY = ("int8_mode",)


@dataclass(frozen=True, kw_only=True)
class Int8Flags:
    """The flags about int8 as typed, checked against each other. Raises PlanError with every contradiction."""

    calib: str | None = None
    calib_samples: int = DEFAULT_SAMPLES
    calib_method: str | None = None
    calib_percentile: float = 99.99
    ranges: Path | None = None
    allow_random_calibration: bool = False
    int8_style: str = "qdq"
    int8_mode: str = "full"
    target: str = "auto"
    io_dtype: str = "float32"
    improve: tuple[str, ...] | None = None
    keep_float: tuple[str, ...] = ()
    evaluate: str | None = None
    max_drop: float | None = None

    @property
    def method(self) -> str:
        """How ranges follow from what was seen."""
        return self.calib_method or DEFAULT_METHOD

    @property
    def is_static(self) -> bool:
        """Whether activations get ranges from calibration."""
        return self.int8_mode in ("full", "int16")


def int8_flags_of(values: Mapping[str, Any]) -> Int8Flags:
    """The flags as click parsed them, by name."""
    lists = {name: tuple(values[name]) for name in ("keep_float", "improve") if values[name] is not None}
    return Int8Flags(**{**values, **lists})


def check(flags: Int8Flags, formats: Sequence[str], typed: Collection[str], *, int8: bool) -> None:
    """Nothing happens when the flags agree with `formats` and `int8`. Raises PlanError naming all that do not."""
    problems = []
    names = set(Int8Flags.__dataclass_fields__)
    if not int8:
        problems += [f"--{_flag(name)} is about int8 files: add --int8" for name in sorted(names & set(typed))]
    problems += [
        f"--{_flag(name)} is about {owner} files: leave it out, or add {missing} to --format"
        for owner, missing, group in (("ONNX", ONNX, ONNX_ONLY), ("TFLite", TFLITE, TFLITE_ONLY))
        for name in group
        if int8 and missing not in formats and name in typed
    ]
    if int8:
        problems += _calibration_problems(flags, formats)
        if flags.max_drop is not None and flags.evaluate is None:
            problems.append("--max-drop needs labelled images to hold it on: add --evaluate")
        if flags.io_dtype == "uint8" and TFLITE in formats:
            problems.append("--io-dtype uint8 is an ONNX choice: TFLite's is int8, or leave it at float32")
        if flags.improve is not None and "none" in flags.improve and len(flags.improve) > 1:
            problems.append("--improve none contradicts the other improvements")
    if problems:
        summary = "these flags contradict each other:"
        raise PlanError(summary, problems)


def _calibration_problems(flags: Int8Flags, formats: Sequence[str]) -> list[str]:
    problems = []
    needed = ONNX in formats or flags.is_static
    if needed and flags.calib is None and flags.ranges is None:
        problems.append("--int8 needs images to calibrate on: add --calib FOLDER (or --ranges FILE of an earlier run)")
    if flags.ranges is not None and flags.calib is None and flags.evaluate is None:
        problems.append(
            "--ranges alone leaves no images to judge the files on: add --calib (which then calibrates nothing) "
            "or --evaluate"
        )
    if flags.ranges is not None and flags.calib_method is not None:
        problems.append("--ranges brings ranges that are chosen already: leave --calib-method out")
    if flags.improve is not None and "rounding" in flags.improve and flags.calib is None:
        problems.append("--improve rounding looks at images: add --calib")
    if flags.calib == RANDOM and not flags.allow_random_calibration:
        problems.append(
            "--calib random makes ranges from noise, which ruin most networks: give real images, "
            "or add --allow-random-calibration"
        )
    if flags.allow_random_calibration and flags.calib != RANDOM:
        problems.append("--allow-random-calibration changes nothing without --calib random")
    return problems


_OPTIONS: tuple[Callable[[Any], Any], ...] = (  # click's decorators take any function
    click.option("--int8", is_flag=True, help="Quantise to int8, with --calib."),
    click.option(
        "--calib",
        metavar="PATH|PACKAGE.MODULE:FUNCTION",
        help="Images to find ranges on: a folder, a .npy or .npz, or your function.",
    ),
    click.option(
        "--calib-samples",
        type=click.IntRange(min=1),
        default=DEFAULT_SAMPLES,
        show_default=True,
        help="How many of them.",
    ),
    click.option(
        "--calib-method",
        type=NearestChoice(METHODS),
        show_default=DEFAULT_METHOD,
        help="How ranges are chosen from what was seen.",
    ),
    click.option(
        "--calib-percentile",
        type=click.FloatRange(50, 100, min_open=True),
        default=99.99,
        show_default=True,
        metavar="PERCENT",
        help="What the percentile method keeps.",
    ),
    click.option(
        "--ranges", type=click.Path(path_type=Path), help="Ranges of an earlier run (NAME.ranges.json) instead."
    ),
    click.option("--allow-random-calibration", is_flag=True, help="Let --calib be `random`: noise, for speed tests."),
    click.option(
        "--improve",
        type=NearestChoices(IMPROVEMENTS),
        help="Weights better than rounded to nearest; what has proven itself if left out.",
    ),
    click.option(
        "--keep-float", multiple=True, metavar="LAYER", help="Module that stays float; may be given several times."
    ),
    click.option(
        "--evaluate",
        metavar="PATH|PACKAGE.MODULE:FUNCTION",
        help="Labelled images: class folders, or .npz with labels.",
    ),
    click.option(
        "--max-drop",
        type=click.FloatRange(0, 1, max_open=True),
        metavar="SHARE",
        help="Put layers back into float until accuracy on --evaluate drops by no more.",
    ),
    click.option(
        "--int8-style",
        type=NearestChoice(STYLES),
        default="qdq",
        show_default=True,
        help="Of the ONNX file.",
    ),
    click.option(
        "--int8-mode",
        type=NearestChoice(MODES),
        default="full",
        show_default=True,
        help="Of the TFLite file: full int8, dynamic range, weights only, or int16 activations.",
    ),
    click.option(
        "--target",
        type=NearestChoice(TARGETS),
        default="auto",
        show_default=True,
        help="CPU of the ONNX file; auto is right on all.",
    ),
    click.option(
        "--io-dtype",
        type=NearestChoice(IO_DTYPES),
        default="float32",
        show_default=True,
        help="Of inputs and outputs.",
    ),
)


def int8_options(command: Command) -> Command:
    """Adds the flags about int8."""
    return with_options(command, _OPTIONS)


def _flag(name: str) -> str:
    return name.replace("_", "-")
