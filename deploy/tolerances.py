"""How far each file of an export may be off: rounded weights are given room, everything before them is not."""

from __future__ import annotations

from dataclasses import dataclass, replace

from condmix.deploy.format_choices import FormatChoices
from condmix.runtime.tolerance import Tolerance

EXACT = "float32"


@dataclass(frozen=True, kw_only=True)
class Tolerances:
    """The limits of one export. notes: to which of several files a limit that was asked for does not apply."""

    float32: Tolerance
    """Of every stage before a file, and of a file with its weights unrounded."""
    onnx: Tolerance
    """Of the ONNX file as it is."""
    tflite: Tolerance
    """Of the TFLite file as it is."""
    notes: tuple[str, ...] = ()


def tolerances_for(choices: FormatChoices, relative: float | None) -> Tolerances:
    """The limits for `choices`; `relative` (of the largest output) is what was asked for, None if nothing was.

    With rounded weights it speaks of the rounded files alone. Raises InvalidSettingError.
    """
    exact = Tolerance.for_precision(EXACT)
    onnx, tflite = (
        Tolerance.for_precision(EXACT if options is None else options.tolerance_name)
        for options in (choices.onnx, choices.tflite)
    )
    if relative is None:
        return Tolerances(float32=exact, onnx=onnx, tflite=tflite)
    wished = [options is not None and options.rounds_weights for options in (choices.onnx, choices.tflite)]
    if not any(wished):
        exact = replace(exact, relative=relative)
        return Tolerances(float32=exact, onnx=exact, tflite=replace(tflite, relative=relative))
    notes: tuple[str, ...] = ()
    if wished == [False, True] and choices.onnx is not None:
        notes = (
            f"--tolerance {relative:g} is for the TFLite file, whose weights are rounded; "
            f"the ONNX file was held to {exact.relative:g}",
        )
    return Tolerances(
        float32=exact,
        onnx=replace(onnx, relative=relative) if wished[0] else onnx,
        tflite=replace(tflite, relative=relative) if wished[1] else tflite,
        notes=notes,
    )
