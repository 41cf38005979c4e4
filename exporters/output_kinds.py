"""What the outputs of a network are: scores of classes, labels on their own, an embedding, or any other values.

Read from the end of the graph, since nothing else tells: a linear layer or a Softmax scores classes, a Sigmoid gives
each label a probability of its own, anything pooled or activated is an embedding. A name that says more counts more.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from condmix.exporters.graph.facts import constant, is_op, static_shape
from condmix.runtime.output_kind import CLASSES, EMBEDDING, LABELS, VALUES, kind_by_name

MOST_STEPS = 64
"""Operators that are looked through from an output back."""
_LOOKED_THROUGH = (
    "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Cast", "Slice", "Dropout", "ReduceMean",
    "GlobalAveragePool",
)  # fmt: skip
_SCALED = ("Mul", "Div", "Add", "Sub")
_PROBABILITIES = ("Softmax", "LogSoftmax")
_NOT_LINEAR = frozenset(
    {
        "Relu", "Clip", "HardSwish", "HardSigmoid", "Tanh", "Elu", "LeakyRelu", "PRelu", "Selu", "Softplus", "Gelu",
        "Mish", "Erf", "Mul", "Div", "Concat", "ReduceMax", "MaxPool", "GlobalMaxPool", "AveragePool",
        "BatchNormalization", "LayerNormalization", "InstanceNormalization", "LpNormalization", "Sqrt", "Pow", "Abs",
    }
)  # fmt: skip
_USUAL_NAMES = {"Softmax": "probabilities", "LogSoftmax": "log_probabilities"}


def kinds_of(graph: ir.Graph, class_count: int | None = None) -> dict[str, str]:
    """The kind of every output, by name. class_count: as many scores as classes have names are scores of these."""
    return {str(value.name): kind_of(value, class_count) for value in graph.outputs}


def kind_of(value: ir.Value, class_count: int | None = None, *, name: str | None = None) -> str:
    """The kind of one output of a graph for one image. name: that it is known by, its own unless given."""
    shape = static_shape(value)
    row = shape[1:] if len(shape) > 1 else shape
    if len(row) != 1 or row[0] < 2 or (len(shape) > 1 and shape[0] != 1):
        return LABELS if len(row) == 1 and row[0] == 1 and _ends_in(value, "Sigmoid") else VALUES
    last = _last_operator(value)
    if last == "Sigmoid":
        return LABELS
    if class_count == row[0]:
        return CLASSES
    said = kind_by_name(str(value.name) if name is None else name)
    if said is not None:
        return said
    return EMBEDDING if last in _NOT_LINEAR or not last else CLASSES


def usual_name(value: ir.Value) -> str | None:
    """What the field calls such an output where its network does not: logits, probabilities; None for values."""
    if value.shape is None:
        return None
    kind = kind_of(value, name="")
    if kind == CLASSES:
        return _USUAL_NAMES.get(_last_operator(value), "logits")
    return {LABELS: "probabilities", EMBEDDING: "embedding"}.get(kind)


def renamed(kinds: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """The same kinds under new names, where a name does not say otherwise. names: old to new."""
    found = {}
    for old, kind in kinds.items():
        new = names.get(old, old)
        said = kind_by_name(new) if new != old and kind in (CLASSES, EMBEDDING) else None
        found[new] = said or kind
    return found


def _ends_in(value: ir.Value, operator: str) -> bool:
    return _last_operator(value) == operator


def _last_operator(value: ir.Value) -> str:
    """The operator that gives an output its numbers, behind shapes, means, constant factors and biases; '' for none."""
    for _ in range(MOST_STEPS):
        node = value.producer()
        if node is None:
            return ""
        if is_op(node, *_SCALED):
            varying = [one for one in node.inputs if one is not None and constant(one) is None]
            if len(varying) == 1 and not (node.op_type == "Div" and varying[0] is node.inputs[1]):
                value = varying[0]
                continue
        if not is_op(node, *_LOOKED_THROUGH) or node.inputs[0] is None:
            return node.op_type
        value = node.inputs[0]
    return ""
