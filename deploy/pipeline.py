"""One export from a plan to files. Read it top to bottom; nothing here prints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from condmix.deploy.any_size import free_onnx, size_notes
from condmix.deploy.atomic import PendingFiles, pending_files, require_room
from condmix.deploy.costs import StageClock, peak_memory_bytes
from condmix.deploy.format_choices import ONNX, TFLITE
from condmix.deploy.images import read_images
from condmix.deploy.json_text import to_json
from condmix.deploy.metadata import metadata_of, tflite_metadata_of
from condmix.deploy.plan import Plan
from condmix.deploy.record import ExportOutcome, FileOutcome
from condmix.deploy.reference_file import float_reference, write_reference
from condmix.deploy.source import open_source
from condmix.deploy.tune.record import Tuned, forms_file
from condmix.deploy.tune.run import tune
from condmix.deploy.verified_file import VerifiedFile, describe, verified_onnx, verified_tflite
from condmix.exporters.build import Build, Prepared, build_from, build_prepared, prepare
from condmix.exporters.captured import Captured
from condmix.exporters.finish import IR_VERSION
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.onnx.bank_build import build_with_int8_banks
from condmix.exporters.tflite.build import TfliteBuild, build_tflite
from condmix.exporters.tune.finisher import BLOCKED, PORTABLE
from condmix.exporters.verify.evidence import gather
from condmix.models.network import LoadedNetwork
from condmix.runtime.machine_file import PORTABLE_LINE, this_machine


def run(plan: Plan, report_progress: Callable[[str], None]) -> ExportOutcome:
    """The export is done: each file and the record lie under their final names, or under the rejected ones.

    A format that cannot be built stops the whole export; one that fails its proof spoils only its own file.
    Raises the errors of `exit_codes.CODE_OF_FAILURE`; then no file has changed.
    """
    clock = StageClock(report_progress)
    require_room(plan.output.all, overwrite=plan.overwrite)

    source = open_source(plan.loading, clock)
    network, captured = source.network, source.captured
    given = None if plan.images is None else read_images(plan.images, network, batch=plan.batch)

    plan, tuned, prepared = _tuned(plan, network, captured, clock, report_progress)
    onnx_build = _build_onnx(plan, network, captured, clock, prepared)
    if onnx_build is not None and tuned is not None:
        onnx_build = dataclasses.replace(onnx_build, layers=tuned.explained(onnx_build.layers))
    sizes = None
    if onnx_build is not None and plan.choices.onnx is not None and plan.choices.onnx.dynamic_size:
        onnx_build, sizes = free_onnx(plan.loading, source, plan.choices.onnx, onnx_build, clock)
    tflite_build = _build_tflite(plan, network, captured, clock)

    stages = onnx_build or (None if tflite_build is None else tflite_build.shared)
    assert stages is not None  # a plan has at least one format
    evidence = gather(
        stages,
        source.oracle,
        network.input_size,
        batch=plan.batch,
        images=None if given is None else given.array_nchw,
        report_progress=clock,
    )
    made: list[VerifiedFile] = []
    if onnx_build is not None:
        made.append(verified_onnx(plan, onnx_build, evidence, clock, sizes))
    if tflite_build is not None:
        made.append(verified_tflite(plan, tflite_build, evidence, clock))

    clock("write")
    accepted = any(file.passed for file in made)
    record_path = plan.output.record if accepted else plan.output.rejected_record
    reference_path = plan.output.reference if accepted else plan.output.rejected_reference
    tolerances = {_path(file, plan).name: plan.tolerances.of_file(file.format) for file in made}
    reference = float_reference(evidence, [value.name for value in stages.stages[0].proto.graph.input], tolerances)
    with pending_files(overwrite=plan.overwrite) as files:
        outcome = ExportOutcome(
            plan=plan,
            network=network,
            files=tuple(_written(files, file, network, plan) for file in made),
            record_path=record_path,
            notes=(
                *network.notes,
                *(() if sizes is None else size_notes(sizes)),
                *(() if given is None else (given.note,)),
                *plan.choices.notes,
                *_forms_notes(plan, network),
                *_machine_notes(plan),
                *(() if tuned is None else tuned.notes),
                *plan.tolerances.notes,
            ),
            reference=write_reference(files, reference_path, reference, yardstick=network.yardstick),
            seconds=clock.stop(),
            peak_memory_bytes=peak_memory_bytes(),
            tuned=tuned,
        )
        if tuned is not None and accepted:
            files.write(plan.output.forms, forms_file(tuned, network).content())
        files.write(record_path, to_json(outcome.to_dict()).encode())
        files.commit()
    return outcome


def _tuned(
    plan: Plan, network: LoadedNetwork, captured: Captured, clock: StageClock, say: Callable[[str], None]
) -> tuple[Plan, Tuned | None, Prepared | None]:
    """The plan with the forms that were found, and the graph that they are for."""
    options = plan.choices.onnx
    if plan.tuning is None or options is None:
        return plan, None, None
    prepared = prepare(captured, options, metadata_of(network, options, plan.tolerances.float32, IR_VERSION), clock)
    clock("tune")
    tuned = tune(plan.tuning, prepared.model, batch=options.images_at_once, opset=options.opset, say=say)
    condconv = BLOCKED if tuned.finisher == BLOCKED else options.condconv
    options = dataclasses.replace(options, forms=tuned.forms, condconv=condconv)
    choices = dataclasses.replace(plan.choices, onnx=options)
    return dataclasses.replace(plan, choices=choices), tuned, prepared


def _forms_notes(plan: Plan, network: LoadedNetwork) -> tuple[str, ...]:
    """A file of forms, and where this export is not what it was measured for."""
    if plan.forms_file is None:
        return ()
    found = plan.forms_file.differences(network=network.architecture, input_size=network.input_size, batch=plan.batch)
    other = f"; it is exact and may not be the fastest here: {', '.join(found)}" if found else ""
    kind = plan.forms_file.finisher
    made = "" if kind == PORTABLE else f"; they were fastest with --condconv {kind}, on that machine"
    return (f"forms as measured for {plan.forms_file.sentence()}{other}{made}",)


def _machine_notes(plan: Plan) -> tuple[str, ...]:
    """Where alone an ONNX file runs that is laid out for one machine."""
    if plan.choices.onnx is None or not plan.choices.onnx.is_for_one_machine:
        return ()
    return (f"the ONNX file is for {this_machine().sentence()} only: {PORTABLE_LINE}",)


def _build_onnx(
    plan: Plan, network: LoadedNetwork, captured: Captured, clock: StageClock, prepared: Prepared | None = None
) -> Build | None:
    options = plan.choices.onnx
    if options is None:
        return None
    if options.experts == "int8" and not options.is_for_one_machine:
        metadata = metadata_of(network, options, plan.tolerances.of_file(ONNX), IR_VERSION)
        prepared = prepare(captured, ExportOptions(stage="rewritten"), metadata, clock)
        return build_with_int8_banks(prepared, options.opset, metadata, clock)
    metadata = metadata_of(network, options, plan.tolerances.onnx, IR_VERSION)
    if prepared is not None:
        return build_prepared(prepared, options, metadata, clock)
    return build_from(captured, options, metadata, clock)


def _build_tflite(plan: Plan, network: LoadedNetwork, captured: Captured, clock: StageClock) -> TfliteBuild | None:
    options = plan.choices.tflite
    if options is None:
        return None
    return build_tflite(captured, options, tflite_metadata_of(network, options, plan.tolerances.of_file(TFLITE)), clock)


def _written(files: PendingFiles, file: VerifiedFile, network: LoadedNetwork, plan: Plan) -> FileOutcome:
    """The file lies beside its final name, which its record already carries."""
    path = _path(file, plan)
    artifact = describe(files.write(path, file.content), file, network.source_sha256)
    return dataclasses.replace(file.outcome(artifact), artifact=dataclasses.replace(artifact, path=path))


def _path(file: VerifiedFile, plan: Plan) -> Path:
    """What the file is called: by its own name only once it has passed."""
    names = plan.output
    return names.models[file.format] if file.passed else names.rejected_model(file.format)
