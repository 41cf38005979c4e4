"""A float ONNX export with int8 expert banks (`--experts int8`): no calibration, for the routing has its own bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import onnx_ir as ir

from condmix.exporters.build import Build, Prepared, ReportProgress, Stage
from condmix.exporters.errors import NotExportableError
from condmix.exporters.quantize.bounds import bounds
from condmix.exporters.quantize.calibrate import routing_names
from condmix.exporters.quantize.onnx.build import build_int8
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.onnx.records import Int8Kind
from condmix.exporters.quantize.parameters import UINT7, Affine, asymmetric
from condmix.exporters.quantize.ranges import Range, Ranges

EXACT_STAGE = "final, float32 experts"


def build_with_int8_banks(
    prepared: Prepared, opset: int, metadata: Mapping[str, str], report_progress: ReportProgress
) -> Build:
    """The stages so far, the float graph that is rounded, and the graph with int8 banks as the last.

    Raises NotExportableError where there is no CondConv, or where a routing has no bounds (a plain Linear): those need
    calibration.
    """
    ranges = _routing_ranges(prepared.model.graph)
    options = OnnxInt8Options(experts="weights", opset=opset)
    taken = Ranges(method="bounds", image_count=0, images_sha256="", values=ranges)
    made = build_int8(prepared, taken, options, metadata, report_progress)
    forms = {layer.path: layer for layer in made.layers if layer.kind in (Int8Kind.COND_CONV, Int8Kind.MIX_CONV)}
    built = prepared.built
    layers = tuple(
        replace(
            layer, form=forms[layer.path].form, why=forms[layer.path].why, weight_bytes=forms[layer.path].weight_bytes
        )
        if layer.recognised and layer.path in forms
        else layer
        for layer in built.layers
    )
    stages = (*built.stages, Stage(name=EXACT_STAGE, proto=made.float_proto), Stage(name="final", proto=made.proto))
    return replace(built, stages=stages, layers=layers)


def routing_grids(graph: ir.Graph) -> dict[str, Affine]:
    """Routing name -> its 7 bits. Raises NotExportableError, listing all, where a routing has no bounds of its own."""
    return {name: asymmetric(span, UINT7) for name, span in _routing_ranges(graph).items()}


def _routing_ranges(graph: ir.Graph) -> dict[str, Range]:
    known = bounds(graph)
    ranges: dict[str, Range] = {}
    problems = []
    for name in routing_names(graph):
        bound = known.get(name)
        if bound is None or not bound.exact:
            problems.append(f"the routing '{name}' is neither a sigmoid nor a softmax: its range is not known")
        else:
            ranges[name] = Range.around(bound.low, bound.high)
    if problems:
        summary = "experts int8 rounds the routing to a grid, whose ends have to be known beforehand:"
        raise NotExportableError(summary, (*problems, "use --int8 with --calib, or leave out --experts int8"))
    return ranges
