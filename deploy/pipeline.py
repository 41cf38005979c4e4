"""One export from a plan to files. Read it top to bottom; nothing here prints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from condmix.deploy.atomic import pending_files, require_room
from condmix.deploy.costs import StageClock, peak_memory_bytes
from condmix.deploy.images import read_images
from condmix.deploy.loading import load_network
from condmix.deploy.metadata import condmix_version, metadata_of
from condmix.deploy.plan import Plan
from condmix.deploy.record import ExportOutcome, to_json
from condmix.exporters.build import Build, build
from condmix.exporters.finish import IR_VERSION
from condmix.exporters.verify import verify
from condmix.models.network import LoadedNetwork
from condmix.runtime.artifact import Artifact, Format, Precision, describe_file
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.signature import Signature


def run(plan: Plan, report_progress: Callable[[str], None]) -> ExportOutcome:
    """The export is done: its file and record lie under their final names, or under the rejected ones.

    Raises the errors of `exit_codes.CODE_OF_FAILURE`; then no file has changed.
    """
    clock = StageClock(report_progress)
    require_room(plan.output.all, overwrite=plan.overwrite)

    clock("load")
    network = load_network(plan.loading)
    given = None if plan.images is None else read_images(plan.images, network, batch=plan.options.batch)

    metadata = metadata_of(network, plan.options, plan.tolerance, IR_VERSION)
    built = build(network.module, network.input_size, plan.options, metadata, clock)
    verification = verify(
        built,
        network.module,
        network.input_size,
        batch=plan.options.batch,
        tolerance=plan.tolerance,
        images=None if given is None else given.array_nchw,
        report_progress=clock,
    )

    clock("write")
    content = built.final.proto.SerializeToString(deterministic=True)
    accepted = verification.passed
    model_path = plan.output.model if accepted else plan.output.rejected_model
    record_path = plan.output.record if accepted else plan.output.rejected_record
    with pending_files(overwrite=plan.overwrite) as files:
        artifact = _describe(files.write(model_path, content), network, plan)
        outcome = ExportOutcome(
            plan=plan,
            network=network,
            artifact=dataclasses.replace(artifact, path=model_path),
            record_path=record_path,
            opset=_opset(built),
            layers=built.layers,
            steps=built.steps,
            verification=verification,
            notes=(*network.notes, *(() if given is None else (given.note,))),
            seconds=clock.stop(),
            peak_memory_bytes=peak_memory_bytes(),
        )
        files.write(record_path, to_json(outcome.to_dict()).encode())
        files.commit()
    return outcome


def _describe(written: Path, network: LoadedNetwork, plan: Plan) -> Artifact:
    """The file as it is on the disk, opened once more by the engine that is to run it."""
    signature = OnnxRuntimeBackend().open(written, threads=1).signature
    return describe_file(
        written,
        format=Format.ONNX,
        precision=Precision.FLOAT32,
        signature=Signature(
            inputs=tuple(dataclasses.replace(spec, layout="NCHW") for spec in signature.inputs),
            outputs=signature.outputs,
        ),
        parent_sha256=network.source_sha256,
        produced_by=f"condmix {condmix_version()} export, stage {plan.options.stage}",
    )


def _opset(built: Build) -> int:
    return next(int(entry.version) for entry in built.final.proto.opset_import if not entry.domain)
