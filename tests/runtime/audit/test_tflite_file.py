"""Reading TFLite files into plain data."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from condmix.runtime.audit.tflite_file import read_tflite
from tests.runtime.audit.tflite_models import net
from tests.runtime.tflite_files import Operator, build_tflite


def test_tensors_operators_and_bytes():
    file = read_tflite(net(activations="int8", weights="int8"))
    tensors = {tensor.name: tensor for tensor in file.tensors}
    assert (tensors["w1"].shape, tensors["w1"].dtype, tensors["w1"].is_constant) == ((8, 3, 3, 3), "int8", True)
    assert (tensors["stem:conv"].dtype, tensors["stem:conv"].is_constant) == ("int8", False)
    assert (tensors["image"].dtype, tensors["image"].scale) == ("float32", None)
    assert tensors["a"].scale == tensors["stem:conv"].scale != tensors["b1"].scale
    assert len(file.operators) == 6
    assert [file.tensors[number].name for number in file.operators[1].inputs] == ["a", "w1", "b1"]
    assert [file.tensors[number].name for number in file.inputs] == ["image"]
    assert [file.tensors[number].name for number in file.outputs] == ["logits"]
    assert file.bytes_by_dtype == {"int8": 8 * 27 + 72 + 40, "int32": 4 * (8 + 8 + 2 + 5)}
    assert file.other_subgraphs == 0


def test_a_matrix_product_says_whether_its_left_side_is_transposed():
    options = schema.BatchMatMulOptionsT()
    options.adjX = True
    tensors = {"x": ((1, 7, 2), "float32"), "w": np.ones((1, 7, 5), np.float32), "y": ((1, 2, 5), "float32")}
    operator = Operator(name="BATCH_MATMUL", inputs=["x", "w"], outputs=["y"], options=options)
    plain = Operator(name="BATCH_MATMUL", inputs=["x", "w"], outputs=["y"], options=schema.BatchMatMulOptionsT())
    file = read_tflite(build_tflite(tensors, [operator, plain], inputs=["x"], outputs=["y"]))
    assert [one.left_transposed for one in file.operators] == [True, False]


def test_an_input_that_is_left_out_has_no_tensor():
    tensors = {"x": ((2, 4), "float32"), "w": np.ones((5, 4), np.float32), "y": ((2, 5), "float32")}
    operator = Operator(name="FULLY_CONNECTED", inputs=["x", "w", ""], outputs=["y"])
    assert read_tflite(build_tflite(tensors, [operator], inputs=["x"], outputs=["y"])).operators[0].inputs == (0, 1, -1)
