"""What the flags of an export come to for each format asked for: which of them speak of which file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from condmix.deploy.errors import PlanError
from condmix.exporters.errors import NotExportableError
from condmix.exporters.options import ExportOptions
from condmix.exporters.records import LayerForm
from condmix.exporters.tflite.options import TFLITE_CONDCONV_CHOICES, TfliteOptions

ONNX, TFLITE = "onnx", "tflite"
FORMATS = (ONNX, TFLITE)
TITLES = MappingProxyType({ONNX: "ONNX", TFLITE: "TFLite"})
ONNX_ONLY_FLAGS = ("opset", "mixconv", "stage", "in_turn", "forms", "tune")
TFLITE_ONLY_FLAGS = ("precision", "layout")


@dataclass(frozen=True, kw_only=True)
class FormatFlags:
    """The flags of the command line about the files, and the names of those that were typed."""

    batch: int | None = 1
    opset: int
    condconv: str = "auto"
    mixconv: str = "auto"
    stage: str = "final"
    experts: str | None = None
    precision: str = "float32"
    layout: str = "nhwc"
    forms: tuple[LayerForm, ...] = ()
    in_turn: bool = False
    dynamic_size: bool = False
    typed: Collection[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class FormatChoices:
    """The choices for each file to write; None for a format that was not asked for.

    notes: what a reader should know of flags that speak of one of two files only.
    """

    onnx: ExportOptions | None
    tflite: TfliteOptions | None
    notes: tuple[str, ...] = ()


def choose_formats(formats: Sequence[str], flags: FormatFlags) -> FormatChoices:
    """The choices for each of `formats`.

    Raises PlanError for flags that none of the formats has, OptionsError for contradictions within one format, and
    NotExportableError for any number of images a call in TFLite.
    """
    if problems := _idle_flags(formats, flags):
        summary = "these flags contradict --format:"
        raise PlanError(summary, problems)
    if TFLITE in formats and flags.batch is None:
        summary = "TFLite writes all shapes into the file: it has no form for any number of images a call;"
        raise NotExportableError(summary, ("use --batch N, or --format onnx for --batch dynamic",))
    onnx = tflite = None
    if ONNX in formats:
        onnx = ExportOptions(
            batch=flags.batch,
            opset=flags.opset,
            condconv=flags.condconv,
            mixconv=flags.mixconv,
            experts=_onnx_experts(formats, flags),
            stage=flags.stage,
            forms=flags.forms,
            in_turn=flags.in_turn,
            dynamic_size=flags.dynamic_size,
        )
    if TFLITE in formats:
        tflite = TfliteOptions(
            batch=flags.batch or 1,
            precision=flags.precision,
            experts=flags.experts,
            layout=flags.layout,
            condconv=flags.condconv if flags.condconv in TFLITE_CONDCONV_CHOICES else "auto",
        )
    return FormatChoices(onnx=onnx, tflite=tflite, notes=_notes(formats, flags))


def _onnx_experts(formats: Sequence[str], flags: FormatFlags) -> str:
    """float16 banks are a TFLite choice: beside a TFLite file they say nothing of the ONNX file."""
    if flags.experts == "float16":
        if TFLITE not in formats:
            summary = "these flags contradict --format:"
            raise PlanError(
                summary, ["--experts float16 is about TFLite files: leave it out, or add tflite to --format"]
            )
        return "float32"
    return flags.experts or "float32"


def _idle_flags(formats: Sequence[str], flags: FormatFlags) -> list[str]:
    """Flags that would change nothing are refused rather than ignored."""
    problems = []
    if TFLITE not in formats:
        problems += [
            f"--{name} is about TFLite files: leave it out, or add tflite to --format {','.join(formats)}"
            for name in TFLITE_ONLY_FLAGS
            if name in flags.typed
        ]
    if ONNX not in formats:
        problems += [
            f"--{name.replace('_', '-')} is about ONNX files: leave it out, or add onnx to --format {','.join(formats)}"
            for name in ONNX_ONLY_FLAGS
            if name in flags.typed
        ]
        if flags.condconv not in TFLITE_CONDCONV_CHOICES:
            problems.append(
                f"--condconv {flags.condconv} is a form of ONNX files: with --format {','.join(formats)} it can be "
                f"{' or '.join(TFLITE_CONDCONV_CHOICES)}"
            )
    return problems


def _notes(formats: Sequence[str], flags: FormatFlags) -> tuple[str, ...]:
    if not (ONNX in formats and TFLITE in formats):
        return ()
    typed = [_shown(name, flags) for name in ONNX_ONLY_FLAGS if name in flags.typed]
    if flags.condconv not in TFLITE_CONDCONV_CHOICES:
        typed.insert(0, f"--condconv {flags.condconv}")
    if not typed:
        return ()
    return (f"for the ONNX file only: {', '.join(typed)}; the TFLite file has its own forms",)


def _shown(name: str, flags: FormatFlags) -> str:
    if name in ("forms", "tune", "in_turn"):
        return f"--{name.replace('_', '-')}"
    return f"--{name} {getattr(flags, name)}"
