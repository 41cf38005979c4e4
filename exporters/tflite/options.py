"""What to write as TFLite: the choices of one export, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass

from condmix.exporters.errors import OptionsError

EXPERT_BANKS = ("float32", "float16", "int8")
LAYOUTS = ("nhwc", "nchw")
TFLITE_CONDCONV_CHOICES = ("auto", "experts")


@dataclass(frozen=True, kw_only=True)
class TfliteOptions:
    """The choices of one export to TFLite. Raises OptionsError, naming every fault at once."""

    batch: int = 1
    """Images a call; fixed, for TFLite writes shapes into the file."""
    experts: str = "float32"
    """How the expert banks of CondConv are stored; the arithmetic stays float32."""
    layout: str = "nhwc"
    """Of the input images."""
    condconv: str = "auto"
    """`experts` computes every expert's convolution: for accelerators that take no computed weights."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} is '{value}': expected one of {', '.join(choices)}"
            for name, value, choices in (
                ("experts", self.experts, EXPERT_BANKS),
                ("layout", self.layout, LAYOUTS),
                ("condconv", self.condconv, TFLITE_CONDCONV_CHOICES),
            )
            if value not in choices
        ]
        if self.batch < 1:
            problems.append(f"batch is {self.batch}: expected at least 1")
        if self.condconv == "experts" and self.experts != "float32":
            problems.append(
                f"condconv experts has no bank to store as {self.experts}: every expert is a convolution of its own"
            )
        if problems:
            raise OptionsError("; ".join(problems))
