"""What to write as int8 TFLite: the choices of one export, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass, field

from condmix.exporters.errors import OptionsError
from condmix.exporters.tflite.options import LAYOUTS

INT8_MODES = ("full", "dynamic", "weights", "int16")
IO_DTYPES = ("float32", "int8")


@dataclass(frozen=True, kw_only=True)
class TfliteInt8Options:
    """The choices of one int8 export to TFLite. Raises OptionsError, naming every fault at once."""

    batch: int = 1
    """Images a call; fixed, for TFLite writes shapes into the file."""
    mode: str = "full"
    """full: weights and activations. dynamic: weights, and activations while a product is computed. weights: stored
    so, computed in float. int16: weights int8, activations int16."""
    layout: str = "nhwc"
    """Of the input images."""
    io_dtype: str = "float32"
    """Of inputs and outputs."""
    float_layers: frozenset[str] = field(default_factory=frozenset)
    """Module paths that stay in float."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} is '{value}': expected one of {', '.join(choices)}"
            for name, value, choices in (
                ("mode", self.mode, INT8_MODES),
                ("layout", self.layout, LAYOUTS),
                ("io_dtype", self.io_dtype, IO_DTYPES),
            )
            if value not in choices
        ]
        if self.batch < 1:
            problems.append(f"batch is {self.batch}: expected at least 1")
        if self.io_dtype == "int8" and self.mode in ("dynamic", "weights", "int16"):
            problems.append(f"io_dtype int8 needs mode full: mode {self.mode} has no int8 activations at its ends")
        if problems:
            raise OptionsError("; ".join(problems))

    @property
    def needs_ranges(self) -> bool:
        """Whether activations are stored as integers, so that calibration must have seen them."""
        return self.mode in ("full", "int16")
