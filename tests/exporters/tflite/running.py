"""What tests of the TFLite writer do: a small graph in ONNX Runtime, the same graph as a file in LiteRT, compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as bindings

from condmix.exporters.tflite.lower_graph import lower_graph
from condmix.exporters.tflite.write import write_model
from condmix.exporters.verify.tflite import in_layout
from condmix.runtime.litert_session import LiteRtBackend, LiteRtSession
from tests.exporters.graphs import FLOAT32_LIMIT, rounding_error, run


def written(
    model: ir.Model,
    *,
    layout: str = "nhwc",
    form: str = "auto",
    bank: str = "float32",
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """The graph as a TFLite file."""
    lowered = lower_graph(model, description="a sketch", layout=layout, form=form, bank=bank, metadata=metadata)
    return write_model(lowered.model)


def open_file(content: bytes, *, delegate: bool = True, threads: int = 1, preserve: bool = False) -> LiteRtSession:
    return LiteRtBackend().open(content, threads=threads, delegate=delegate, preserve_all_tensors=preserve)


def results(session: LiteRtSession, feeds_nchw: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One call of a file whose images are NHWC."""
    feeds = {name: in_layout(array, "nhwc") if array.ndim == 4 else array for name, array in feeds_nchw.items()}
    return {name: np.asarray(array) for name, array in session.run(feeds).items()}


def assert_file_gives(content: bytes, feeds: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
    """With the delegate and with the builtin kernels, up to float32's rounding."""
    for delegate in (True, False):
        actual = results(open_file(content, delegate=delegate), feeds)
        assert actual.keys() == expected.keys()
        for name, array in expected.items():
            error = rounding_error(array, actual[name])
            assert error <= FLOAT32_LIMIT, f"{name} is off by {error:.1e}, delegate {'on' if delegate else 'off'}"


def assert_as_in_onnx(model: ir.Model, feeds: Mapping[str, np.ndarray]) -> bytes:
    """The file gives what ONNX Runtime makes of the graph; returns the file."""
    content = written(model)
    assert_file_gives(content, feeds, run(model, feeds))
    return content


def read_back(content: bytes) -> bindings.ModelT:
    """The file as the reference bindings read it."""
    return bindings.ModelT.InitFromPackedBuf(content, 0)


def operator_names(content: bytes) -> list[str]:
    """Names of the file's operators in running order."""
    names = {number: name for name, number in vars(bindings.BuiltinOperator).items() if not name.startswith("_")}
    model = read_back(content)
    return [names[model.operatorCodes[operator.opcodeIndex].builtinCode] for operator in model.subgraphs[0].operators]


def counted(content: bytes) -> Counter[str]:
    """How many operators there are of each kind, but for those that turn a result back to channels first."""
    graph = read_back(content).subgraphs[0]
    turned_back = {number for number in graph.outputs if graph.tensors[number].name.endswith(b"_nchw")}
    pairs = zip(operator_names(content), graph.operators, strict=True)
    return Counter(name for name, operator in pairs if operator.outputs[0] not in turned_back)


def options_of(content: bytes, name: str, index: int = 0) -> object:
    """The options of an operator (the first of its kind unless told), as the reference bindings read them."""
    operators = read_back(content).subgraphs[0].operators
    places = [place for place, own in enumerate(operator_names(content)) if own == name]
    return operators[places[index]].builtinOptions
