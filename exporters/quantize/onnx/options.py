"""What to write as int8 ONNX: the choices of one export, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass, field

from condmix.exporters.errors import OptionsError
from condmix.exporters.options import DEFAULT_OPSET, NEWEST_OPSET, OLDEST_OPSET
from condmix.exporters.quantize.onnx.weights import WeightGrid
from condmix.exporters.quantize.parameters import INT7_SYMMETRIC, INT8_SYMMETRIC, Grid

INT8_STYLES = ("qdq", "qoperator")
TARGETS = ("auto", "x86-vnni", "x86", "arm")
EXPERT_MODES = ("int8", "weights")
IO_DTYPES = ("float32", "uint8", "int8")
EXACT_TARGETS = ("x86-vnni", "arm")
"""Processors whose products of 8-bit activations and 8-bit weights are exact in ONNX Runtime."""


@dataclass(frozen=True, kw_only=True)
class OnnxInt8Options:
    """The choices of one int8 export to ONNX. Raises OptionsError, naming every fault at once."""

    batch: int | None = 1
    """Images a call; None for any number: depthwise CondConv then stays in float."""
    opset: int = DEFAULT_OPSET
    style: str = "qdq"
    """qdq: QuantizeLinear and DequantizeLinear around float operators, which the runtime fuses. qoperator: the
    integer operators themselves, some of them of ONNX Runtime's own domain."""
    target: str = "auto"
    """auto and x86 avoid stored weights whose pairs x86 without VNNI would saturate when it adds them in 16 bits, and
    mix dense kernels on 7 bits for the same reason. x86-vnni and arm use all 8 bits."""
    experts: str = "int8"
    """int8: the whole network. weights: int8 expert banks, float arithmetic."""
    float_layers: frozenset[str] = field(default_factory=frozenset)
    """Module paths of layers that stay in float."""
    io_dtype: str = "float32"
    """Of inputs and outputs."""
    dynamic_size: bool = False
    """Whether height and width are left open in the file."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} is '{value}': expected one of {', '.join(choices)}"
            for name, value, choices in (
                ("style", self.style, INT8_STYLES),
                ("target", self.target, TARGETS),
                ("experts", self.experts, EXPERT_MODES),
                ("io_dtype", self.io_dtype, IO_DTYPES),
            )
            if value not in choices
        ]
        if self.batch is not None and not 1 <= self.batch <= 1024:
            problems.append(f"batch is {self.batch}: expected 1 to 1024")
        if not OLDEST_OPSET <= self.opset <= NEWEST_OPSET:
            problems.append(f"opset is {self.opset}: expected {OLDEST_OPSET} to {NEWEST_OPSET}")
        if self.experts == "weights" and self.io_dtype != "float32":
            problems.append(f"io_dtype {self.io_dtype} needs experts int8: with int8 weights alone the ends are float")
        if problems:
            raise OptionsError("; ".join(problems))

    @property
    def exact_pairs(self) -> bool:
        """Whether the processor adds products of 8-bit numbers exactly, whatever they are."""
        return self.target in EXACT_TARGETS

    def weight_grid(self, *, depthwise: bool) -> WeightGrid:
        """Of stored weights. Depthwise kernels add in 32 bits on every processor."""
        return WeightGrid.EIGHT_BITS if depthwise or self.exact_pairs else WeightGrid.SAFE_PAIRS

    def kernel_grid(self, *, depthwise: bool) -> Grid:
        """Of kernels that are mixed in the graph: which weights meet in a pair is known only then."""
        return INT8_SYMMETRIC if depthwise or self.exact_pairs else INT7_SYMMETRIC
