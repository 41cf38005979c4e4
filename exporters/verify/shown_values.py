"""Making inner values of a graph visible."""

from __future__ import annotations

from collections.abc import Sequence

import onnx


def with_outputs(proto: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """A copy of the model that also returns the values `names`. Fusions around them may differ."""
    tapped = onnx.ModelProto()
    tapped.CopyFrom(proto)
    present = {output.name for output in tapped.graph.output}
    for name in dict.fromkeys(names):
        if name not in present:
            # Without a type: the engine knows it, and a module may return integers.
            tapped.graph.output.add().name = name
    return tapped


def value_names(proto: onnx.ModelProto) -> frozenset[str]:
    """All values that the main graph computes."""
    return frozenset(name for node in proto.graph.node for name in node.output)
