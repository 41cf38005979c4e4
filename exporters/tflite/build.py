"""From a captured graph to a .tflite file: the stages of the ONNX export up to `rewritten`, then our own writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import onnx_ir as ir

from condmix.exporters.batch.generalise import generalise
from condmix.exporters.build import Build, Prepared, ReportProgress, prepare
from condmix.exporters.captured import Captured
from condmix.exporters.errors import NotExportableError
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.named.condconv import CondConvLayer, is_condconv, read_condconv
from condmix.exporters.named.mixconv import MixConvLayer, is_mixconv, read_mixconv
from condmix.exporters.options import ExportOptions
from condmix.exporters.records import LayerKind, LayerRecord, with_forms
from condmix.exporters.tflite.bands import MOST_TAPS
from condmix.exporters.tflite.expansions import find_expanded
from condmix.exporters.tflite.half import store_half
from condmix.exporters.tflite.lower_graph import LoweredGraph, lower_graph
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.tflite.write import LARGEST_FILE, write_model

BANK_BYTES = {"float32": 4, "float16": 2, "int8": 1}


@dataclass(frozen=True, kw_only=True)
class TfliteBuild:
    """What an export to TFLite made, before anything is verified or written."""

    content: bytes
    exact_content: bytes | None
    """The same file with unrounded experts, where `content` stores rounded ones: it must meet float32's tolerance."""
    shared: Build
    """The stages before, with the layers in the forms that the file has."""
    tensor_of_value: Mapping[str, str]
    """Graph value -> tensor in the file, for values that the file still shows."""
    layout: str


def build_tflite(
    captured: Captured, options: TfliteOptions, metadata: Mapping[str, str], report_progress: ReportProgress
) -> TfliteBuild:
    """Return the file's content and the record of what was done.

    Raises NotExportableError: operators without a TFLite form (all at once), a batch that the network cannot be given,
    or a file above 2 GB.
    """
    prepared = prepare(captured, ExportOptions(stage="rewritten"), metadata, report_progress)
    return build_tflite_prepared(prepared, options, metadata, report_progress)


def build_tflite_prepared(
    prepared: Prepared, options: TfliteOptions, metadata: Mapping[str, str], report_progress: ReportProgress
) -> TfliteBuild:
    """The same from a prepared graph, which is left as it was."""
    report_progress("write TFLite")
    model = prepared.model.clone()
    layers = form_records(model, options)
    generalise(model, BatchAxis(size=options.batch))
    refuse_oversize(model)
    # Under --precision float16 the banks are halved with all other weights.
    bank = "float32" if options.bank == options.precision else options.bank
    lowered = _lowered(model, options, metadata, bank)
    exact = None
    if options.rounds_weights:
        # Scaled as int8 banks are, so that their numbers can be compared one by one.
        twin = "normalised" if bank == "int8" else "float32"
        exact = write_model(_lowered(model, options, metadata, twin).model)
    built = prepared.built
    return TfliteBuild(
        content=write_model(store_half(lowered.model) if options.precision == "float16" else lowered.model),
        exact_content=exact,
        shared=replace(built, layers=with_forms(built.layers, layers, built.steps)),
        tensor_of_value=lowered.tensor_of_value,
        layout=options.layout,
    )


def _lowered(model: ir.Model, options: TfliteOptions, metadata: Mapping[str, str], bank: str) -> LoweredGraph:
    return lower_graph(
        model,
        description=metadata.get("architecture", "") or "condmix",
        layout=options.layout,
        form=options.condconv,
        bank=bank,
        metadata=metadata,
    )


def refuse_oversize(model: ir.Model) -> None:
    """Raises NotExportableError for a graph whose float32 weights no file can hold."""
    stored = sum(
        value.const_value.nbytes for value in model.graph.initializers.values() if value.const_value is not None
    )
    if stored > LARGEST_FILE:
        summary = f"the weights take {stored / 1e9:.1f} GB: a TFLite file holds at most 2 GB;"
        # Even where the file would store them smaller: its proof is the same file with unrounded weights.
        raise NotExportableError(summary, ("use fewer experts or a narrower network, or export ONNX",))


def form_records(model: ir.Model, options: TfliteOptions) -> tuple[LayerRecord, ...]:
    """The form that each CondConv and MixConv of a named graph gets, and why."""
    records: list[LayerRecord] = []
    for node in model.graph:
        if is_condconv(node):
            records.append(_condconv_record(read_condconv(node), options))
        elif is_mixconv(node):
            in_pieces = find_expanded(node, element_bytes=4) is not None
            records.append(_mixconv_record(read_mixconv(node), options, in_pieces=in_pieces))
    return tuple(records)


def _condconv_record(layer: CondConvLayer, options: TfliteOptions) -> LayerRecord:
    multiply_adds = layer.convolution_multiply_adds + layer.mixing_multiply_adds
    if options.condconv == "experts":
        form, why = "experts", "asked for: every kernel is stored, for accelerators that take no computed weights"
        multiply_adds = layer.convolution_multiply_adds * layer.experts
    elif layer.is_depthwise:
        form, why = "depthwise", "mixed by FULLY_CONNECTED; the builtin DEPTHWISE_CONV_2D takes a computed kernel"
    elif layer.is_pointwise and layer.settings.strides == (1, 1):
        form, why = "matmul", "mixed by FULLY_CONNECTED, applied by BATCH_MATMUL: all in the delegate"
    else:
        form, why = "im2col", "mixed by FULLY_CONNECTED; rows of taps times BATCH_MATMUL: all in the delegate"
    others = 4 * (int(layer.bias_o.size) + (0 if layer.expert_bias_eo is None else int(layer.expert_bias_eo.size)))
    return LayerRecord(
        path=layer.path,
        kind=LayerKind.COND_CONV,
        recognised=True,
        form=form,
        why=why if options.bank == "float32" else f"{why}; experts stored as {options.bank}",
        details=layer.details(),
        multiply_adds=multiply_adds,
        weight_bytes=BANK_BYTES[options.bank] * int(layer.experts_eoihw.size) + others,
    )


def _mixconv_record(layer: MixConvLayer, options: TfliteOptions, *, in_pieces: bool) -> LayerRecord:
    cut = [kernel for kernel in layer.kernels if kernel[0] * kernel[1] > MOST_TAPS]
    form, why = "slices", "slices and convolutions stay in the delegate, activations ride in the branches"
    if in_pieces:
        form, why = "hoisted", "each branch has its own part of the expansion in front of it: nothing is sliced"
    if layer.is_depthwise and cut:
        bands = f"kernels {', '.join(f'{h}x{w}' for h, w in cut)} as sums of bands of at most {MOST_TAPS} taps"
        form, why = "rows", f"{bands}; {why}" if in_pieces else bands
    return LayerRecord(
        path=layer.path,
        kind=LayerKind.MIX_CONV,
        recognised=True,
        form=form,
        why=why,
        details=layer.details(),
        multiply_adds=layer.multiply_adds,
        weight_bytes=sum(
            BANK_BYTES[options.precision] * int(branch.weight_oihw.size) + 4 * int(branch.bias_o.size)
            for branch in layer.branches
        ),
    )
