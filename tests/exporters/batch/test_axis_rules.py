"""Every axis rule by example: what it keeps equals image by image what batch 1 gives, what it refuses it names."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.batch.axis_rules import AXIS_RULES, ELEMENTWISE, IMAGE_OPERATORS
from condmix.exporters.errors import NotExportableError
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.graphs import assert_same, run, with_batch
from tests.exporters.sketch import Sketch

Build = Callable[[Sketch], object]
"""Adds nodes of module `m` from the input `x` to the value `y`."""

INT64, FLOAT = 7, 1


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def unary(op_type: str, **attributes: object) -> Build:
    return lambda sketch: sketch.node(op_type, ["x"], "y", module="m", **attributes)


def with_constant(op_type: str, constant: np.ndarray, *, first: bool = False, **attributes: object) -> Build:
    def build(sketch: Sketch) -> None:
        names = ["x", sketch.constant("c", constant)]
        sketch.node(op_type, names[::-1] if first else names, "y", module="m", **attributes)

    return build


def with_integers(op_type: str, *lists: list[int] | None, **attributes: object) -> Build:
    """Further inputs of integers; None for an absent one."""

    def build(sketch: Sketch) -> None:
        names = ["" if item is None else sketch.constant(f"i{index}", item) for index, item in enumerate(lists)]
        sketch.node(op_type, ["x", *names], "y", module="m", **attributes)

    return build


def turned(perm: list[int], then: Build) -> Build:
    """The same behind a Transpose: the batch lies on another axis."""

    def build(sketch: Sketch) -> None:
        inner = _Renamed(sketch, {"x": "turned"})
        sketch.node("Transpose", ["x"], "turned", perm=perm)
        then(inner)  # type: ignore[arg-type]

    return build


class _Renamed:
    """A sketch in which some values go by another name."""

    def __init__(self, sketch: Sketch, names: dict[str, str]) -> None:
        self._sketch, self._names = sketch, names

    def constant(self, name: str, content: object) -> str:
        return self._sketch.constant(name, content)  # type: ignore[arg-type]

    def node(self, op_type: str, inputs: list[str], outputs: str, **attributes: object) -> str:
        renamed = [self._names.get(name, name) for name in inputs]
        return self._sketch.node(op_type, renamed, outputs, **attributes)  # type: ignore[arg-type]


def norm(sketch: Sketch) -> None:
    names = [sketch.constant(name, np.abs(numbers(2, seed=i)) + 0.5) for i, name in enumerate("gbmv")]
    sketch.node("BatchNormalization", ["x", *names], "y", module="m")


def both(op_type: str, first: list[str], second: list[str], **attributes: object) -> Build:
    """Two unary branches of x, joined."""

    def build(sketch: Sketch) -> None:
        for name, chain in (("a", first), ("b", second)):
            last = "x"
            for index, step in enumerate(chain):
                last = sketch.node(step, [last], f"{name}{index}")
            sketch.node("Identity", [last], name)
        sketch.node(op_type, ["a", "b"], "y", module="m", **attributes)

    return build


def integers_of_x(op_type: str, *further: object, **attributes: object) -> Build:
    """x as whole numbers into an operator of indices."""

    def build(sketch: Sketch) -> None:
        sketch.node("Abs", ["x"], "positive")
        sketch.node("Cast", ["positive"], "whole", to=INT64)
        names = [sketch.constant(f"f{index}", item) for index, item in enumerate(further)]  # type: ignore[arg-type]
        sketch.node(op_type, ["whole", *names], "picked", module="m", **attributes)
        sketch.node("Cast", ["picked"], "y", to=FLOAT)

    return build


def then_cast(then: Build, output: str = "y") -> Build:
    """The operator gives integers: cast them."""

    def build(sketch: Sketch) -> None:
        class Inner(_Renamed):
            def node(self, op_type: str, inputs: list[str], outputs: object, **attributes: object) -> str:
                names = "whole" if outputs == output else outputs
                return self._sketch.node(op_type, inputs, names, **attributes)  # type: ignore[arg-type]

        then(Inner(sketch, {}))  # type: ignore[arg-type]
        sketch.node("Cast", ["whole"], "y", to=FLOAT)

    return build


def weighted_by_x(sketch: Sketch) -> None:
    """A convolution whose kernel is the image itself."""
    sketch.node("Relu", ["x"], "kernel")
    sketch.node("Conv", ["x", "kernel"], "y", module="m")


def topk(sketch: Sketch, axis: int, count: int) -> None:
    sketch.node("TopK", ["x", sketch.constant("k", [count])], ["y", "indices"], module="m", axis=axis)


def split(sketch: Sketch, axis: int, sizes: list[int]) -> None:
    sketch.node(
        "Split", ["x", sketch.constant("sizes", sizes)], [f"p{i}" for i in range(len(sizes))], module="m", axis=axis
    )
    sketch.node("Neg", ["p0"], "y")


def two_products(sketch: Sketch) -> None:
    sketch.node("Transpose", ["x"], "t", perm=[0, 2, 1])
    sketch.node("MatMul", ["x", "t"], "y", module="m")


def product_of_rows(sketch: Sketch) -> None:
    sketch.node("Transpose", ["x"], "t", perm=[1, 0])
    sketch.node("MatMul", ["t", "x"], "y", module="m")


IMAGE = (1, 2, 3, 4)
KEPT: dict[str, tuple[tuple[int, ...], Build]] = {
    **{name: (IMAGE, unary(name)) for name in ("Relu", "Sigmoid", "HardSwish", "Erf", "Neg", "Identity")},
    "Clip with limits": (IMAGE, lambda s: s.node("Clip", ["x", s.constant("l", 0.0), s.constant("h", 1.0)], "y")),
    "Add a channel vector": (IMAGE, with_constant("Add", numbers(2, 1, 1))),
    "Add a map of one row": (IMAGE, with_constant("Add", numbers(1, 2, 3, 4), first=True)),
    "Mul by a scalar": (IMAGE, with_constant("Mul", numbers())),
    "Add itself": (IMAGE, both("Add", ["Relu"], ["Neg"])),
    "Add something of higher rank": ((1, 3), with_constant("Add", numbers(5, 1, 3))),
    "Add behind Transpose": ((1, 3), turned([1, 0], with_constant("Add", numbers(3, 1)))),
    "PRelu": (IMAGE, with_constant("PRelu", numbers(2, 1, 1))),
    "Conv": (IMAGE, with_constant("Conv", numbers(5, 2, 3, 3), pads=[1] * 4)),
    "ConvTranspose": (IMAGE, with_constant("ConvTranspose", numbers(2, 3, 2, 2), strides=[2, 2])),
    "BatchNormalization": (IMAGE, norm),
    "GlobalAveragePool": (IMAGE, unary("GlobalAveragePool")),
    "MaxPool": (IMAGE, unary("MaxPool", kernel_shape=[2, 2])),
    "DepthToSpace": ((1, 4, 2, 3), unary("DepthToSpace", blocksize=2)),
    "Gemm": ((1, 3), with_constant("Gemm", numbers(3, 5))),
    "MatMul by a matrix": ((1, 3), with_constant("MatMul", numbers(3, 5))),
    "MatMul of a map by a matrix": ((1, 2, 3), with_constant("MatMul", numbers(3, 5))),
    "MatMul of a matrix by a map": ((1, 2, 3), with_constant("MatMul", numbers(5, 2), first=True)),
    "MatMul by one matrix of rank 3": ((1, 2, 3), with_constant("MatMul", numbers(1, 3, 5))),
    "MatMul of a row by several matrices": ((1, 3), with_constant("MatMul", numbers(4, 3, 5))),
    "MatMul with itself": ((1, 2, 3), two_products),
    "Transpose": (IMAGE, unary("Transpose", perm=[2, 0, 3, 1])),
    "ReduceMean": (IMAGE, with_integers("ReduceMean", [2, 3])),
    "ReduceMean of the last axes": (IMAGE, with_integers("ReduceMean", [-1, -2], keepdims=0)),
    "ReduceMax of channels": (IMAGE, with_integers("ReduceMax", [1], keepdims=0)),
    "ReduceSum before the batch": (IMAGE, turned([1, 0, 2, 3], with_integers("ReduceSum", [0], keepdims=0))),
    "ReduceSum around the batch": (IMAGE, turned([1, 2, 0, 3], with_integers("ReduceSum", [0, 3], keepdims=0))),
    "ReduceMean of nothing": (IMAGE, with_integers("ReduceMean", [], noop_with_empty_axes=1)),
    "Softmax": (IMAGE, unary("Softmax", axis=1)),
    "Softmax by default": (IMAGE, unary("Softmax")),
    "Concat of channels": (IMAGE, both("Concat", ["Relu"], ["Neg"], axis=1)),
    "Split of channels": (IMAGE, lambda s: split(s, 1, [1, 1])),
    "LayerNormalization": (IMAGE, with_constant("LayerNormalization", numbers(4))),
    "ArgMax": (IMAGE, then_cast(unary("ArgMax", axis=1))),
    "ArgMax without its axis": (IMAGE, then_cast(turned([1, 0, 2, 3], unary("ArgMax", axis=0, keepdims=0)))),
    "OneHot": ((1, 3), integers_of_x("OneHot", np.array(4), np.array([0.0, 1.0], dtype=np.float32))),
    "OneHot in front": ((1, 3), integers_of_x("OneHot", np.array(4), np.array([0.0, 1.0], dtype=np.float32), axis=0)),
    "Gather a channel": (IMAGE, with_integers("Gather", [1, 0, 1], axis=1)),
    "Gather one element": (IMAGE, with_constant("Gather", np.array(1), axis=2)),
    "Gather before the batch": (IMAGE, turned([1, 0, 2, 3], with_constant("Gather", np.array([[0, 1]]), axis=0))),
    "Gather one before the batch": (IMAGE, turned([1, 0, 2, 3], with_constant("Gather", np.array(0), axis=0))),
    "Slice": (IMAGE, with_integers("Slice", [1], [3], [3])),
    "Slice of a late axis": (IMAGE, with_integers("Slice", [0, 0], [2, 3], [-2, -1], [1, 2])),
    "Pad": (IMAGE, with_integers("Pad", [0, 0, 1, 1, 0, 0, 0, 2])),
    "Pad of named axes": (IMAGE, with_integers("Pad", [1, 2], None, [-1])),
    "TopK": (IMAGE, lambda s: topk(s, -1, 2)),
    "Expand of channels": ((1, 1, 3), with_integers("Expand", [1, 4, 3])),
    "Expand to a higher rank": ((1, 3), with_integers("Expand", [5, 1, 3])),
    "Expand by fewer axes": ((1, 2, 1), with_integers("Expand", [2, 4])),
}


def sketched(shape: tuple[int, ...], build: Build) -> ir.Model:
    sketch = Sketch()
    sketch.input("x", shape)
    build(sketch)
    return sketch.model("y")


@pytest.mark.parametrize("case", KEPT.values(), ids=KEPT)
@pytest.mark.parametrize("size", [3, None])
def test_a_batch_gives_what_its_images_give_alone(case: tuple[tuple[int, ...], Build], size: int | None) -> None:
    shape, build = case
    single, model = sketched(shape, build), sketched(shape, build)
    x = 2 * numbers(3, *shape[1:], seed=4)
    alone = [run(single, {"x": x[index : index + 1]})["y"] for index in range(3)]
    with_batch(model, size)
    together = run(model, {"x": x})["y"]
    (axis,) = {
        index for index, (one, many) in enumerate(zip(alone[0].shape, together.shape, strict=True)) if one != many
    }
    assert_same(np.concatenate(alone, axis=axis), together)
    # The shape in the file says where the batch is.
    declared = model.graph.outputs[0].shape
    assert declared is not None
    assert declared[axis] == (size or ir.SymbolicDim("batch"))


def routed_by_a_constant(sketch: Sketch) -> None:
    case = condconv_case(in_channels=2, input_size=(3, 4), images=1)
    case.add_to(sketch, "x", sketch.constant("routing", case.routing_ne), "y", module="m")


def routed_on_another_axis(sketch: Sketch) -> None:
    case = condconv_case(in_channels=2, input_size=(3, 4), images=1, experts=1)
    sketch.node("ReduceMean", ["x", sketch.constant("axes", [1, 2])], "mean", keepdims=0)
    sketch.node("ReduceMean", ["mean", sketch.constant("axis", [1])], "one", keepdims=1)
    sketch.node("Transpose", ["one"], "routing", perm=[1, 0])
    case.add_to(sketch, "x", "routing", "y", module="m")


def several_rows(name: str) -> str:
    return f"'{name}' has several rows on the batch axis"


DIFFERENT = "its inputs have the batch on different axes"
REFUSED: dict[str, tuple[tuple[int, ...], Build, str]] = {
    "Add several rows": ((1, 3), with_constant("Add", numbers(4, 3)), several_rows("c")),
    "Add across": (
        (1, 1, 3),
        lambda s: (s.node("Transpose", ["x"], "t", perm=[1, 0, 2]), s.node("Add", ["x", "t"], "y", module="m")),
        DIFFERENT,
    ),
    "Conv of a computed kernel": (
        IMAGE,
        weighted_by_x,
        "its weights depend on the image, or its input has no leading batch axis",
    ),
    "Conv with the batch elsewhere": (
        (1, 2, 3, 1),
        turned([3, 1, 2, 0], with_constant("Conv", numbers(5, 2, 1, 1))),
        "its weights depend on the image, or its input has no leading batch axis",
    ),
    "CondConv of one routing": (
        IMAGE,
        routed_by_a_constant,
        "its routing is the same for all images or has no leading batch axis",
    ),
    "CondConv with the batch of the routing elsewhere": (
        IMAGE,
        routed_on_another_axis,
        "its routing is the same for all images or has no leading batch axis",
    ),
    "Gemm of columns": (
        (1, 3),
        with_constant("Gemm", numbers(1, 5), transA=1),
        "only its first input may hold the batch, as rows",
    ),
    "Gemm by itself": (
        (1, 1),
        both("Gemm", ["Relu"], ["Neg"]),
        "only its first input may hold the batch, as rows",
    ),
    "MatMul with a vector": (
        (1, 3),
        with_constant("MatMul", numbers(3)),
        "a product with a vector has no place for the batch",
    ),
    "MatMul over the batch": (
        (1, 3),
        with_constant("MatMul", numbers(4, 1), first=True),
        "the batch lies on an axis that is summed over",
    ),
    "MatMul of rows with rows": (
        (1, 3),
        product_of_rows,
        "the batch lies on one of the two axes that are multiplied",
    ),
    "MatMul with the batch among rows": (
        (1, 2, 3),
        turned([1, 0, 2], with_constant("MatMul", numbers(3, 4))),
        "the batch lies on one of the two axes that are multiplied",
    ),
    "MatMul by several matrices": ((1, 2, 3), with_constant("MatMul", numbers(4, 3, 5)), several_rows("c")),
    "ReduceMean of everything": (IMAGE, with_integers("ReduceMean"), "it reduces over the batch axis"),
    "ReduceMean of no axes": (IMAGE, with_integers("ReduceMean", []), "it reduces over the batch axis"),
    "ReduceMean of images": (IMAGE, with_integers("ReduceMean", [-4]), "it reduces over the batch axis"),
    "Softmax over images": (IMAGE, unary("Softmax", axis=0), "it works along the batch axis"),
    "Concat of images": (IMAGE, both("Concat", ["Relu"], ["Neg"], axis=0), "it works along the batch axis"),
    "Concat with a constant": (
        IMAGE,
        with_constant("Concat", numbers(*IMAGE), axis=1),
        "its inputs have the batch on different axes, or some have none",
    ),
    "Split of images": (IMAGE, lambda s: split(s, 0, [1]), "it works along the batch axis"),
    "LayerNormalization over images": (
        IMAGE,
        turned([1, 0, 2, 3], with_constant("LayerNormalization", numbers(2, 1, 3, 4), axis=0)),
        "it normalises over the batch axis",
    ),
    "ArgMax over images": (IMAGE, then_cast(unary("ArgMax", axis=0)), "it works along the batch axis"),
    "Gather of images": (
        IMAGE,
        with_integers("Gather", [0], axis=0),
        "it picks images out of the batch, or its indices depend on the image",
    ),
    "Slice of images": (IMAGE, with_integers("Slice", [0], [1], [0]), "it slices the batch axis"),
    "Slice of leading axes": (IMAGE, with_integers("Slice", [0, 0], [1, 1]), "it slices the batch axis"),
    "Pad of images": (IMAGE, with_integers("Pad", [1, 0, 0, 0, 0, 0, 0, 0]), "it pads the batch axis"),
    "Pad behind the images": (IMAGE, with_integers("Pad", [0, 1], None, [0]), "it pads the batch axis"),
    "TopK of images": (IMAGE, lambda s: topk(s, 0, 1), "it works along the batch axis"),
    "Expand of images": ((1, 3), with_integers("Expand", [4, 3]), "it repeats images"),
    "an operator without a rule": (
        IMAGE,
        lambda s: s.node("CumSum", ["x", s.constant("axis", np.array(1))], "y", module="m"),
        "no rule says where its batch axis goes",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("size", [3, None])
def test_an_operator_that_cannot_is_named_with_its_module(
    case: tuple[tuple[int, ...], Build, str], size: int | None
) -> None:
    shape, build, sentence = case
    model = sketched(shape, build)
    with pytest.raises(NotExportableError) as caught:
        with_batch(model, size)
    (problem,) = caught.value.problems
    assert problem.startswith("m: ")
    assert problem.partition("': ")[2] == sentence


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_runs_at_batch_one(case: tuple[tuple[int, ...], Build, str]) -> None:
    shape, build, _ = case
    model = sketched(shape, build)
    with_batch(model, 1)
    assert np.isfinite(run(model, {"x": numbers(*shape)})["y"]).all()


def test_every_rule_has_a_key_of_its_own() -> None:
    families = [*ELEMENTWISE, *IMAGE_OPERATORS]
    assert len(set(families)) == len(families)
    assert set(families) < set(AXIS_RULES)
    assert not {"Reshape", "Expand", "MixConv2"} & set(AXIS_RULES)
