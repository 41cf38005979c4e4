"""A constant that is added has a name of its own, and its numbers."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.constants import add_constant


def test_a_name_that_is_taken_gets_a_number() -> None:
    graph = ir.Graph([], [], nodes=[], opset_imports={"": 18})
    arrays = [np.full((2, 3), number, np.float32) for number in range(3)]
    added = [add_constant(graph, "conv/weight", array.T) for array in arrays]
    assert [value.name for value in added] == ["conv/weight", "conv/weight_2", "conv/weight_3"]
    assert list(graph.initializers.values()) == added
    for value, array in zip(added, arrays, strict=True):
        assert value.const_value is not None
        assert np.array_equal(value.const_value.numpy(), array.T)
        assert value.dtype == ir.DataType.FLOAT
        assert value.shape == ir.Shape((3, 2))
