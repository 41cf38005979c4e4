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
    """Of every stage before a file, of the ONNX file, and of a TFLite file with its weights unrounded."""
    tflite: Tolerance
    """Of the TFLite file as it is."""
    notes: tuple[str, ...] = ()


def tolerances_for(choices: FormatChoices, relative: float | None) -> Tolerances:
    """The limits for `choices`; `relative` (of the largest output) is what was asked for, None if nothing was.

    With rounded weights it speaks of the TFLite file alone. Raises InvalidSettingError.
    """
    exact = Tolerance.for_precision(EXACT)
    name = EXACT if choices.tflite is None else choices.tflite.tolerance_name
    stored = Tolerance.for_precision(name)
    if relative is None:
        return Tolerances(float32=exact, tflite=stored)
    if choices.tflite is None or not choices.tflite.rounds_weights:
        return Tolerances(float32=replace(exact, relative=relative), tflite=replace(stored, relative=relative))
    notes: tuple[str, ...] = ()
    if choices.onnx is not None:
        notes = (
            f"--tolerance {relative:g} is for the TFLite file, whose weights are rounded; "
            f"the ONNX file was held to {exact.relative:g}",
        )
    return Tolerances(float32=exact, tflite=replace(stored, relative=relative), notes=notes)
