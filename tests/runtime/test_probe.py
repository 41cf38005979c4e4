import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import helper, numpy_helper

from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.probe import ONNX_MODEL, TFLITE_MODEL, probe
from tests.runtime.tflite_files import Operator, build_tflite

RIGHT = np.array([1, 2, 3], np.float32)


def addition_tflite(offset: np.ndarray) -> bytes:
    return build_tflite(
        {"x": ((3,), "float32"), "offset": offset, "y": ((3,), "float32")},
        [Operator(name="ADD", inputs=["x", "offset"], outputs=["y"], options=schema.AddOptionsT())],
        inputs=["x"],
        outputs=["y"],
    )


def addition_onnx(offset: np.ndarray) -> bytes:
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "offset"], ["y"])],
        "probe",
        [helper.make_tensor_value_info("x", 1, [3])],
        [helper.make_tensor_value_info("y", 1, [3])],
        [numpy_helper.from_array(offset, "offset")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


def test_the_stored_models_are_the_additions_they_are_said_to_be():
    assert addition_tflite(RIGHT) == TFLITE_MODEL
    assert addition_onnx(RIGHT) == ONNX_MODEL


@pytest.mark.parametrize(("backend", "model"), [(LiteRtBackend(), TFLITE_MODEL), (OnnxRuntimeBackend(), ONNX_MODEL)])
def test_a_working_engine_passes(backend, model: bytes):
    assert probe(backend, model) is None


@pytest.mark.parametrize(
    ("backend", "model"),
    [
        (LiteRtBackend(), addition_tflite(RIGHT + np.float32(1e-3))),
        (OnnxRuntimeBackend(), addition_onnx(RIGHT + np.float32(1e-3))),
    ],
)
def test_an_engine_that_adds_wrongly_is_found_out(backend, model: bytes):
    reason = probe(backend, model)
    assert reason is not None
    assert reason.startswith(f"{backend.name} computes wrongly: [10.0, 20.0, 30.0] + [1, 2, 3] gave array([11.001")


def test_an_engine_that_opens_nothing_gives_its_reason():
    assert "cannot be opened: it is damaged: it does not begin" in str(probe(LiteRtBackend(), b"junk"))
