"""What to write as TFLite: the choices of one export, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass

from condmix.exporters.errors import OptionsError

EXPERT_BANKS = ("float32", "float16", "int8")
PRECISIONS = ("float32", "float16")
LAYOUTS = ("nhwc", "nchw")
TFLITE_CONDCONV_CHOICES = ("auto", "experts")


@dataclass(frozen=True, kw_only=True)
class TfliteOptions:
    """The choices of one export to TFLite. Raises OptionsError, naming every fault at once."""

    batch: int = 1
    """Images a call; fixed, for TFLite writes shapes into the file."""
    precision: str = "float32"
    """How all weights are stored; the arithmetic stays float32."""
    experts: str | None = None
    """How the expert banks of CondConv are stored, where that differs from `precision`."""
    layout: str = "nhwc"
    """Of the input images."""
    condconv: str = "auto"
    """`experts` computes every expert's convolution: for accelerators that take no computed weights."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} is '{value}': expected one of {', '.join(choices)}"
            for name, value, choices in (
                ("precision", self.precision, PRECISIONS),
                ("experts", self.bank, EXPERT_BANKS),
                ("layout", self.layout, LAYOUTS),
                ("condconv", self.condconv, TFLITE_CONDCONV_CHOICES),
            )
            if value not in choices
        ]
        if self.batch < 1:
            problems.append(f"batch is {self.batch}: expected at least 1")
        if self.condconv == "experts" and self.experts is not None:
            problems.append(
                f"condconv experts has no bank to store as {self.experts}: every expert is a convolution of its own"
            )
        if self.precision == "float16" and self.experts == "float32":
            problems.append("precision float16 stores all weights so: it contradicts experts float32")
        if problems:
            raise OptionsError("; ".join(problems))

    @property
    def bank(self) -> str:
        """How expert banks are stored in the end."""
        return self.precision if self.experts is None else self.experts

    @property
    def tolerance_name(self) -> str:
        """The named tolerance (condmix.runtime.tolerance) that a file with these weights is held to."""
        if self.bank == "int8":
            return "int8_experts"
        return "float16_weights" if self.rounds_weights else "float32_tflite"

    @property
    def rounds_weights(self) -> bool:
        """Whether any weight is stored with fewer bits than float32."""
        return not self.precision == self.bank == "float32"
