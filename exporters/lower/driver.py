"""Replaces every named node by the form chosen for it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.errors import NotExportableError
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.splice import Replacement, Splicer
from condmix.exporters.lower import mixconv_merged
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.choose import choose_condconv, choose_mixconv
from condmix.exporters.lower.form import FormRefusal
from condmix.exporters.named.condconv import CondConvLayer, is_condconv, read_condconv
from condmix.exporters.named.mixconv import MixConvLayer, is_mixconv, read_mixconv
from condmix.exporters.records import LayerKind, LayerRecord


def lower(model: ir.Model, batch: BatchAxis, *, condconv: str, mixconv: str) -> tuple[LayerRecord, ...]:
    """Write every CondConv and MixConv of the named graph in standard operators; one record a layer.

    Raises NotExportableError, listing all layers, when a form was asked for that some of them cannot take.
    """
    splicer = Splicer(model.graph)
    records: list[LayerRecord] = []
    problems: list[str] = []
    for node in list(model.graph):
        if is_condconv(node):
            layer = read_condconv(node)
            choice = choose_condconv(layer, batch, condconv)
            if isinstance(choice, FormRefusal):
                problems.append(f"{layer.path}: {choice.reason}")
                continue
            builder = NodeBuilder(layer.path)
            result = choice.form.build(builder, layer, batch)
            splicer.apply(Replacement(removed=(node,), results=((layer.output, result),), builder=builder))
            records.append(_condconv_record(layer, choice.form.name, choice.why))
        elif is_mixconv(node):
            mixed = read_mixconv(node)
            mix_choice = choose_mixconv(mixed, batch, mixconv)
            if isinstance(mix_choice, FormRefusal):
                problems.append(f"{mixed.path}: {mix_choice.reason}")
                continue
            splicer.apply(mix_choice.form.build(mixed, batch))
            records.append(_mixconv_record(mixed, mix_choice.form.name, mix_choice.why))
    if problems:
        summary = f"{len(problems)} layers cannot take the form asked for; use auto, or another form:"
        raise NotExportableError(summary, tuple(problems))
    splicer.finish()
    return tuple(records)


def _condconv_record(layer: CondConvLayer, form: str, why: str) -> LayerRecord:
    convolution, mixing = layer.convolution_multiply_adds, layer.mixing_multiply_adds
    return LayerRecord(
        path=layer.path,
        kind=LayerKind.COND_CONV,
        recognised=True,
        form=form,
        why=why,
        details=layer.details(),
        multiply_adds=convolution * layer.experts if form == "experts" else convolution + mixing,
        weight_bytes=layer.weight_bytes,
    )


def _mixconv_record(layer: MixConvLayer, form: str, why: str) -> LayerRecord:
    multiply_adds, weight_bytes = layer.multiply_adds, layer.weight_bytes
    if form == mixconv_merged.FORM.name:
        taps = layer.output_chw[0] * int(np.prod(mixconv_merged.merged_settings(layer).kernel))
        multiply_adds = taps * layer.output_chw[1] * layer.output_chw[2]
        weight_bytes = 4 * (taps + layer.output_chw[0])
    return LayerRecord(
        path=layer.path,
        kind=LayerKind.MIX_CONV,
        recognised=True,
        form=form,
        why=why,
        details=layer.details(),
        multiply_adds=multiply_adds,
        weight_bytes=weight_bytes,
    )
