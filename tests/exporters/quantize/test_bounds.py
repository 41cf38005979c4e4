"""What operators promise of their results, and which values inherit it."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.quantize.bounds import FREE, Bound, bounds


def chain(*steps: tuple[str, dict[str, object], tuple[float | None, ...]]) -> ir.Graph:
    """x -> step 0 -> step 1 ...; a step is (operator, attributes, further constant inputs).

    Values are called v0, v1, ...
    """
    x = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape((1, 4)))
    nodes, initializers, value = [], [], x
    for index, (operator, attributes, constants) in enumerate(steps):
        inputs: list[ir.Value | None] = [value]
        for place, number in enumerate(constants):
            if number is None:
                inputs.append(None)
                continue
            tensor = ir.tensor(np.array(number, np.float32), name=f"c{index}_{place}")
            initializers.append(ir.Value(name=tensor.name, const_value=tensor))
            inputs.append(initializers[-1])
        node = ir.node(operator, inputs, attributes=attributes)
        node.outputs[0].name = f"v{index}"
        nodes.append(node)
        value = node.outputs[0]
    return ir.Graph([x], [value], nodes=nodes, initializers=initializers, opset_imports={"": 18})


@pytest.mark.parametrize(
    ("operator", "constants", "expected"),
    [
        ("Relu", (), Bound(low=0.0)),
        ("Clip", (0.0, 6.0), Bound(low=0.0, high=6.0)),
        ("Clip", (None, 6.0), Bound(high=6.0)),
        ("Clip", (-1.0,), Bound(low=-1.0, high=math.inf)),
        ("Sigmoid", (), Bound(low=0.0, high=1.0, exact=True)),
        ("HardSigmoid", (), Bound(low=0.0, high=1.0, exact=True)),
        ("Softmax", (), Bound(low=0.0, high=1.0, exact=True)),
        ("Tanh", (), Bound(low=-1.0, high=1.0, exact=True)),
    ],
)
def test_an_operator_bounds_its_result(operator: str, constants: tuple[float | None, ...], expected: Bound) -> None:
    assert bounds(chain((operator, {}, constants))) == {"v0": expected}


def test_movement_passes_a_bound_on_and_arithmetic_does_not() -> None:
    graph = chain(("Relu", {}, ()), ("Flatten", {}, ()), ("Identity", {}, ()), ("Mul", {}, (2.0,)))
    assert bounds(graph) == dict.fromkeys(("v0", "v1", "v2"), Bound(low=0.0))


def test_without_a_bound_there_is_no_entry() -> None:
    assert bounds(chain(("Exp", {}, ()), ("Flatten", {}, ()))) == {}
    assert Bound() == FREE
