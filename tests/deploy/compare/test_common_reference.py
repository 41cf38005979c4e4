"""One reference for all files: the int8 export's images, each file's own limit at the same share of the outputs."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.deploy.compare.common_reference import common_reference
from condmix.deploy.compare.variants import OURS, OURS_BANKS, OURS_INT8, STOCK, STOCK_INT8
from condmix.runtime.bench.reference import Limit, Reference

STOCK_NAMES = {STOCK: "net_stock.onnx", STOCK_INT8: "net_stock_int8.onnx"}


def reference(largest: float, **limits: Limit) -> Reference:
    outputs = np.linspace(-largest, largest / 2, 6, dtype=np.float32).reshape(2, 3)
    named = {name.replace("_dot_", "."): limit for name, limit in limits.items()}
    inputs = {"input": np.full((2, 1), largest, np.float32)}
    return Reference(inputs=inputs, outputs={"logits": outputs}, outputs_are="PyTorch", limits=named)


def test_float_limits_keep_their_share_of_the_largest_output() -> None:
    references = {
        OURS: reference(
            2.0, net_dot_onnx=Limit(max_abs_difference=1e-4), net_dot_tflite=Limit(max_abs_difference=3e-4)
        ),
        OURS_BANKS: reference(2.0, net_int8experts_dot_onnx=Limit(max_abs_difference=1e-1)),
        OURS_INT8: reference(10.0, net_int8_dot_onnx=Limit(sqnr_db=10.0)),
    }
    found = common_reference(references, STOCK_NAMES)
    assert found is not None
    np.testing.assert_array_equal(found.inputs["input"], references[OURS_INT8].inputs["input"])
    limits = {name: limit.to_dict() for name, limit in found.limits.items()}
    assert limits == {
        "net.onnx": {"max_abs_difference": pytest.approx(5e-4)},
        "net.tflite": {"max_abs_difference": pytest.approx(1.5e-3)},
        "net_stock.onnx": {"max_abs_difference": pytest.approx(5e-4)},
        "net_int8experts.onnx": {"max_abs_difference": pytest.approx(0.5)},
        "net_int8.onnx": {"sqnr_db": 10.0},
        "net_stock_int8.onnx": {"sqnr_db": 10.0},
    }


def test_without_int8_the_float_export_speaks_alone() -> None:
    found = common_reference({OURS: reference(2.0, net_dot_onnx=Limit(max_abs_difference=1e-4))}, {})
    assert found is not None
    assert {name: limit.to_dict() for name, limit in found.limits.items()} == {
        "net.onnx": {"max_abs_difference": pytest.approx(1e-4)}
    }
    assert common_reference({}, STOCK_NAMES) is None
