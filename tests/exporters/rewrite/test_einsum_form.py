"""An Einsum of two operands is a batched product; other equations are refused by name."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.rewrite.einsum_form import EinsumForm
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import assert_different, assert_same, operators, rewrite, run
from tests.exporters.sketch import Sketch

RULE = EinsumForm()


@st.composite
def equations(draw: st.DrawFn) -> tuple[str, dict[str, int]]:
    """Labels of all four kinds, each side in an order of its own, and their sizes."""
    letters = iter("abcdefgh")
    batch, contracted, left, right = ([next(letters) for _ in range(draw(st.integers(0, 2)))] for _ in range(4))
    first, second, result = (
        "".join(draw(st.permutations(labels)))
        for labels in (batch + contracted + left, batch + contracted + right, batch + left + right)
    )
    sizes = {label: draw(st.integers(1, 3)) for label in sorted(set(first + second))}
    return f"{first},{second}->{result}", sizes


def einsum(equation: str, *shapes: tuple[int, ...], element_type: int = onnx.TensorProto.FLOAT) -> ir.Model:
    sketch = Sketch()
    names = [sketch.input(f"x{index}", shape, element_type=element_type) for index, shape in enumerate(shapes)]
    sketch.node("Einsum", names, "y32", module="block", equation=equation)
    sketch.node("Cast", ["y32"], "y", to=onnx.TensorProto.FLOAT)
    return sketch.model("y")


@exact_rule
@given(case=equations(), seed=seeds)
def test_equals_numpy(case: tuple[str, dict[str, int]], seed: int) -> None:
    equation, sizes = case
    generator = np.random.default_rng(seed)
    sides = equation.partition("->")[0].split(",")
    shapes = [tuple(sizes[label] for label in side) for side in sides]
    arrays = {f"x{index}": generator.standard_normal(shape).astype(np.float32) for index, shape in enumerate(shapes)}
    expected = np.einsum(equation, *(array.astype(np.float64) for array in arrays.values()))
    model = einsum(equation, *shapes)
    (step,) = rewrite(model, RULE)
    if all(sides) and not equation.endswith("->"):
        assert (step.applied, step.path) == (True, "block")
        assert operators(model) == {"MatMul": 1, "Transpose": 3, "Reshape": 3, "Cast": 1}
    else:
        assert not step.applied
    assert_same(expected, run(model, arrays)["y"])


REFUSED = {
    "three operands": ("ij,jk,kl->il", [(2, 2)] * 3),
    "one operand": ("ij->ji", [(2, 2)]),
    "a diagonal": ("ii,ij->ij", [(2, 2), (2, 2)]),
    "a sum over one side": ("ij,k->k", [(2, 2), (2,)]),
    "an ellipsis": ("...i,ij->...j", [(2, 2), (2, 2)]),
    "an implicit result": ("ij,jk", [(2, 2), (2, 2)]),
    "a scalar result": ("i,i->", [(2,), (2,)]),
    "a scalar operand": (",ij->ij", [(), (2, 2)]),
    "an axis of one against several": ("bi,bij->bj", [(1, 2), (3, 2, 2)]),
}


@pytest.mark.parametrize(("equation", "shapes"), REFUSED.values(), ids=REFUSED)
def test_other_equations_are_refused_by_name(equation: str, shapes: list[tuple[int, ...]]) -> None:
    model = einsum(equation, *shapes)
    (step,) = rewrite(model, RULE)
    assert (step.applied, step.note) == (False, f"einsum '{equation}' is not a product of two operands")
    assert operators(model) == {"Einsum": 1, "Cast": 1}


def test_integers_are_left_alone() -> None:
    model = einsum("ij,jk->ik", (2, 2), (2, 2), element_type=onnx.TensorProto.INT64)
    rewrite(model, RULE)
    eye = np.eye(2, dtype=np.int64)
    np.testing.assert_array_equal(run(model, {"x0": eye, "x1": 2 * eye})["y"], 2 * eye)


def test_a_mixture_written_as_an_einsum() -> None:
    generator = np.random.default_rng(0)
    bank = generator.standard_normal((4, 6, 5)).astype(np.float32)
    sketch = Sketch()
    sketch.input("r", (1, 4))
    sketch.node("Einsum", ["r", sketch.constant("bank", bank)], "y", equation="be, eoi -> boi")
    model = sketch.model("y")
    rewrite(model, RULE)
    r = generator.standard_normal((1, 4)).astype(np.float32)
    expected = np.einsum("be,eoi->boi", r.astype(np.float64), bank.astype(np.float64))
    assert_same(expected, run(model, {"r": r})["y"])
    # The guard: with the experts in another order the comparison fails.
    assert_different(expected, run(model, {"r": r[:, ::-1].copy()})["y"])


def test_other_operators_are_not_its_business() -> None:
    sketch = Sketch()
    sketch.input("x", (2, 2))
    sketch.node("MatMul", ["x", "x"], "y")
    assert rewrite(sketch.model("y"), RULE) == ()
