"""From builds of one network at several sizes to the one for any height and width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import onnx
import onnx_ir as ir

from condmix.exporters.build import Build, Stage
from condmix.exporters.errors import GraphError
from condmix.exporters.options import ExportOptions
from condmix.exporters.records import LayerForm, LayerRecord, RewriteStep
from condmix.exporters.sizes.choice import Sides
from condmix.exporters.sizes.generalise import generalise_size

GROUPED = "grouped_conv"
"""The form of a layer that a rewrite has turned into an ordinary convolution, at any size."""


def twin_options(options: ExportOptions, layers: Sequence[LayerRecord]) -> ExportOptions:
    """The options with which another size gets the same graph: each layer has the form that it got at the given one."""
    seen: dict[str, int] = {}
    forms: list[LayerForm] = []
    for layer in layers:
        if not layer.recognised or layer.form is None:
            continue
        seen[layer.path] = seen.get(layer.path, 0) + 1
        name = layer.path if seen[layer.path] == 1 else f"{layer.path}#{seen[layer.path]}"
        if layer.form != GROUPED:
            forms.append(LayerForm(layer=name, form=layer.form))
    return replace(options, condconv="auto", mixconv="auto", forms=tuple(forms))


def free_size(builds: Sequence[Build], sides: Sequence[Sides], metadata: Mapping[str, str]) -> Build:
    """The first build with its last stage for any height and width, as `sides` have shown what depends on them.

    metadata: what the file says of its sizes. Raises NotExportableError for what no rule gives, or GraphError.
    """
    first = builds[0]
    proto, steps = free_proto([build.final.proto for build in builds], sides, metadata)
    return replace(
        first,
        stages=(*first.stages[:-1], Stage(name=first.final.name, proto=proto)),
        steps=(*first.steps, *steps),
    )


def free_proto(
    protos: Sequence[onnx.ModelProto], sides: Sequence[Sides], metadata: Mapping[str, str]
) -> tuple[onnx.ModelProto, tuple[RewriteStep, ...]]:
    """The first of the files for any height and width, checked, and one step for each node that had to change."""
    models = [ir.from_proto(proto) for proto in protos]
    steps = generalise_size(models, sides)
    models[0].metadata_props.update(metadata)
    proto = ir.to_proto(models[0])
    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        message = f"the graph for any height and width is not valid ONNX: {error}"
        raise GraphError(message) from error
    return proto, steps
