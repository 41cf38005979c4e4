"""Everything an export of a random network has to satisfy, in every form and both formats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from condmix.exporters.build import Prepared, build_prepared, prepare
from condmix.exporters.capture import capture
from condmix.exporters.errors import NotExportableError
from condmix.exporters.options import ExportOptions
from condmix.exporters.records import LayerRecord
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.verify.evidence import Evidence, gather
from condmix.exporters.verify.verify import verify_onnx
from tests.conformance.faults import verification_faults
from tests.conformance.proof import TFLITE_TOLERANCE, TOLERANCE
from tests.conformance.tflite_proof import attempt_tflite, tflite_faults
from tests.random_networks.modules import network_of
from tests.random_networks.plan import CondConv, Layer, NetworkPlan, Residual

ONE_IMAGE, ANY_BATCH = ExportOptions(), ExportOptions(batch=None)
TFLITE = (TfliteOptions(), TfliteOptions(batch=3))


@dataclass(kw_only=True)
class Outcome:
    """What became of one network: faults (none is as it should be), and how many files were compared or refused."""

    faults: list[str] = field(default_factory=list)
    unfit: str = ""
    """Why the network is no subject: it answers images alike, or its routing does, whatever an export did."""
    compared: int = 0
    refused: list[str] = field(default_factory=list)
    """Forms asked for by name that a layer cannot take."""


def prove(plan: NetworkPlan) -> Outcome:
    """Export the network in its default forms, at any batch, in the forced forms and to TFLite; verify every file."""
    outcome = Outcome()
    try:
        network = network_of(plan)
    except ValueError as error:
        outcome.unfit = str(error)
        return outcome
    size = (plan.image.channels, plan.image.height, plan.image.width)
    prepared = prepare(capture(network, size), ONE_IMAGE, {}, _silent)
    outcome.faults += recognition_faults(plan, prepared.built.layers)
    evidence: Evidence | None = None
    for options in (ONE_IMAGE, ANY_BATCH, *_forced(plan)):
        may_refuse = options not in (ONE_IMAGE, ANY_BATCH)
        label = f"onnx --batch {options.batch} --condconv {options.condconv} --mixconv {options.mixconv}"
        try:
            built = build_prepared(prepared, options, {}, _silent)
        except NotExportableError as error:
            (outcome.refused if may_refuse else outcome.faults).append(f"{label}: refused: {error}")
            continue
        if evidence is None:
            evidence = gather(built, network, size, batch=None, images=None, report_progress=_silent)
        else:
            built = replace(built, stages=(built.final,))
        verified = verify_onnx(built, evidence, batch=options.batch, tolerance=TOLERANCE, report_progress=_silent)
        outcome.compared += 1
        if verified.batches is not None and verified.batches.sentence().startswith("inconclusive"):
            outcome.unfit = verified.batches.sentence()
            return outcome
        outcome.faults += [f"{label}: {fault}" for fault in verification_faults(verified, options)]
    if evidence is not None:
        outcome.faults += _tflite_faults(prepared, evidence, outcome)
    return outcome


def recognition_faults(plan: NetworkPlan, records: tuple[LayerRecord, ...]) -> Iterator[str]:
    """Fewer layers recognised than planned."""
    layers = list(_flat(plan.layers))
    planned = sum(isinstance(layer, CondConv) for layer in layers)
    found = sum(record.recognised and record.kind.value == "CondConv" for record in records)
    if found < planned:
        reasons = [f"{record.path}: {record.why}" for record in records if not record.recognised]
        yield f"{found} CondConv layers recognised of {planned}; declined: {reasons}"


def _tflite_faults(prepared: Prepared, evidence: Evidence, outcome: Outcome) -> Iterator[str]:
    for options in TFLITE:
        attempt = attempt_tflite(prepared, evidence, options, TFLITE_TOLERANCE)
        outcome.compared += 1
        yield from (f"{attempt.label}: {fault}" for fault in tflite_faults(attempt, batch_refused=False))


def _forced(plan: NetworkPlan) -> tuple[ExportOptions, ...]:
    condconv, mixconv = plan.forced
    batch = 3 if condconv in ("grouped", "matmul") else 1
    return (
        ExportOptions(batch=batch, condconv=condconv),
        ExportOptions(mixconv=mixconv),
    )


def _flat(layers: tuple[Layer, ...]) -> Iterator[Layer]:
    for layer in layers:
        if isinstance(layer, Residual):
            yield from layer.layers
        else:
            yield layer


def _silent(_stage: str) -> None:
    """Nobody is watching."""
