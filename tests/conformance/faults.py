"""What is wrong with the proof of a case: one sentence a fault, none when all is as expected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import onnx

from condmix.exporters.build import Build
from condmix.exporters.named.condconv import DOMAIN
from condmix.exporters.options import ExportOptions
from condmix.exporters.records import LayerRecord
from condmix.exporters.verify.records import Verification
from condmix.runtime.machine_file import MACHINE_KEY
from tests.conformance.case import ConformanceCase
from tests.conformance.proof import Attempt, Proof
from tests.conformance.tflite_proof import tflite_faults

WIDEST_LIMIT = 1e-4
"""Of the largest value of an image. A network whose own rounding asks for more says too little about an export."""

STAGES = ("captured", "named", "rewritten", "final")
STANDARD_DOMAINS = ("", "ai.onnx")
RUNTIME_DOMAINS = frozenset({"com.microsoft", "com.microsoft.nchwc"})
"""Of ONNX Runtime's own operators."""


def faults(proof: Proof) -> list[str]:
    """Everything that is not as the case says, over all its builds."""
    found: list[str] = []
    for attempt in proof.attempts:
        found += [f"{attempt.export.label}: {fault}" for fault in attempt_faults(attempt)]
    for file in proof.tflite:
        refused = bool(proof.any_batch.export.refused)
        found += [
            f"{file.label}: {fault}"
            for fault in tflite_faults(file, batch_refused=refused, refused=proof.case.tflite_refused)
        ]
    if proof.one_image.build is not None:
        found += [f"recognition: {fault}" for fault in layer_faults(proof.case, proof.one_image.build.layers)]
        found += [f"stage named: {fault}" for fault in named_faults(proof.one_image.build)]
    return found


def attempt_faults(attempt: Attempt) -> Iterator[str]:
    """A refusal where none was expected, or none where one was; else the faults of file and verification."""
    if attempt.refusal is not None:
        if not attempt.export.refused:
            yield f"refused: {attempt.refusal}"
        for word in attempt.export.refused:
            if word not in attempt.refusal:
                yield f"the refusal does not say {word!r}: {attempt.refusal}"
        return
    if attempt.export.refused:
        yield f"exported, where a refusal was expected ({', '.join(attempt.export.refused)})"
    assert attempt.build is not None
    assert attempt.verification is not None
    yield from file_faults(attempt.build.final.proto, attempt.export.options)
    yield from verification_faults(attempt.verification, attempt.export.options)


def layer_faults(case: ConformanceCase, layers: tuple[LayerRecord, ...]) -> Iterator[str]:
    """Layers recognised or declined that should not be, and the other way round."""
    recognised = [f"{layer.kind.value} {layer.path}" for layer in layers if layer.recognised]
    kinds = Counter(name.split()[0] for name in recognised)
    for kind, expected in (("CondConv", case.condconv_layers), ("MixConv", case.mixconv_layers)):
        if kinds[kind] != expected:
            yield f"{kinds[kind]} {kind} layers, expected {expected}"
    if case.paths is not None and sorted(recognised) != sorted(case.paths):
        yield f"recognised {sorted(recognised)}, expected {sorted(case.paths)}"
    grouped = sum(layer.form == "grouped_conv" for layer in layers)
    if case.two_group_layers is not None and grouped != case.two_group_layers:
        yield f"{grouped} layers became a grouped 1x1 Conv, expected {case.two_group_layers}"
    declined = {layer.path: layer.why for layer in layers if not layer.recognised}
    if declined.keys() != case.declined.keys():
        yield f"declined {sorted(declined)}, expected {sorted(case.declined)}"
    for path, word in case.declined.items():
        if word not in declined.get(path, word):
            yield f"{path} is declined without the word {word!r}: {declined[path]}"
    for layer in layers:
        if layer.recognised and layer.form is None:
            yield f"{layer.path} was recognised and got no form"
        if not layer.why:
            yield f"{layer.path} has a form and no reason for it"


def named_faults(build: Build) -> Iterator[str]:
    """The named stage must hold one named node for each recognised layer, and the functions that they call."""
    named = next((stage.proto for stage in build.stages if stage.name == "named"), None)
    if named is None:
        yield "it is missing"
        return
    nodes = [node for node in named.graph.node if node.domain == DOMAIN]
    recognised = sum(layer.recognised for layer in build.layers)
    if len(nodes) != recognised:
        yield f"{len(nodes)} named nodes, expected one for each of {recognised} recognised layers"
    called = {node.op_type for node in nodes}
    defined = {function.name for function in named.functions if function.domain == DOMAIN}
    if not called <= defined:
        yield f"no function is there for {sorted(called - defined)}"


def file_faults(proto: onnx.ModelProto, options: ExportOptions) -> Iterator[str]:
    """Only standard operators of the opset asked for, no functions, and the batch axis asked for.

    A file for one machine has the runtime's own operators too, and says which machine; no other file does.
    """
    if proto.functions:
        yield f"functions are left: {sorted(function.name for function in proto.functions)}"
    own = RUNTIME_DOMAINS if options.is_for_one_machine else frozenset[str]()
    allowed = {*STANDARD_DOMAINS, *own}
    foreign = {f"{node.domain}.{node.op_type}" for node in _nodes(proto.graph) if node.domain not in allowed}
    if foreign:
        yield f"operators outside the standard are left: {sorted(foreign)}"
    if options.is_for_one_machine is not any(entry.key == MACHINE_KEY for entry in proto.metadata_props):
        yield f"the metadata '{MACHINE_KEY}' is {'missing' if options.is_for_one_machine else 'there'}"
    opsets = {item.domain: item.version for item in proto.opset_import if item.domain not in own}
    if opsets != {"": options.opset}:
        yield f"operator sets are {opsets}, expected only {options.opset} of the standard"
    for value in (*proto.graph.input, *proto.graph.output):
        dimension = value.type.tensor_type.shape.dim[0]
        found = dimension.dim_value if dimension.HasField("dim_value") else dimension.dim_param
        expected = "batch" if options.batch is None else options.batch
        if found != expected and not (options.batch == 1 and value in proto.graph.output):
            yield f"the first axis of '{value.name}' is {found!r}, expected {expected!r}"


def verification_faults(verification: Verification, options: ExportOptions) -> Iterator[str]:
    """The verification did not pass, had nothing to tell experts apart by, or allowed too much."""
    for stage in verification.stages:
        worst = stage.report.worst_output
        if not stage.report.passed:
            yield f"{stage.stage} on {stage.threads} threads: {stage.report.sentence()}"
        elif worst is None or worst.worst is None or worst.worst.limit_relative > WIDEST_LIMIT:
            yield f"{stage.stage} on {stage.threads} threads: the limit is too wide: {stage.report.sentence()}"
    if verification.blame is not None:
        yield f"the first module beyond the limit is {verification.blame.module_path}"
    yield from verification.warnings
    if options.batch is None:
        if verification.batches is None:
            yield "batches were not compared"
        elif not verification.batches.passed:
            yield f"batches: {verification.batches.sentence()}"
    if not verification.passed:
        yield "the verification did not pass"


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)
