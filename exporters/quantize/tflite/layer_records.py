"""What each layer of the network became: integer or float, why, and what that weighs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import onnx_ir as ir

from condmix.exporters.graph.facts import is_op, module_path
from condmix.exporters.named.condconv import is_condconv
from condmix.exporters.named.mixconv import is_mixconv
from condmix.exporters.quantize.tflite.plan import Arithmetic, Choice, Plan
from condmix.exporters.quantize.tflite.roles import FILTER, multiply_adds
from condmix.exporters.records import LayerRecord
from condmix.exporters.tflite.model import Operation, TfliteModel
from condmix.exporters.tflite.schema import Operator

WITH_WEIGHTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
COMPUTED_IN_INTEGERS = frozenset({Arithmetic.INTEGER, Arithmetic.HYBRID})


@dataclass(frozen=True, kw_only=True)
class TfliteInt8Layer:
    """One layer with weights, as the file has it."""

    path: str
    value: str
    """Its result in the graph: one module may hold several layers."""
    kind: str
    """Conv, ConvTranspose, Gemm, MatMul, CondConv or MixConv."""
    arithmetic: str
    """integer: on integers throughout. hybrid: its input is rounded to int8 on the fly. stored: int8 weights, float
    arithmetic. float. mixed: some of its products on integers, some in float."""
    why: str
    multiply_adds: int
    """Of one image: convolutions and kernel mixing."""
    int8_multiply_adds: int
    """Those that are computed on integers."""
    weight_bytes: int
    """Stored constants."""

    @property
    def is_int8(self) -> bool:
        """Every product is computed on integers."""
        return self.arithmetic in {item.value for item in COMPUTED_IN_INTEGERS}

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return asdict(self)


def layer_records(
    graph: ir.Graph, lowered: TfliteModel, plan: Plan, written: TfliteModel, batch: int
) -> tuple[TfliteInt8Layer, ...]:
    """A record for each layer with weights, in the graph's order.

    lowered: the float model that the plan belongs to. written: what was made of it.
    """
    planned: dict[str, list[tuple[Operation, Choice]]] = {}
    for operation, choice in zip(lowered.operations, plan.choices, strict=True):
        planned.setdefault(operation.source, []).append((operation, choice))
    stored = _stored_bytes(written.operations)
    records: list[TfliteInt8Layer] = []
    for node in graph:
        kind = _kind(node)
        value = str(node.outputs[0].name)
        products = [
            (multiply_adds(item) // batch, choice) for item, choice in planned.get(value, []) if _is_product(item)
        ]
        if kind is None or not products:
            continue
        records.append(_record(node, kind, value, products, stored.get(value, 0)))
    return tuple(records)


def with_bytes(forms: Sequence[LayerRecord], layers: Sequence[TfliteInt8Layer]) -> tuple[LayerRecord, ...]:
    """Records of forms with the bytes and reasons that the int8 file has; matched by kind, path and order."""
    waiting: dict[tuple[str, str], list[TfliteInt8Layer]] = {}
    for layer in layers:
        waiting.setdefault((layer.kind, layer.path), []).append(layer)
    complete = []
    for record in forms:
        own = waiting[record.kind.value, record.path].pop(0)
        complete.append(replace(record, why=own.why, weight_bytes=own.weight_bytes, multiply_adds=own.multiply_adds))
    return tuple(complete)


def _record(
    node: ir.Node, kind: str, value: str, products: Sequence[tuple[int, Choice]], weight_bytes: int
) -> TfliteInt8Layer:
    found = {choice.arithmetic for _, choice in products}
    whole = found.pop().value if len(found) == 1 else "hybrid" if found <= COMPUTED_IN_INTEGERS else "mixed"
    reasons = dict.fromkeys(choice.why for _, choice in sorted(products, key=lambda item: -item[0]))
    return TfliteInt8Layer(
        path=module_path(node),
        value=value,
        kind=kind,
        arithmetic=whole,
        why="; ".join(reasons),
        multiply_adds=sum(count for count, _ in products),
        int8_multiply_adds=sum(count for count, choice in products if choice.arithmetic in COMPUTED_IN_INTEGERS),
        weight_bytes=weight_bytes,
    )


def _kind(node: ir.Node) -> str | None:
    if is_condconv(node):
        return "CondConv"
    if is_mixconv(node):
        return "MixConv"
    return node.op_type if is_op(node, *WITH_WEIGHTS) else None


def _is_product(operation: Operation) -> bool:
    weighted = (Operator.CONV_2D, Operator.DEPTHWISE_CONV_2D, Operator.FULLY_CONNECTED, Operator.BATCH_MATMUL)
    return operation.operator in (*weighted, Operator.TRANSPOSE_CONV) and len(operation.inputs) > FILTER


def _stored_bytes(operations: Sequence[Operation]) -> Mapping[str, int]:
    """Stored constants by graph node; one that several nodes share counts for the first."""
    counted: set[int] = set()
    totals: dict[str, int] = {}
    for operation in operations:
        for tensor in operation.inputs:
            if tensor is not None and tensor.data is not None and id(tensor) not in counted:
                counted.add(id(tensor))
                totals[operation.source] = totals.get(operation.source, 0) + tensor.data.nbytes
    return totals
