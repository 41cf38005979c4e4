"""TFLite files of one product."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from condmix.runtime.errors import EngineMissingError
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.profile.tiny_tflite import INT8_SCALE, matrix_product

GENERATOR = np.random.default_rng(0)


def test_the_float_file_computes_the_product():
    weight = GENERATOR.standard_normal((7, 300)).astype(np.float32)
    x = GENERATOR.standard_normal((5, 300)).astype(np.float32)
    y = LiteRtBackend().open(matrix_product(weight, 5), threads=1).run({"x": x})["y"]
    np.testing.assert_allclose(y, x.astype(np.float64) @ weight.T, rtol=1e-5, atol=1e-4)


def test_the_int8_file_computes_the_product_in_its_scale():
    weight = GENERATOR.integers(-9, 9, (7, 30), dtype=np.int8)
    x = GENERATOR.integers(-9, 9, (5, 30), dtype=np.int8)
    y = LiteRtBackend().open(matrix_product(weight, 5), threads=1).run({"x": x})["y"]
    real = INT8_SCALE * (x.astype(np.float64) @ weight.T)
    assert y.dtype == np.int8
    assert np.abs(y - np.clip(real, -128, 127)).max() <= 0.5 + 1e-6


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(EngineMissingError, match=r'pip install "condmix\[litert\]"'):
        matrix_product(np.zeros((2, 2), np.float32), 2)
