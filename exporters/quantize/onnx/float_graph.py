"""From the rewritten graph to a float ONNX graph in the forms that suit int8; no rounding yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from condmix.exporters.batch.generalise import generalise
from condmix.exporters.build import Prepared
from condmix.exporters.errors import NotExportableError
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import MODULE_KEY, constant, is_op, module_path, static_shape
from condmix.exporters.graph.splice import Replacement, Splicer
from condmix.exporters.lower import condconv_experts, condconv_grouped, condconv_kernel, condconv_matmul
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.named.condconv import CondConvLayer, is_condconv, read_condconv
from condmix.exporters.named.mixconv import is_mixconv, read_mixconv
from condmix.exporters.opset import convert_opset
from condmix.exporters.quantize.onnx.channel_blocks import fill_channel_blocks
from condmix.exporters.quantize.onnx.condconv import FORM_REASONS, MixedBias, MixedKernel
from condmix.exporters.quantize.onnx.condconv_batched import (
    BATCHED_REASONS,
    FLOAT,
    FLOAT_REASON,
    batched_form,
    build_for_batch,
)
from condmix.exporters.quantize.onnx.dense_groups import ungroup_small_groups
from condmix.exporters.quantize.onnx.image_channels import fill_image_channels
from condmix.exporters.quantize.onnx.mixconv import lower_mixconv_int8
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.onnx.records import Int8Kind
from condmix.exporters.quantize.onnx.wide_gates import widen_gates


@dataclass(kw_only=True, eq=False)
class SourceLayer:
    """A layer with weights of the rewritten graph, and the form it got."""

    path: str
    output_name: str
    kind: Int8Kind
    multiply_adds: int
    form: str
    form_why: str = ""
    is_depthwise: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatGraph:
    """A float graph, and what its values have to do with those of the rewritten graph. All by value name."""

    model: ir.Model
    layers: dict[str, SourceLayer]
    """By the layer's output."""
    owners: dict[str, str]
    """The result of every Conv and Gemm -> the layer it belongs to, by its output."""
    kernels: tuple[MixedKernel, ...]
    biases: tuple[MixedBias, ...]
    stays_float: dict[str, str] = field(default_factory=dict)
    """Results of nodes that are computed in float whatever they are, with the reason."""
    sources: dict[str, str] = field(default_factory=dict)
    """A value that only this graph has -> the one of the rewritten graph whose numbers it holds."""
    positions: Mapping[str, int] = field(default_factory=dict)
    """By the output of every MixConv, the positions of its map, by which its runs were chosen."""


def build_float_graph(
    prepared: Prepared, options: OnnxInt8Options, *, positions: Mapping[str, int] | None = None
) -> FloatGraph:
    """The prepared graph, which is left as it was, in standard operators.

    positions: of the same network at another size, whose runs of MixConv branches are to be taken.
    Raises NotExportableError: operators that take no batch axis.
    """
    model = prepared.model.clone()
    batch = BatchAxis(size=options.batch)
    layers = source_layers(model.graph)
    generalise(model, batch)
    lowering = _Lowering(model, options, batch, layers, dict(positions or {}))
    lowering.run()
    for name in ungroup_small_groups(model.graph, options.float_layers):
        layers[lowering.owners[name]].form = "dense"
    fill_channel_blocks(model.graph, options.float_layers)
    fill_image_channels(model.graph, options.float_layers)
    if not options.dynamic_size:
        widen_gates(model.graph, options.float_layers)
    lowering.splicer.finish()
    return FloatGraph(
        model=convert_opset(model, options.opset),
        layers=layers,
        owners=lowering.owners,
        kernels=tuple(lowering.kernels),
        biases=tuple(lowering.biases),
        stays_float=lowering.stays_float,
        sources=lowering.sources,
        positions=lowering.positions,
    )


def refuse_batched_condconv(graph: ir.Graph, batch: BatchAxis) -> None:
    """Raises NotExportableError, naming the layers, where a kernel would have to serve several images."""
    if batch.is_one:
        return
    stuck = [module_path(node) or node.name or "" for node in graph if is_condconv(node)]
    if stuck:
        shown = "any number of images" if batch.is_dynamic else f"{batch.size} images"
        summary = (
            f"int8 banks with float arithmetic are for one image a call, not for {shown}; use --batch 1, or --int8:"
        )
        raise NotExportableError(summary, tuple(stuck))


def source_layers(graph: ir.Graph) -> dict[str, SourceLayer]:
    """Every layer with weights of the rewritten graph, by its output."""
    return {layer.output_name: layer for layer in _layers(graph)}


