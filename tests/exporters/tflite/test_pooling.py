"""Pooling with any pads equals ONNX Runtime's; what the delegate takes stays in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import NotExportableError
from condmix.runtime.delegate_coverage import coverage
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.running import assert_as_in_onnx, counted, open_file, options_of, written


def pooled(
    operator: str,
    *,
    kernel: tuple[int, int] = (3, 3),
    strides: tuple[int, int] = (1, 1),
    pads: tuple[int, ...] = (0, 0, 0, 0),
    size: tuple[int, int] = (8, 9),
    before: str = "Neg",
    relu: bool = False,
    **attributes: int,
) -> Sketch:
    """x to y by an operator (which may give negative numbers), the pool and, if told, a ReLU."""
    sketch = Sketch()
    sketch.node(before, [sketch.input("x", (2, 3, *size))], "b")
    choices = {"kernel_shape": kernel, "strides": strides, "pads": pads, **attributes}
    sketch.node(operator, ["b"], "p" if relu else "y", module="m", **choices)
    if relu:
        sketch.node("Relu", ["p"], "y")
    return sketch


def check(sketch: Sketch, size: tuple[int, int] = (8, 9), seed: int = 0) -> bytes:
    x = np.random.default_rng(seed).standard_normal((2, 3, *size)).astype(np.float32)
    # Negative on the whole: a border of zeros would win every maximum.
    return assert_as_in_onnx(sketch.model("y"), {"x": np.where(x > 1.5, -x, x + 2).astype(np.float32)})


@st.composite
def pools(draw: st.DrawFn) -> dict[str, object]:
    kernel = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    pads = [draw(st.integers(0, length - 1)) for length in (*kernel, *kernel)]
    return {
        "kernel": kernel,
        "strides": (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        "pads": tuple(pads),
        "size": (draw(st.integers(4, 9)), draw(st.integers(4, 9))),
        "relu": draw(st.booleans()),
    }


@exact_rule
@given(choices=pools(), before=st.sampled_from(["Neg", "Relu", "Sigmoid"]), seed=seeds)
def test_any_maximum(choices: dict[str, object], before: str, seed: int) -> None:
    sketch = pooled("MaxPool", before=before, **choices)  # type: ignore[arg-type]
    check(sketch, choices["size"], seed)  # type: ignore[arg-type]


@exact_rule
@given(choices=pools(), counts=st.booleans(), seed=seeds)
def test_any_average(choices: dict[str, object], counts: bool, seed: int) -> None:
    sketch = pooled("AveragePool", count_include_pad=int(counts), **choices)  # type: ignore[arg-type]
    check(sketch, choices["size"], seed)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(8, 9), (7, 7), (6, 5)])
@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 1, 1, 1), (1, 0, 0, 1)])
@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_a_size_rounded_up(operator: str, pads: tuple[int, int, int, int], size: tuple[int, int]) -> None:
    check(pooled(operator, strides=(2, 2), pads=pads, size=size, ceil_mode=1), size)


def test_a_window_behind_the_image_is_refused() -> None:
    # ONNX's shape inference counts it, torch and ONNX Runtime do not.
    with pytest.raises(NotExportableError, match="m: MaxPool 'node_y': its last window begins behind the image"):
        written(pooled("MaxPool", kernel=(1, 1), strides=(1, 2), size=(4, 4), ceil_mode=1).model("y"))


@pytest.mark.parametrize(
    ("operator", "choices", "written_as"),
    [
        ("MaxPool", {"kernel": (2, 2), "strides": (2, 2)}, {}),
        ("MaxPool", {"pads": (1, 1, 1, 1)}, {}),
        # The first pool of a ResNet: behind a ReLU zeros do no harm.
        ("MaxPool", {"strides": (2, 2), "pads": (1, 1, 1, 1), "before": "Relu"}, {"PAD": 1}),
        ("MaxPool", {"strides": (2, 2), "pads": (1, 1, 1, 1)}, {"CONCATENATION": 2}),
        ("AveragePool", {"pads": (1, 1, 1, 1)}, {}),
        ("AveragePool", {"pads": (1, 1, 1, 1), "count_include_pad": 1}, {"PAD": 1}),
        ("AveragePool", {"pads": (1, 1, 1, 1), "strides": (2, 2)}, {"PAD": 1, "MUL": 1}),
    ],
)
@pytest.mark.parametrize("relu", [False, True])
def test_what_is_written(operator: str, choices: dict[str, object], written_as: dict[str, int], relu: bool) -> None:
    content = check(pooled(operator, size=(8, 8), relu=relu, **choices), (8, 8))  # type: ignore[arg-type]
    kinds = counted(content)
    own = {"MaxPool": "MAX_POOL_2D", "AveragePool": "AVERAGE_POOL_2D"}[operator]
    first = "RELU" if choices.get("before") == "Relu" else "NEG"
    assert kinds == {**written_as, own: 1, first: 1}
    assert coverage(open_file(content)).complete


def test_options_in_the_bindings_order() -> None:
    content = check(pooled("MaxPool", kernel=(2, 3), strides=(3, 1), relu=True))
    assert vars(options_of(content, "MAX_POOL_2D")) == {
        "padding": 1, "strideW": 1, "strideH": 3, "filterWidth": 3, "filterHeight": 2, "fusedActivationFunction": 1,
    }  # fmt: skip
    content = check(pooled("AveragePool", kernel=(3, 1), pads=(1, 0, 1, 0)))
    assert vars(options_of(content, "AVERAGE_POOL_2D")) == {
        "padding": 0, "strideW": 1, "strideH": 1, "filterWidth": 1, "filterHeight": 3, "fusedActivationFunction": 0,
    }  # fmt: skip


def test_pools_that_are_refused() -> None:
    sketch = Sketch()
    sketch.input("line", (1, 2, 9))
    sketch.input("x", (1, 2, 9, 9))
    sketch.node("MaxPool", ["line"], "a", module="a", kernel_shape=[2])
    sketch.node("MaxPool", ["x"], "b", module="b", kernel_shape=[2, 2], dilations=[2, 2])
    sketch.node("AveragePool", ["x"], "c", module="c", kernel_shape=[2, 2], auto_pad="SAME_LOWER")
    sketch.node("MaxPool", ["x"], ["d", "places"], module="d", kernel_shape=[2, 2])
    with pytest.raises(NotExportableError) as refusal:
        written(sketch.model(*"abcd"))
    reason = "it has dilations, auto_pad, indices or another number of axes"
    assert refusal.value.problems == tuple(
        f"{name}: {operator} 'node_{name}': {reason}"
        for name, operator in zip("abcd", ("MaxPool", "MaxPool", "AveragePool", "MaxPool"), strict=True)
    )
