"""What LiteRT runs of a TFLite file, whoever made it, and what of it its delegate takes."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from condmix.runtime.artifact import Format
from condmix.runtime.audit.nodes import AuditedNode, Wiring
from condmix.runtime.audit.report import Audit, uncounted_notes
from condmix.runtime.audit.tflite_arithmetic import arithmetic_of, multiply_adds_of, role_of
from condmix.runtime.audit.tflite_file import TfliteFile, read_tflite
from condmix.runtime.audit.vocabulary import ADVICE, Arithmetic, Reason, Role
from condmix.runtime.delegate_coverage import delegated_operators
from condmix.runtime.litert_session import ENGINE, LiteRtBackend

_WEIGHT_PLACE = 1


def audit_tflite(path: Path, *, threads: int) -> Audit:
    """What the engine runs of the file. It tells no times of single operators.

    Raises EngineMissingError, ModelUnreadableError, InvalidSettingError.
    """
    session = LiteRtBackend().open(path, threads=threads)
    file = read_tflite(path.read_bytes())
    listed = session.nodes()
    operators = [node for node in listed if not node.is_delegate]
    taken = delegated_operators(operators, [node for node in listed if node.is_delegate])
    names = [node.operator for node in operators]
    nodes = tuple(_node(file, place, name, delegated=place in taken) for place, name in enumerate(names))
    counts = [
        multiply_adds_of(name, operator, file.tensors) for name, operator in zip(names, file.operators, strict=True)
    ]
    uncounted = Counter(name for name, count in zip(names, counts, strict=True) if count is None)
    return Audit(
        file=path,
        format=Format.TFLITE,
        engine=ENGINE,
        engine_version=importlib.metadata.version(ENGINE),
        threads=threads,
        runs=0,
        input_shapes={spec.name: tuple(map(int, spec.shape)) for spec in session.signature.inputs},
        nodes=_with_reasons(file, nodes),
        file_bytes=file.bytes_by_dtype,
        session_bytes=None,
        notes=(*uncounted_notes(uncounted), *_other_subgraphs(file)),
    )


def _node(file: TfliteFile, place: int, name: str, *, delegated: bool) -> AuditedNode:
    operator = file.operators[place]
    first_input = next((number for number in operator.inputs if number >= 0), None)
    source = None if first_input is None else file.tensors[first_input]
    result = file.tensors[operator.outputs[0]] if operator.outputs else None
    role = role_of(name, source) if source is not None else None
    scaled = source if role is Role.DEQUANTIZE else result
    return AuditedNode(
        operator=name,
        where=_module(result.name if result is not None else "") or f"operator {place}",
        arithmetic=arithmetic_of(name, operator, file.tensors),
        inputs=tuple(str(number) for number in operator.inputs if number >= 0 and not file.tensors[number].is_constant),
        outputs=tuple(map(str, operator.outputs)),
        multiply_adds=multiply_adds_of(name, operator, file.tensors) or 0,
        delegated=delegated,
        role=role,
        scale=scaled.scale if role is not None and scaled is not None else None,
    )


def _module(name: str) -> str:
    """Names of our own files are `module:value`; of others the whole name is all there is."""
    module, _, value = name.partition(":")
    return module if module and value and not value.isdigit() else name


def _with_reasons(file: TfliteFile, nodes: Sequence[AuditedNode]) -> tuple[AuditedNode, ...]:
    """The nodes, each float one with the reason; the runtime fuses nothing, so the file decides."""
    wiring = Wiring(nodes)
    reasons = {
        place: _reason(file, wiring, place) for place, node in enumerate(nodes) if node.arithmetic is Arithmetic.FLOAT
    }
    return tuple(
        replace(node, reason=reasons[place], advice=ADVICE[reasons[place]]) if place in reasons else node
        for place, node in enumerate(nodes)
    )


def _reason(file: TfliteFile, wiring: Wiring, place: int) -> Reason:
    numbers = file.operators[place].inputs[_WEIGHT_PLACE : _WEIGHT_PLACE + 1]
    kernels = [wiring.nodes[wiring.writer[str(number)]] for number in numbers if str(number) in wiring.writer]
    if any(kernel.role is Role.DEQUANTIZE and not kernel.inputs for kernel in kernels):
        return Reason.WEIGHTS_ONLY
    around = _boundaries_around(wiring, place)
    return Reason.KEPT_FLOAT if around else Reason.NOT_QUANTIZED


def _boundaries_around(wiring: Wiring, start: int) -> bool:
    """The float operators that hang together with this one get integers or give them away somewhere."""
    waiting, seen = [start], {start}
    while waiting:
        here = waiting.pop()
        for place in (*wiring.sources(here), *wiring.users(here)):
            node = wiring.nodes[place]
            if node.role is not None and node.inputs:
                return True
            if node.arithmetic is Arithmetic.FLOAT and place not in seen:
                seen.add(place)
                waiting.append(place)
    return False


def _other_subgraphs(file: TfliteFile) -> list[str]:
    if not file.other_subgraphs:
        return []
    return [f"only the main subgraph is audited: there are {file.other_subgraphs} more"]