def _layers(graph: ir.Graph) -> Iterable[SourceLayer]:
    for node in graph:
        output = node.outputs[0]
        name, path = output.name or "", module_path(node)
        if is_condconv(node):
            layer = read_condconv(node)
            yield SourceLayer(
                path=path,
                output_name=name,
                kind=Int8Kind.COND_CONV,
                multiply_adds=layer.convolution_multiply_adds + layer.mixing_multiply_adds,
                form="",
                is_depthwise=layer.is_depthwise,
            )
        elif is_mixconv(node):
            mixed = read_mixconv(node)
            yield SourceLayer(
                path=path, output_name=name, kind=Int8Kind.MIX_CONV, multiply_adds=mixed.multiply_adds, form=""
            )
        elif is_op(node, "Conv", "Gemm") and constant(node.inputs[1]) is not None:
            weight = constant(node.inputs[1])
            assert weight is not None
            kind = Int8Kind.CONV if node.op_type == "Conv" else Int8Kind.GEMM
            positions = int(np.prod(static_shape(output)[2:], dtype=np.int64)) if kind is Int8Kind.CONV else 1
            yield SourceLayer(
                path=path,
                output_name=name,
                kind=kind,
                multiply_adds=int(weight.size) * positions,
                form="conv" if kind is Int8Kind.CONV else "gemm",
            )


class _Lowering:
    """Replaces the named nodes of one graph and keeps the records."""

    def __init__(
        self,
        model: ir.Model,
        options: OnnxInt8Options,
        batch: BatchAxis,
        layers: dict[str, SourceLayer],
        positions: dict[str, int],
    ) -> None:
        self.splicer = Splicer(model.graph)
        self.owners: dict[str, str] = {}
        self.kernels: list[MixedKernel] = []
        self.biases: list[MixedBias] = []
        self.sources: dict[str, str] = {}
        self.stays_float: dict[str, str] = {}
        self._graph = model.graph
        self._options = options
        self._batch = batch
        self._layers = layers
        self.positions = positions

    def run(self) -> None:
        """All of them, in order."""
        for node in list(self._graph):
            if is_condconv(node):
                self._condconv(node)
            elif is_mixconv(node):
                self._mixconv(node)
            elif is_op(node, "Conv", "Gemm"):
                name = node.outputs[0].name or ""
                if name in self._layers:
                    self.owners[name] = name

    def _condconv(self, node: ir.Node) -> None:
        layer = read_condconv(node)
        record = self._layers[layer.output.name or ""]
        builder = NodeBuilder(layer.path)
        form = batched_form(layer, self._batch)
        if layer.path in self._options.float_layers or form == FLOAT:
            self._float_condconv(node, layer, record, builder)
            return
        lowered = build_for_batch(builder, layer, self._batch)
        self.splicer.apply(Replacement(removed=(node,), results=((layer.output, lowered.output),), builder=builder))
        self.kernels.append(lowered.mixed_kernel(layer))
        bias = lowered.mixed_bias(layer)
        if bias is not None:
            self.biases.append(bias)
        record.form, record.form_why = form, {**FORM_REASONS, **BATCHED_REASONS}[form]
        self.owners[lowered.product.name or ""] = record.output_name

    def _float_condconv(self, node: ir.Node, layer: CondConvLayer, record: SourceLayer, builder: NodeBuilder) -> None:
        """A layer that goes back, with one kernel an image: it costs no more than it must."""
        if self._batch.is_one:
            form = condconv_kernel.FORM
        else:
            dense = condconv_matmul.FORM
            fixed = condconv_experts.FORM if self._batch.is_dynamic else condconv_grouped.FORM
            form = dense if dense.refuse(layer, self._batch) is None else fixed
        output = form.build(builder, layer, self._batch)
        self.splicer.apply(Replacement(removed=(node,), results=((layer.output, output),), builder=builder))
        asked = layer.path in self._options.float_layers
        for item in builder.nodes:
            name = item.outputs[0].name or ""
            if not asked:
                self.stays_float[name] = FLOAT_REASON
            if is_op(item, "Conv", "MatMul"):
                self.owners[name] = record.output_name
        record.form = form.name

    def _mixconv(self, node: ir.Node) -> None:
        layer = read_mixconv(node)
        output_name = layer.output.name or ""
        record = self._layers[output_name]
        positions = self.positions.setdefault(output_name, layer.output_chw[1] * layer.output_chw[2])
        lowered = lower_mixconv_int8(layer, self._batch, positions)
        removed = [item.outputs[0].name or "" for item in lowered.replacement.removed if item.op_type == "Conv"]
        expansion = next((self._layers[name] for name in removed if name in self._layers), None)
        self.splicer.apply(lowered.replacement)
        record.form, record.form_why = lowered.form, lowered.why
        if lowered.expansions and expansion is not None:
            del self.owners[expansion.output_name]
        for value in lowered.depthwise:
            self.owners[value.name or ""] = output_name
        for value in lowered.expansions:
            assert expansion is not None
            producer = value.producer()
            assert producer is not None
            producer.metadata_props[MODULE_KEY] = expansion.path
            if is_op(producer, "Conv"):
                self.owners[value.name or ""] = expansion.output_name
            expansion.form, expansion.form_why = "sliced", f"each run of {record.path} has its own slice"
        for value, source in lowered.sources:
            self.sources[value.name or ""] = source
