"""Replaces every named node by the form chosen for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from condmix.exporters.errors import NotExportableError
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.splice import Replacement, Splicer
from condmix.exporters.lower import mixconv_merged
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.choose import CondConvChoice, MixConvChoice, choose_condconv, choose_mixconv
from condmix.exporters.lower.form import FormRefusal
from condmix.exporters.lower.layer_form import (
    condconv_form,
    form_cuts,
    mixconv_form,
    named_layers,
    pointwise_form,
)
from condmix.exporters.lower.mixconv_recut import recut
from condmix.exporters.lower.pointwise_groups import PointwiseGroups, read_pointwise_groups
from condmix.exporters.named.condconv import CondConvLayer, is_condconv, read_condconv
from condmix.exporters.named.mixconv import MixConvLayer, is_mixconv, read_mixconv
from condmix.exporters.records import LayerForm, LayerKind, LayerRecord
from condmix.runtime.records import unknown_name


def lower(
    model: ir.Model, batch: BatchAxis, *, condconv: str, mixconv: str, forms: Sequence[LayerForm] = ()
) -> tuple[LayerRecord, ...]:
    """Write every CondConv and MixConv of the named graph in standard operators; one record a layer.

    forms: of single layers; the others take `condconv` and `mixconv`. A grouped 1x1 MixConv has a record only where
    `forms` names it: otherwise it stays what a rewrite has made of it.
    Raises NotExportableError, listing all layers, when a form was asked for that some of them cannot take, or for a
    layer that is not there.
    """
    splicer = Splicer(model.graph)
    records: list[LayerRecord] = []
    layers = list(named_layers(model.graph))
    asked = {one.layer: one for one in forms}
    names = tuple(name for name, _ in layers)
    problems = [
        f"{one.layer}: there is no such layer: {unknown_name(one.layer, names)}"
        for one in forms
        if one.layer not in names
    ]
    for name, node in layers:
        record = _lower_layer(splicer, node, batch, condconv, mixconv, asked.get(name))
        if isinstance(record, FormRefusal):
            problems.append(f"{name}: {record.reason}")
        elif record is not None:
            records.append(record)
    if problems:
        count = f"{len(problems)} layer{'' if len(problems) == 1 else 's'}"
        summary = f"{count} cannot take the form asked for; use auto, or another form:"
        raise NotExportableError(summary, tuple(problems))
    splicer.finish()
    return tuple(records)


def _lower_layer(
    splicer: Splicer, node: ir.Node, batch: BatchAxis, condconv: str, mixconv: str, asked: LayerForm | None
) -> LayerRecord | FormRefusal | None:
    if is_condconv(node):
        layer = read_condconv(node)
        choice = choose_condconv(layer, batch, condconv) if asked is None else _asked_condconv(layer, batch, asked)
        if isinstance(choice, FormRefusal):
            return choice
        builder = NodeBuilder(layer.path)
        result = choice.form.build(builder, layer, batch)
        splicer.apply(Replacement(removed=(node,), results=((layer.output, result),), builder=builder))
        return _condconv_record(layer, choice.form.name, choice.why)
    if is_mixconv(node):
        mixed = read_mixconv(node)
        mix_choice = choose_mixconv(mixed, batch, mixconv) if asked is None else _asked_mixconv(mixed, batch, asked)
        if isinstance(mix_choice, FormRefusal):
            return mix_choice
        splicer.apply(mix_choice.form.build(mixed, batch))
        return _mixconv_record(mixed, mix_choice.form.name, mix_choice.why)
    if asked is None:
        return None
    form = pointwise_form(asked.form)
    if isinstance(form, FormRefusal):
        return form
    grouped = read_pointwise_groups(node)
    if form.build is not None:
        splicer.apply(form.build(grouped, batch))
    return _pointwise_record(grouped, form.name, asked.why)


def _asked_condconv(layer: CondConvLayer, batch: BatchAxis, asked: LayerForm) -> CondConvChoice | FormRefusal:
    form = condconv_form(asked.form)
    if isinstance(form, FormRefusal):
        return form
    return form.refuse(layer, batch) or CondConvChoice(form=form, why=asked.why)


def _asked_mixconv(layer: MixConvLayer, batch: BatchAxis, asked: LayerForm) -> MixConvChoice | FormRefusal:
    form = mixconv_form(asked.form)
    if isinstance(form, FormRefusal):
        return form
    return form.refuse(layer, batch) or MixConvChoice(form=form, why=asked.why)


def _condconv_record(layer: CondConvLayer, form: str, why: str) -> LayerRecord:
    convolution, mixing = layer.convolution_multiply_adds, layer.mixing_multiply_adds
    multiply_adds = convolution * layer.experts if form == "experts" else convolution + mixing
    return _record(layer, LayerKind.COND_CONV, form, why, (multiply_adds, layer.weight_bytes))


def _mixconv_record(layer: MixConvLayer, form: str, why: str) -> LayerRecord:
    _, cuts = form_cuts(form)
    written = recut(layer, cuts) if cuts else layer
    costs = (written.multiply_adds, written.weight_bytes)
    if form == mixconv_merged.FORM.name:
        taps = layer.output_chw[0] * int(np.prod(mixconv_merged.merged_settings(layer).kernel))
        costs = (taps * layer.output_chw[1] * layer.output_chw[2], 4 * (taps + layer.output_chw[0]))
    return _record(layer, LayerKind.MIX_CONV, form, why, costs)


def _pointwise_record(layer: PointwiseGroups, form: str, why: str) -> LayerRecord:
    return _record(layer, LayerKind.MIX_CONV, form, why, (layer.multiply_adds(form), layer.weight_bytes(form)))


def _record(
    layer: CondConvLayer | MixConvLayer | PointwiseGroups, kind: LayerKind, form: str, why: str, costs: tuple[int, int]
) -> LayerRecord:
    """costs: multiply-adds for one image, and bytes of weights."""
    multiply_adds, weight_bytes = costs
    return LayerRecord(
        path=layer.path,
        kind=kind,
        recognised=True,
        form=form,
        why=why,
        details=layer.details(),
        multiply_adds=multiply_adds,
        weight_bytes=weight_bytes,
    )
