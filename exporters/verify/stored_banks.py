"""Expert banks in int8 against the same banks in float32, number for number.

A file with rounded banks is judged by how well it agrees with the network, which leaves room in which a fault could
hide. This leaves none for its banks: a twin of the file with unrounded banks computes what the network computes, and
every stored number of the file lies within half a step of the twin's.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

MOST_STEPS = 0.5 * (1 + 1e-3)
"""From the exact number, which float32 arithmetic has divided by the step."""
LARGEST = 127
_BINDINGS = "ai_edge_litert.schema_py_generated"


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredBank:
    """Numbers as they are stored: real = step * stored; a step of 1 for float32."""

    stored: np.ndarray
    step: float


def bank_problems(exact: Mapping[str, StoredBank], rounded: Mapping[str, StoredBank]) -> tuple[str, ...]:
    """One sentence for each bank that is not the exact one of its name, rounded; or that has none. By tensor name."""
    found = [_problem(name, exact.get(name), bank) for name, bank in rounded.items()]
    problems = [problem for problem in found if problem is not None]
    return tuple(problems) if rounded else ("it holds no int8 bank at all",)


def _problem(name: str, exact: StoredBank | None, bank: StoredBank) -> str | None:
    if exact is None or exact.stored.shape != bank.stored.shape:
        return f"the int8 bank '{name}' has no equal among the float32 ones"
    numbers = exact.step * exact.stored.astype(np.float64)
    finest = float(np.abs(numbers).max(initial=0.0)) / LARGEST
    if bank.step > finest * (1 + 1e-3) and finest > 0:
        return f"the int8 bank '{name}' has steps of {bank.step:.2e}: {finest:.2e} would hold its largest number"
    steps = np.abs(bank.stored.astype(np.float64) - numbers / bank.step)
    wrong = int((steps > MOST_STEPS).sum())
    if not wrong:
        return None
    return (
        f"{wrong} of {steps.size} numbers of the int8 bank '{name}' are not the float32 ones rounded: "
        f"off by up to {steps.max():.1f} steps, expected at most half a step"
    )


def onnx_banks(proto: onnx.ModelProto) -> tuple[dict[str, StoredBank], dict[str, StoredBank]]:
    """The float32 and the int8 matrices of an ONNX file, by name; int8 ones with the one scale they are read with."""
    arrays = {item.name: item for item in proto.graph.initializer}
    floats = {
        name: StoredBank(stored=numpy_helper.to_array(item), step=1.0)
        for name, item in arrays.items()
        if item.data_type == onnx.TensorProto.FLOAT and len(item.dims) > 1
    }
    integers = {}
    for node in proto.graph.node:
        name = node.input[0] if node.op_type == "DequantizeLinear" else ""
        if name in arrays and arrays[name].data_type == onnx.TensorProto.INT8 and len(arrays[name].dims) > 1:
            scale = numpy_helper.to_array(arrays[node.input[1]])
            integers[name] = StoredBank(stored=numpy_helper.to_array(arrays[name]), step=float(scale.max()))
    return floats, integers


def tflite_banks(content: bytes) -> tuple[dict[str, StoredBank], dict[str, StoredBank]]:
    """The same of a TFLite file."""
    bindings = importlib.import_module(_BINDINGS)
    model = bindings.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    floats: dict[str, StoredBank] = {}
    integers: dict[str, StoredBank] = {}
    kinds = {bindings.TensorType.FLOAT32: (np.float32, floats), bindings.TensorType.INT8: (np.int8, integers)}
    for place in range(graph.TensorsLength()):
        tensor = graph.Tensors(place)
        buffer = model.Buffers(tensor.Buffer())
        if not buffer.DataLength() or tensor.Type() not in kinds or tensor.ShapeLength() < 2:
            continue
        dtype, banks = kinds[tensor.Type()]
        quantization = tensor.Quantization()
        step = 1.0 if dtype is np.float32 else float(quantization.Scale(0))
        stored = np.frombuffer(buffer.DataAsNumpy().tobytes(), dtype).reshape(tensor.ShapeAsNumpy())
        banks[tensor.Name().decode()] = StoredBank(stored=stored, step=step)
    return floats, integers
