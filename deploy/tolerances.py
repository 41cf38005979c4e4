"""How far each file of an export may be off: rounded weights are given room, everything before them is not."""

from __future__ import annotations

from dataclasses import dataclass, replace

from condmix.deploy.format_choices import ONNX, TFLITE, FormatChoices
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
    by_agreement: frozenset[str] = frozenset()
    """Formats whose file has int8 banks and is held to no tolerance: what they move depends on the network."""

    def of_file(self, format_name: str) -> Tolerance | None:
        """What the file of that format is held to; None where it is judged by agreement."""
        if format_name in self.by_agreement:
            return None
        return self.onnx if format_name == ONNX else self.tflite


def tolerances_for(choices: FormatChoices, relative: float | None) -> Tolerances:
    """The limits for `choices`; `relative` (of the largest output) is what was asked for, None if nothing was.

    With rounded weights it speaks of the rounded files alone, and int8 banks are then held to it.
    Raises InvalidSettingError.
    """
    exact = Tolerance.for_precision(EXACT)
    onnx, tflite = (
        Tolerance.for_precision(EXACT if options is None else options.tolerance_name)
        for options in (choices.onnx, choices.tflite)
    )
    if relative is None:
        return Tolerances(float32=exact, onnx=onnx, tflite=tflite, by_agreement=_by_agreement(choices))
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


def _by_agreement(choices: FormatChoices) -> frozenset[str]:
    """Files with int8 banks. One for one machine holds them in an order of its own, and is held to its tolerance."""
    found = set()
    if choices.onnx is not None and choices.onnx.experts == "int8" and not choices.onnx.is_for_one_machine:
        found.add(ONNX)
    if choices.tflite is not None and choices.tflite.bank == "int8":
        found.add(TFLITE)
    return frozenset(found)
