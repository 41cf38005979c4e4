"""What one int8 export is to do: everything decided, nothing done yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.format_choices import ONNX, TFLITE
from condmix.deploy.int8.flags import Int8Flags
from condmix.deploy.loading import Loading
from condmix.deploy.output_names import INT8_MARKS, OutputNames, marked_names
from condmix.exporters.quantize.improve.improve import BIAS, ROUNDING
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.tflite.options import TfliteInt8Options

RANGES_SUFFIX = ".ranges.json"
DEFAULT_IMPROVEMENTS = (BIAS, ROUNDING)
"""Rounding made for the data is what gains most; with weights scaled by channel, equalisation gains little."""


@dataclass(frozen=True, kw_only=True)
class Int8Plan:
    """One int8 export. `command_line` goes into the record as it was typed. options: by format."""

    loading: Loading
    output: OutputNames
    ranges_path: Path
    flags: Int8Flags
    onnx: OnnxInt8Options | None
    tflite: TfliteInt8Options | None
    overwrite: bool
    command_line: tuple[str, ...]

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats to write."""
        return tuple(name for name, options in ((ONNX, self.onnx), (TFLITE, self.tflite)) if options is not None)

    @property
    def batch(self) -> int | None:
        """Images a call, None for any number."""
        if self.onnx is not None:
            return self.onnx.batch
        assert self.tflite is not None
        return self.tflite.batch

    @property
    def needs_ranges(self) -> bool:
        """Whether any of the files stores activations as integers."""
        return self.onnx is not None or (self.tflite is not None and self.tflite.needs_ranges)

    @property
    def improvements(self) -> tuple[str, ...]:
        """The improvements to make, by name."""
        asked = self.flags.improve
        if asked is None:
            # Rounding looks at images; ranges from a file come without any.
            return DEFAULT_IMPROVEMENTS if self.flags.calib is not None else (BIAS,)
        return tuple(name for name in asked if name != "none")

    @property
    def all_paths(self) -> tuple[Path, ...]:
        """Every file the export may write."""
        return (*self.output.all, self.ranges_path)


def plan_int8(
    loading: Loading,
    output: Path | None,
    formats: Sequence[str],
    flags: Int8Flags,
    *,
    batch: int | None,
    opset: int,
    layout: str,
    dynamic_size: bool = False,
    overwrite: bool,
    command_line: Sequence[str],
) -> Int8Plan:
    """The plan for what was typed. Raises OptionsError or PlanError."""
    kept = frozenset(flags.keep_float)
    onnx = tflite = None
    if ONNX in formats:
        onnx = OnnxInt8Options(
            batch=batch,
            opset=opset,
            style=flags.int8_style,
            target=flags.target,
            io_dtype=flags.io_dtype,
            float_layers=kept,
            dynamic_size=dynamic_size,
        )
    if TFLITE in formats:
        tflite = TfliteInt8Options(
            batch=batch or 1,
            mode=flags.int8_mode,
            layout=layout,
            io_dtype=flags.io_dtype,
            float_layers=kept,
        )
    marks: Mapping[str, str] = {name: INT8_MARKS[flags.int8_mode if name == TFLITE else "full"] for name in formats}
    names = marked_names(loading.model, output, marks, record_mark=INT8_MARKS["full"])
    stem = names.record.name.removesuffix("".join(names.record.suffixes[-2:]))
    return Int8Plan(
        loading=loading,
        output=names,
        ranges_path=names.record.with_name(f"{stem}{RANGES_SUFFIX}"),
        flags=flags,
        onnx=onnx,
        tflite=tflite,
        overwrite=overwrite,
        command_line=tuple(command_line),
    )
