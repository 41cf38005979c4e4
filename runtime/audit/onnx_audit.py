"""What ONNX Runtime runs of an ONNX file, whoever made it."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from condmix.runtime.artifact import Format
from condmix.runtime.audit.nodes import AuditedNode
from condmix.runtime.audit.onnx_arithmetic import (
    BLOCKED,
    BOUNDARIES,
    CONVOLUTIONS,
    arithmetic_of,
    dtype_of,
    multiply_adds_of,
)
from condmix.runtime.audit.onnx_file import OnnxNode, read_onnx
from condmix.runtime.audit.onnx_names import Origins
from condmix.runtime.audit.onnx_reasons import why_float
from condmix.runtime.audit.onnx_run import OnnxRun, run_onnx
from condmix.runtime.audit.report import Audit, int8_share_of_bytes, uncounted_notes
from condmix.runtime.audit.vocabulary import Arithmetic, Role
from condmix.runtime.onnx_session import ENGINE


def audit_onnx(path: Path, *, threads: int, runs: int, shapes: Mapping[str, tuple[int, ...]]) -> Audit:
    """What the runtime makes of the file and how long each node takes, `runs` calls with inputs of these shapes.

    shapes: of inputs with free axes; a free first axis is 1 without being asked for.

    Raises EngineMissingError, ModelUnreadableError, InvalidSettingError, SessionFailedError, ComparisonImpossibleError.
    """
    run = run_onnx(path, threads=threads, runs=runs, shapes=shapes)
    file = read_onnx(path)
    origins = Origins(file)
    kernels = {place: origins.kernel_shape(node) for place, node in enumerate(run.graph.nodes) if _is_blocked(node)}
    counts = [multiply_adds_of(run, place, kernel_in_file=kernels.get(place)) for place in range(len(run.graph.nodes))]
    nodes = tuple(
        _audited(run, place, origins, counts[place] or 0)
        for place, node in enumerate(run.graph.nodes)
        if not node.holds_graphs and node.op_type != "Constant"
    )
    uncounted = Counter(node.operator for node, count in zip(run.graph.nodes, counts, strict=True) if count is None)
    file_bytes, session_bytes = file.bytes_by_dtype(), run.graph.bytes_by_dtype()
    return Audit(
        file=path,
        format=Format.ONNX,
        engine=ENGINE,
        engine_version=importlib.metadata.version(ENGINE),
        threads=threads,
        runs=runs,
        input_shapes={name: array.shape for name, array in run.feeds.items()},
        nodes=nodes,
        file_bytes=file_bytes,
        session_bytes=session_bytes,
        notes=(*uncounted_notes(uncounted), *_blocked(kernels), *_unpacked(file_bytes, session_bytes)),
    )


def _audited(run: OnnxRun, place: int, origins: Origins, multiply_adds: int) -> AuditedNode:
    node = run.graph.nodes[place]
    arithmetic = arithmetic_of(run, node)
    role = _role(run, node) if arithmetic is Arithmetic.BOUNDARY else None
    why = why_float(run, node, origins) if arithmetic is Arithmetic.FLOAT else None
    return AuditedNode(
        operator=node.operator,
        where=origins.where(node),
        arithmetic=arithmetic,
        inputs=tuple(name for name in node.inputs if name and name not in run.graph.constants),
        outputs=tuple(name for name in node.outputs if name),
        multiply_adds=multiply_adds,
        time_us=run.time_us[place],
        role=role,
        scale=None if role is None else _scale(run, node),
        reason=None if why is None else why.reason,
        detail="" if why is None else why.detail,
        advice="" if why is None else why.advice,
    )


def _role(run: OnnxRun, node: OnnxNode) -> Role | None:
    role = BOUNDARIES.get(node.op_type)
    # The runtime gives this name to no such node today; a file may carry it.
    wide_input = role is Role.QUANTIZE and dtype_of(run, node.inputs[0]) in ("int32", "int8", "uint8")
    return Role.REQUANTIZE if wide_input else role


def _scale(run: OnnxRun, node: OnnxNode) -> str | None:
    """The same text for the same scale and zero point, None where they are computed."""
    if node.op_type == "DynamicQuantizeLinear":
        return None
    constants = [run.graph.constants.get(name) for name in node.inputs[1:3] if name]
    contents = [constant.content for constant in constants if constant is not None and constant.content is not None]
    return " ".join(contents) if len(contents) == len(constants) else None


def _is_blocked(node: OnnxNode) -> bool:
    return node.domain == BLOCKED and node.op_type in CONVOLUTIONS


def _blocked(kernels: Mapping[int, tuple[int, ...] | None]) -> list[str]:
    unknown = sum(kernel is None for kernel in kernels.values())
    if not unknown:
        return []
    return [f"{unknown} float convolutions are counted with their channels rounded up to the blocks of the runtime"]


def _unpacked(file_bytes: Mapping[str, int], session_bytes: Mapping[str, int]) -> list[str]:
    file_share, session_share = int8_share_of_bytes(file_bytes) or 0.0, int8_share_of_bytes(session_bytes) or 0.0
    if session_share > file_share / 2:
        return []
    if not file_share:
        return []
    return ["the runtime unpacks int8 weights to float while loading: the file is small, memory and time are not"]
