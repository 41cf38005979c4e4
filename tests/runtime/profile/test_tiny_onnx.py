"""ONNX files of one product, written without the onnx package."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.profile.tiny_onnx import matrix_product

GENERATOR = np.random.default_rng(0)
CASES = [
    (GENERATOR.standard_normal((300, 7)).astype(np.float32), "float32", "float32"),
    (GENERATOR.integers(-64, 64, (300, 7), dtype=np.int8), "uint8", "int32"),
]


@pytest.mark.parametrize(("weight", "given", "result"), CASES)
def test_the_file_is_valid_and_computes_the_product(weight: np.ndarray, given: str, result: str):
    content = matrix_product(weight, 5, input_dtype=given, output_dtype=result)
    onnx.checker.check_model(content, full_check=True)
    x = GENERATOR.integers(0, 9, (5, 300)).astype(given)
    y = OnnxRuntimeBackend().open(content, threads=1).run({"x": x})["y"]
    assert y.dtype == result
    np.testing.assert_allclose(y, x.astype(np.float64) @ weight.astype(np.float64), rtol=1e-5, atol=1e-4)
