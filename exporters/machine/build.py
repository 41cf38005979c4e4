"""`--condconv blocked`: the stages of an export whose last one is a file for this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from condmix.exporters.build import Build, Prepared, ReportProgress, Stage, build_prepared
from condmix.exporters.errors import NotExportableError
from condmix.exporters.machine.graft import graft
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.onnx.bank_build import EXACT_STAGE, routing_grids
from condmix.exporters.records import with_forms

PORTABLE_STAGE = "portable"


def build_blocked(
    prepared: Prepared, options: ExportOptions, metadata: Mapping[str, str], report_progress: ReportProgress
) -> Build:
    """The stages so far, the portable file, and the machine's own as the last; with int8 experts its exact twin first.

    The prepared graph is left as it was. Raises as `graft`, and NotExportableError for int8 experts with a routing
    whose range is not known.
    """
    grids = None
    if options.experts == "int8":
        grids = routing_grids(prepared.model.graph)
        if not grids:
            summary = "no CondConv layer was recognised, so there are no experts to store in int8:"
            raise NotExportableError(summary, ("leave out --experts int8",))
    portable = build_prepared(prepared, replace(options, condconv="auto", experts="float32"), metadata, report_progress)
    report_progress("lay out")
    stages = [*portable.stages[:-1], replace(portable.final, name=PORTABLE_STAGE)]
    own = {**metadata, "condmix_stage": "final"}
    if grids is not None:
        exact = graft(prepared.model, opset=options.opset, forms=options.forms, mixconv=options.mixconv, metadata=own)
        stages.append(Stage(name=EXACT_STAGE, proto=exact.proto))
    made = graft(
        prepared.model,
        opset=options.opset,
        forms=options.forms,
        mixconv=options.mixconv,
        grids=grids,
        metadata=own,
    )
    return replace(
        portable,
        stages=(*stages, Stage(name="final", proto=made.proto)),
        layers=with_forms(prepared.built.layers, made.layers, portable.steps),
    )
