"""The axis rules by example: what each operator does with a batch, or the sentence with which it is refused."""

from __future__ import annotations

import numpy as np

from tests.exporters.batch.axis_nodes import (
    IMAGE,
    Build,
    both,
    cast_back,
    clip,
    first_part,
    largest,
    norm,
    numbers,
    of_integers,
    routed_by_a_constant,
    routed_on_another_axis,
    turned,
    unary,
    with_constant,
    with_integers,
    with_turned,
)

KeptCase = tuple[tuple[int, ...], Build]
"""The shape of x and the nodes behind it."""

RefusedCase = tuple[tuple[int, ...], Build, str]
"""The same and why it has no place for a batch."""

KEPT: dict[str, KeptCase] = {
    **{name: (IMAGE, unary(name)) for name in ("Relu", "Sigmoid", "HardSwish", "Erf", "Neg", "Identity")},
    "Clip with limits": (IMAGE, clip),
    "Add a channel vector": (IMAGE, with_constant("Add", numbers(2, 1, 1))),
    "Add a map of one row": (IMAGE, with_constant("Add", numbers(1, 2, 3, 4), first=True)),
    "Mul by a scalar": (IMAGE, with_constant("Mul", numbers())),
    "Add itself": (IMAGE, both("Add", "Relu", "Neg")),
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
    "MatMul with itself": ((1, 2, 3), with_turned("MatMul", [0, 2, 1])),
    "Transpose": (IMAGE, unary("Transpose", perm=[2, 0, 3, 1])),
    "ReduceMean": (IMAGE, with_integers("ReduceMean", [2, 3])),
    "ReduceMean of the last axes": (IMAGE, with_integers("ReduceMean", [-1, -2], keepdims=0)),
    "ReduceMax of channels": (IMAGE, with_integers("ReduceMax", [1], keepdims=0)),
    "ReduceSum before the batch": (IMAGE, turned([1, 0, 2, 3], with_integers("ReduceSum", [0], keepdims=0))),
    "ReduceSum around the batch": (IMAGE, turned([1, 2, 0, 3], with_integers("ReduceSum", [0, 3], keepdims=0))),
    "ReduceMean of nothing": (IMAGE, with_integers("ReduceMean", [], noop_with_empty_axes=1)),
    "Softmax": (IMAGE, unary("Softmax", axis=1)),
    "Softmax by default": (IMAGE, unary("Softmax")),
    "Concat of channels": (IMAGE, both("Concat", "Relu", "Neg", axis=1)),
    "Split of channels": (IMAGE, first_part(1, [1, 1])),
    "LayerNormalization": (IMAGE, with_constant("LayerNormalization", numbers(4))),
    "ArgMax": (IMAGE, cast_back(unary("ArgMax", axis=1))),
    "ArgMax without its axis": (IMAGE, cast_back(turned([1, 0, 2, 3], unary("ArgMax", axis=0, keepdims=0)))),
    "OneHot": ((1, 3), of_integers("OneHot", np.array(4), np.array([0.0, 1.0], dtype=np.float32))),
    "OneHot in front": ((1, 3), of_integers("OneHot", np.array(4), np.array([0.0, 1.0], dtype=np.float32), axis=0)),
    "Gather a channel": (IMAGE, with_integers("Gather", [1, 0, 1], axis=1)),
    "Gather one element": (IMAGE, with_constant("Gather", np.array(1), axis=2)),
    "Gather before the batch": (IMAGE, turned([1, 0, 2, 3], with_constant("Gather", np.array([[0, 1]]), axis=0))),
    "Gather one before the batch": (IMAGE, turned([1, 0, 2, 3], with_constant("Gather", np.array(0), axis=0))),
    "Slice": (IMAGE, with_integers("Slice", [1], [3], [3])),
    "Slice of a late axis": (IMAGE, with_integers("Slice", [0, 0], [2, 3], [-2, -1], [1, 2])),
    "Pad": (IMAGE, with_integers("Pad", [0, 0, 1, 1, 0, 0, 0, 2])),
    "Pad of named axes": (IMAGE, with_integers("Pad", [1, 2], None, [-1])),
    "TopK": (IMAGE, largest(-1, 2)),
    "Expand of channels": ((1, 1, 3), with_integers("Expand", [1, 4, 3])),
    "Expand to a higher rank": ((1, 3), with_integers("Expand", [5, 1, 3])),
    "Expand by fewer axes": ((1, 2, 1), with_integers("Expand", [2, 4])),
}

REFUSED: dict[str, RefusedCase] = {
    "Add several rows": ((1, 3), with_constant("Add", numbers(4, 3)), "'c' has several rows on the batch axis"),
    "Add across": (
        (1, 1, 3),
        with_turned("Add", [1, 0, 2]),
        "its inputs have the batch on different axes",
    ),
    "Conv of a computed kernel": (
        IMAGE,
        both("Conv", "Relu", "Neg"),
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
        both("Gemm", "Relu", "Neg"),
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
        with_turned("MatMul", [1, 0], first=True),
        "the batch lies on one of the two axes that are multiplied",
    ),
    "MatMul with the batch among rows": (
        (1, 2, 3),
        turned([1, 0, 2], with_constant("MatMul", numbers(3, 4))),
        "the batch lies on one of the two axes that are multiplied",
    ),
    "MatMul by several matrices": (
        (1, 2, 3),
        with_constant("MatMul", numbers(4, 3, 5)),
        "'c' has several rows on the batch axis",
    ),
    "ReduceMean of everything": (IMAGE, with_integers("ReduceMean"), "it reduces over the batch axis"),
    "ReduceMean of no axes": (IMAGE, with_integers("ReduceMean", []), "it reduces over the batch axis"),
    "ReduceMean of images": (IMAGE, with_integers("ReduceMean", [-4]), "it reduces over the batch axis"),
    "Softmax over images": (IMAGE, unary("Softmax", axis=0), "it works along the batch axis"),
    "Concat of images": (IMAGE, both("Concat", "Relu", "Neg", axis=0), "it works along the batch axis"),
    "Concat with a constant": (
        IMAGE,
        with_constant("Concat", numbers(*IMAGE), axis=1),
        "its inputs have the batch on different axes, or some have none",
    ),
    "Split of images": (IMAGE, first_part(0, [1]), "it works along the batch axis"),
    "LayerNormalization over images": (
        IMAGE,
        turned([1, 0, 2, 3], with_constant("LayerNormalization", numbers(2, 1, 3, 4), axis=0)),
        "it normalises over the batch axis",
    ),
    "ArgMax over images": (IMAGE, cast_back(unary("ArgMax", axis=0)), "it works along the batch axis"),
    "Gather of images": (
        IMAGE,
        with_integers("Gather", [0], axis=0),
        "it picks images out of the batch, or its indices depend on the image",
    ),
    "Slice of images": (IMAGE, with_integers("Slice", [0], [1], [0]), "it slices the batch axis"),
    "Slice of leading axes": (IMAGE, with_integers("Slice", [0, 0], [1, 1]), "it slices the batch axis"),
    "Pad of images": (IMAGE, with_integers("Pad", [1, 0, 0, 0, 0, 0, 0, 0]), "it pads the batch axis"),
    "Pad behind the images": (IMAGE, with_integers("Pad", [0, 1], None, [0]), "it pads the batch axis"),
    "TopK of images": (IMAGE, largest(0, 1), "it works along the batch axis"),
    "Expand of images": ((1, 3), with_integers("Expand", [4, 3]), "it repeats images"),
    "an operator without a rule": (
        IMAGE,
        with_constant("CumSum", np.array(1)),
        "no rule says where its batch axis goes",
    ),
}
