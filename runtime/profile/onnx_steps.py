"""The steps of what ONNX Runtime ran: each node of its optimised graph with its time, module, work and bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from condmix.runtime.audit.onnx_arithmetic import (
    BLOCKED,
    BOUNDARIES,
    CONVOLUTIONS,
    MATRIX_PRODUCTS,
    SHAPES_ONLY,
    arithmetic_of,
    multiply_adds_of,
)
from condmix.runtime.audit.onnx_file import OnnxNode
from condmix.runtime.audit.onnx_names import PRODUCTS, Origins, module_of
from condmix.runtime.audit.onnx_run import OnnxRun
from condmix.runtime.profile.element_bits import size_bytes
from condmix.runtime.profile.module_path import dotted
from condmix.runtime.profile.step import Family, Step, StepGraph

LAYOUTS = frozenset({"ReorderInput", "ReorderOutput", "Transpose", "QLinearTranspose", "SpaceToDepth", "DepthToSpace"})
SPLITS = frozenset({"Split", "Concat", "Slice", "QLinearConcat"})
RESHAPES = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
_WEIGHT = re.compile(r"(?P<parent>(.+\.)?)(?P<own>[^.]+)\.weight$")
REDUCTIONS = frozenset({"ReduceMean", "QLinearReduceMean"})


def onnx_steps(run: OnnxRun, origins: Origins, *, by_module: bool) -> tuple[StepGraph, int]:
    """The graph, and how many nodes multiply in a number that nobody told.

    by_module: False takes the names of nodes in place of modules, for files that tell none.
    """
    varying = _varying(run)
    steps, uncounted = [], 0
    for place, node in enumerate(run.graph.nodes):
        if node.holds_graphs or node.op_type == "Constant":
            continue
        stored = origins.kernel_shape(node) if node.domain == BLOCKED and node.op_type in CONVOLUTIONS else None
        multiply_adds = multiply_adds_of(run, place, kernel_in_file=stored)
        uncounted += multiply_adds is None
        family = _family(run, node, stored)
        steps.append(
            Step(
                operator=node.operator,
                module=_module(origins, node, by_module=by_module),
                family=family,
                arithmetic=arithmetic_of(run, node),
                inputs=tuple(dict.fromkeys(name for name in node.inputs if name in varying)),
                outputs=tuple(name for name in node.outputs if name),
                kernel=_computed_kernel(node, varying),
                time_us=run.time_us[place],
                multiply_adds=multiply_adds or 0,
                size_bytes=0 if family is Family.RESHAPE else _size_bytes(run, node) * run.calls[place],
            )
        )
    shapes = {name: shape for name, (_, shape) in run.types.items()}
    return StepGraph(steps=tuple(steps), shapes=shapes), uncounted


def tells_modules(run: OnnxRun, origins: Origins) -> bool:
    """At least half of the convolutions and matrix products tell the module they came from."""
    products = [node for node in run.graph.nodes if node.op_type in CONVOLUTIONS or node.op_type in MATRIX_PRODUCTS]
    told = sum(_module(origins, node, by_module=True) is not None for node in products)
    return 2 * told >= len(products)


def _module(origins: Origins, node: OnnxNode, *, by_module: bool) -> str | None:
    if not by_module:
        return origins.where(node) or node.op_type
    origin = origins.origin(node)
    if origin is None:
        return None
    found = module_of(origin)
    return _of_weight(origin, dotted(found)) if found else None


def _of_weight(origin: OnnxNode, module: str) -> str:
    """PyTorch's exporter notes a convolution into which it folded a BatchNorm as that BatchNorm: a weight of a module
    beside it, in the same parent, tells better."""
    match = _WEIGHT.match(origin.inputs[1]) if origin.op_type in PRODUCTS and len(origin.inputs) > 1 else None
    if match is not None and match["parent"] == module[: -len(module.rpartition(".")[2])]:
        return f"{match['parent']}{match['own']}"
    return module


def _varying(run: OnnxRun) -> set[str]:
    """All values that depend on an input of the network."""
    varying = set(run.feeds)
    for node in run.graph.nodes:
        if node.holds_graphs or not varying.isdisjoint(node.inputs):
            varying.update(name for name in node.outputs if name)
    return varying


def _computed_kernel(node: OnnxNode, varying: set[str]) -> str | None:
    place = CONVOLUTIONS.get(node.op_type)
    if place is None or place >= len(node.inputs):
        return None
    return node.inputs[place] if node.inputs[place] in varying else None


def _family(run: OnnxRun, node: OnnxNode, stored_kernel: Sequence[int] | None) -> Family:
    name = node.op_type
    if name in CONVOLUTIONS:
        place = CONVOLUTIONS[name]
        kernel = stored_kernel or (run.types.get(node.inputs[place], ("", ()))[1] if place < len(node.inputs) else ())
        return _convolution(kernel, group=int(node.attributes.get("group", 1)))
    if name == "ConvTranspose":
        return Family.CONVOLUTION
    if name in MATRIX_PRODUCTS or name == "MatMulNBits":
        return Family.PRODUCT
    if name in BOUNDARIES:
        return Family.BOUNDARY
    for names, family in ((LAYOUTS, Family.LAYOUT), (SPLITS, Family.SPLIT_CONCAT), (RESHAPES, Family.RESHAPE)):
        if name in names:
            return family
    if "Pool" in name or name in REDUCTIONS:
        return Family.POOL
    return Family.OTHER if name in SHAPES_ONLY else Family.ELEMENTWISE


def _convolution(kernel: Sequence[int], *, group: int) -> Family:
    """kernel: [outputs, inputs of a group, *kernel]."""
    if group > 1 and len(kernel) > 2 and kernel[1] == 1:
        return Family.DEPTHWISE
    return Family.POINTWISE if len(kernel) > 2 and all(length == 1 for length in kernel[2:]) else Family.CONVOLUTION


def _size_bytes(run: OnnxRun, node: OnnxNode) -> int:
    named = [name for name in (*dict.fromkeys(node.inputs), *node.outputs) if name in run.types]
    return sum(size_bytes(*run.types[name]) for name in named)
