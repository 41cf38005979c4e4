"""Graphs written down by hand, for the rules of an audit that need no engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from condmix.runtime.audit.nodes import AuditedNode
from condmix.runtime.audit.onnx_file import OnnxConstant, OnnxGraph, OnnxNode
from condmix.runtime.audit.onnx_run import OnnxRun
from condmix.runtime.audit.vocabulary import Arithmetic, Role

Shape = Sequence[int]


def onnx_node(
    op_type: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    domain: str = "",
    name: str = "",
    scope: str = "",
    holds_graphs: bool = False,
    **attributes: float,
) -> OnnxNode:
    """A node of an ONNX graph."""
    return OnnxNode(
        domain=domain,
        op_type=op_type,
        name=name,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        attributes=attributes,
        scope=scope,
        holds_graphs=holds_graphs,
    )


def onnx_graph(
    nodes: Sequence[OnnxNode], *, constants: Mapping[str, tuple[str, Shape]] | None = None, outputs: Sequence[str] = ()
) -> OnnxGraph:
    """A graph; constants: name -> (dtype, shape), their content is their name."""
    stored = {
        name: OnnxConstant(dtype=dtype, shape=tuple(shape), content=name)
        for name, (dtype, shape) in (constants or {}).items()
    }
    return OnnxGraph(nodes=tuple(nodes), constants=stored, outputs=tuple(outputs))


def onnx_run(
    nodes: Sequence[OnnxNode],
    *,
    types: Mapping[str, tuple[str, Shape]],
    constants: Mapping[str, tuple[str, Shape]] | None = None,
    outputs: Sequence[str] = (),
    calls: int = 1,
) -> OnnxRun:
    """A run of these nodes, each `calls` times; types: computed value -> (dtype, shape)."""
    known = {name: (dtype, tuple(shape)) for name, (dtype, shape) in {**types, **(constants or {})}.items()}
    return OnnxRun(
        graph=onnx_graph(nodes, constants=constants, outputs=outputs),
        feeds={},
        types=known,
        calls=(calls,) * len(nodes),
        time_us=(1.0,) * len(nodes),
    )


_ARITHMETIC = {
    "int": Arithmetic.INT8, "fly": Arithmetic.INT8_ON_THE_FLY, "wide": Arithmetic.INT16, "float": Arithmetic.FLOAT,
    "move": Arithmetic.MOVEMENT, "other": Arithmetic.OTHER,
    "q": Arithmetic.BOUNDARY, "dq": Arithmetic.BOUNDARY, "rq": Arithmetic.BOUNDARY,
}  # fmt: skip
_ROLES = {"q": Role.QUANTIZE, "dq": Role.DEQUANTIZE, "rq": Role.REQUANTIZE}


def audited(text: str, *, scale: str | None = None, **changes: object) -> AuditedNode:
    """`float a b > c` reads a and b and writes c; the first word is one of `_ARITHMETIC`."""
    left, _, right = text.partition(">")
    kind, *inputs = left.split()
    fields: dict[str, object] = {
        "operator": kind,
        "where": right.strip(),
        "arithmetic": _ARITHMETIC[kind],
        "inputs": tuple(inputs),
        "outputs": tuple(right.split()),
        "role": _ROLES.get(kind),
        "scale": scale,
    }
    return AuditedNode(**{**fields, **changes})  # type: ignore[arg-type]  # the fields are those of the class
