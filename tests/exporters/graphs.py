"""What tests do with small graphs: run them in ONNX Runtime, compare, rewrite, lower, look at their nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import onnx
import onnx_ir as ir

from condmix.exporters.batch.generalise import generalise
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.driver import lower
from condmix.exporters.named.functions import attach_functions
from condmix.exporters.records import LayerForm, LayerRecord, RewriteStep
from condmix.exporters.rewrite.driver import run_rules
from condmix.exporters.rewrite.rule import Rule
from condmix.runtime.onnx_session import OnnxRuntimeBackend

FLOAT32_LIMIT = 1e-6
"""Of the largest element, or of one: what summing up to a few hundred terms of that size in float32 may be off."""


def to_bytes(model: ir.Model) -> bytes:
    """The checked file content of a graph as it stands, with functions for its named nodes."""
    copy = model.clone()
    attach_functions(copy)
    proto = ir.to_proto(copy)
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString()


def run(model: ir.Model | onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All outputs of a graph in ONNX Runtime, after onnx.checker has passed it."""
    content = to_bytes(model) if isinstance(model, ir.Model) else model.SerializeToString()
    session = OnnxRuntimeBackend().open(content, threads=1)
    return {name: np.asarray(array) for name, array in session.run(dict(feeds)).items()}


def rewrite(model: ir.Model, *rules: Rule) -> tuple[RewriteStep, ...]:
    """Apply rules in place; no value may be called by another name afterwards: outputs keep theirs."""
    outputs = [value.name for value in model.graph.outputs]
    steps = run_rules(model, rules)
    assert [value.name for value in model.graph.outputs] == outputs
    return steps


def lowered(model: ir.Model, size: int | None, *, condconv: str = "auto", mixconv: str = "auto") -> LayerRecord:
    """Give the graph of a single layer its batch and its form, in place; the record of the layer."""
    outputs = [value.name for value in model.graph.outputs]
    (record,) = lower(model, with_batch(model, size), condconv=condconv, mixconv=mixconv)
    assert [value.name for value in model.graph.outputs] == outputs
    assert all(node.domain == "" for node in model.graph)
    return record


def lower_with(model: ir.Model, size: int | None, forms: Mapping[str, str]) -> LayerRecord:
    """The same with forms for single layers by name."""
    named = [LayerForm(layer=layer, form=form) for layer, form in forms.items()]
    (record,) = lower(model, with_batch(model, size), condconv="auto", mixconv="auto", forms=named)
    return record


def with_batch(model: ir.Model, size: int | None) -> BatchAxis:
    """Give a batch-1 graph a batch axis in place; None for any number."""
    batch = BatchAxis(size=size)
    generalise(model, batch)
    return batch


def operators(model: ir.Model) -> Counter[str]:
    """How many nodes there are of each operator."""
    return Counter(node.op_type for node in model.graph)


def node_of(model: ir.Model, op_type: str, index: int = 0) -> ir.Node:
    """The node of that operator (the first unless told)."""
    return [node for node in model.graph if node.op_type == op_type][index]


def attributes_of(node: ir.Node) -> dict[str, object]:
    """Attributes as plain data."""
    plain = {name: attribute.value for name, attribute in node.attributes.items()}
    return {name: tuple(value) if isinstance(value, list | tuple) else value for name, value in plain.items()}


def produced_by(model: ir.Model, name: str) -> ir.Node:
    """The node that computes the value of that name."""
    return next(node for node in model.graph for output in node.outputs if output.name == name)


def rounding_error(expected: np.ndarray, actual: np.ndarray) -> float:
    """The largest difference, in units of the largest expected element or of one."""
    assert actual.shape == expected.shape, f"{actual.shape} instead of {expected.shape}"
    assert np.isfinite(actual).all()
    difference = np.abs(actual.astype(np.float64) - expected.astype(np.float64)).max(initial=0.0)
    return float(difference / max(np.abs(expected).max(initial=0.0), 1.0))


def assert_same(expected: np.ndarray, actual: np.ndarray) -> None:
    """Equal up to the rounding of float32."""
    error = rounding_error(expected, actual)
    assert error <= FLOAT32_LIMIT, f"off by {error:.1e}, {FLOAT32_LIMIT:.0e} is allowed"


def assert_different(expected: np.ndarray, actual: np.ndarray) -> None:
    """For the tests of the comparison itself: a fault is far outside of what rounding explains."""
    assert actual.shape != expected.shape or rounding_error(expected, actual) > 100 * FLOAT32_LIMIT
