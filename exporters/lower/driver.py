"""Replaces every named node by the form chosen for it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.errors import NotExportableError
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.splice import Replacement, Splicer
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
            records.append(_condconv_record(layer, builder, choice.form.name, choice.why))
        elif is_mixconv(node):
            mixed = read_mixconv(node)
            mix_choice = choose_mixconv(mixed, batch, mixconv)
            if isinstance(mix_choice, FormRefusal):
                problems.append(f"{mixed.path}: {mix_choice.reason}")
                continue
            replacement = mix_choice.form.build(mixed, batch)
            splicer.apply(replacement)
            records.append(_mixconv_record(mixed, replacement.builder, mix_choice.form.name, mix_choice.why))
    if problems:
        summary = f"{len(problems)} layers cannot take the form asked for; use auto, or another form:"
        raise NotExportableError(summary, tuple(problems))
    splicer.finish()
    return tuple(records)


def _weight_bytes(builder: NodeBuilder) -> int:
    """Floating-point constants only: shapes and axes are not weights."""
    arrays = [value.const_value.numpy() for value in builder.constants if value.const_value is not None]
    return sum(array.nbytes for array in arrays if array.dtype == np.float32)


def _condconv_record(layer: CondConvLayer, builder: NodeBuilder, form: str, why: str) -> LayerRecord:
    convolution, mixing = layer.convolution_multiply_adds, layer.mixing_multiply_adds
    multiply_adds = convolution * layer.experts if form == "experts" else convolution + mixing
    return LayerRecord(
        path=layer.path,
        kind=LayerKind.COND_CONV,
        recognised=True,
        form=form,
        why=why,
        details={
            "experts": layer.experts,
            "routing": layer.routing.name,
            "kernel": layer.settings.kernel,
            "strides": layer.settings.strides,
            "group": layer.settings.group,
            "in_channels": layer.input_chw[0],
            "out_channels": layer.output_chw[0],
            "output_size": layer.output_chw[1:],
            "expert_bias": layer.expert_bias_eo is not None,
        },
        multiply_adds=multiply_adds,
        weight_bytes=_weight_bytes(builder),
    )


def _mixconv_record(layer: MixConvLayer, builder: NodeBuilder, form: str, why: str) -> LayerRecord:
    multiply_adds = layer.multiply_adds
    if form == "merged":
        weight = max((node for node in builder.nodes if node.op_type == "Conv"), key=lambda node: len(node.inputs))
        tensor = weight.inputs[1].const_value if weight.inputs[1] is not None else None
        assert tensor is not None
        multiply_adds = int(tensor.size) * layer.output_chw[1] * layer.output_chw[2]
    return LayerRecord(
        path=layer.path,
        kind=LayerKind.MIX_CONV,
        recognised=True,
        form=form,
        why=why,
        details={
            "kernels": layer.kernels,
            "split": tuple(branch.in_channels for branch in layer.branches),
            "strides": layer.branches[0].settings.strides,
            "dilations": tuple(branch.settings.dilations for branch in layer.branches),
            "depthwise": layer.is_depthwise,
            "in_channels": layer.input_chw[0],
            "out_channels": layer.output_chw[0],
            "output_size": layer.output_chw[1:],
        },
        multiply_adds=multiply_adds,
        weight_bytes=_weight_bytes(builder),
    )
