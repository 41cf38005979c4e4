"""`--experts int8`: expert banks in int8, everything else in float arithmetic, for float accuracy in less space.

The experts of an output channel are divided by their largest weight, so that one scale serves the bank; the factor is
given back behind the convolution, where it costs least. All other large weights are stored in float16: runtimes turn
them into float32 once, when they load the file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.build import Prepared
from condmix.exporters.errors import NotExportableError
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import constant, is_op, module_path
from condmix.exporters.graph.splice import Replacement, Splicer
from condmix.exporters.lower import condconv_kernel
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.choose import choose_mixconv
from condmix.exporters.lower.form import FormRefusal
from condmix.exporters.lower.kernel_mixing import add_bias
from condmix.exporters.named.condconv import CondConvLayer, is_condconv, read_condconv
from condmix.exporters.named.mixconv import is_mixconv, read_mixconv
from condmix.exporters.opset import convert_opset
from condmix.exporters.quantize.onnx.condconv import ONE_IMAGE
from condmix.exporters.quantize.onnx.float_graph import refuse_batched_condconv, source_layers
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.onnx.records import Int8Kind, Int8Layer
from condmix.exporters.quantize.parameters import INT8_SYMMETRIC, UINT7, asymmetric, channel_scales, stored
from condmix.exporters.quantize.ranges import Ranges

SMALL = 1024
"""Constants of fewer numbers stay in float32: nothing is won."""
LARGEST_HALF = float(np.finfo(np.float16).max)
WHY = "int8 experts with 7 bits of routing, mixed exactly; the kernel is applied in float"


@dataclass(frozen=True, kw_only=True, eq=False)
class BankGraph:
    """The graph with int8 banks and its layers."""

    model: ir.Model
    layers: tuple[Int8Layer, ...]


def build_bank_graph(prepared: Prepared, ranges: Ranges, options: OnnxInt8Options, *, rounded: bool) -> BankGraph:
    """The prepared graph, which is left as it was, in the forms of a float file; with `rounded` its banks are int8.

    Raises NotExportableError at a batch other than one, or where there is no CondConv.
    """
    model = prepared.model.clone()
    refuse_batched_condconv(model.graph, BatchAxis(size=options.batch))
    sources = source_layers(model.graph)
    if not any(layer.kind is Int8Kind.COND_CONV for layer in sources.values()):
        summary = "no CondConv layer was recognised, so there are no experts to store in int8:"
        raise NotExportableError(summary, ("leave out --experts int8",))
    splicer = Splicer(model.graph)
    sizes: dict[str, int] = {}
    for node in list(model.graph):
        name = node.outputs[0].name or ""
        if is_condconv(node):
            _condconv(splicer, read_condconv(node), ranges, options, rounded=rounded)
        elif is_mixconv(node):
            choice = choose_mixconv(read_mixconv(node), ONE_IMAGE, "auto")
            assert not isinstance(choice, FormRefusal)
            splicer.apply(choice.form.build(read_mixconv(node), ONE_IMAGE))
            sources[name].form, sources[name].form_why = choice.form.name, choice.why
    splicer.finish()
    model = convert_opset(model, options.opset)
    if rounded:
        store_half(model.graph)
        sizes = _stored_bytes(model.graph)
    layers = tuple(
        Int8Layer(
            path=layer.path,
            output_name=layer.output_name,
            kind=layer.kind,
            int8=False,
            form=layer.form if layer.kind is not Int8Kind.COND_CONV else "kernel",
            why=_why(layer.kind, layer.path, options),
            multiply_adds=layer.multiply_adds,
            weight_bytes=sizes.get(layer.path, 0),
        )
        for layer in sources.values()
    )
    return BankGraph(model=model, layers=layers)


def _why(kind: Int8Kind, path: str, options: OnnxInt8Options) -> str:
    if path in options.float_layers:
        return "asked to stay in float"
    return WHY if kind is Int8Kind.COND_CONV else "float arithmetic was asked for; large weights stored in float16"


def _condconv(
    splicer: Splicer, layer: CondConvLayer, ranges: Ranges, options: OnnxInt8Options, *, rounded: bool
) -> None:
    builder = NodeBuilder(layer.path)
    if layer.path in options.float_layers:
        output = condconv_kernel.FORM.build(builder, layer, ONE_IMAGE)
    else:
        output = _build(builder, layer, ranges, rounded=rounded)
    splicer.apply(Replacement(removed=(layer.node,), results=((layer.output, output),), builder=builder))


def _build(builder: NodeBuilder, layer: CondConvLayer, ranges: Ranges, *, rounded: bool) -> ir.Value:
    experts, out = layer.experts_eoihw.shape[:2]
    largest_o = np.abs(layer.experts_eoihw).max(axis=(0, 2, 3, 4))
    factor_o = np.where(largest_o > 0, largest_o, 1.0).astype(np.float32)
    bank_en = (layer.experts_eoihw / factor_o[None, :, None, None, None]).reshape(experts, -1)
    routing = layer.routing
    if rounded:
        routing, bank = _rounded(builder, layer, bank_en, ranges)
    else:
        bank = builder.constant(bank_en, "experts")
    mixed = builder.one("MatMul", [routing, bank], (1, bank_en.shape[1]), role="mix_kernels")
    kernel_shape = layer.experts_eoihw.shape[1:]
    kernel = builder.reshape(mixed, kernel_shape, kernel_shape, "kernel")
    inputs = [layer.x, kernel]
    shape = (1, *layer.output_chw)
    if layer.expert_bias_eo is None and layer.bias_o.any():
        inputs.append(builder.constant(layer.bias_o / factor_o, "bias"))
    product = builder.one("Conv", inputs, shape, role="conv", attributes=layer.settings.attributes())
    factor = builder.constant(factor_o.reshape(1, out, 1, 1), "factor")
    output = builder.one("Mul", [product, factor], shape, role="give_factor_back")
    return output if layer.expert_bias_eo is None else add_bias(builder, output, layer, ONE_IMAGE)


def _rounded(
    builder: NodeBuilder, layer: CondConvLayer, bank_en: np.ndarray, ranges: Ranges
) -> tuple[ir.Value, ir.Value]:
    """Routing on 7 bits and bank on 8, each as real numbers behind DequantizeLinear."""
    name = layer.routing.name or ""
    affine = asymmetric(ranges.of(name), UINT7)
    grid = [
        builder.constant(np.asarray(affine.scale, np.float32), "routing_scale"),
        builder.constant(np.asarray(affine.zero_point, np.uint8), "routing_zero"),
    ]
    shape = (1, layer.experts)
    integers = builder.one(
        "QuantizeLinear", [layer.routing, *grid], shape, role="routing_q", data_type=ir.DataType.UINT8
    )
    routing = builder.one("DequantizeLinear", [integers, *grid], shape, role="routing_rounded")
    scale = channel_scales(bank_en.reshape(1, -1), grid=INT8_SYMMETRIC)[0]
    stored_bank = [
        builder.constant(stored(bank_en, float(scale), 0, INT8_SYMMETRIC), "experts"),
        builder.constant(np.asarray(scale, np.float32), "experts_scale"),
        builder.constant(np.asarray(0, np.int8), "experts_zero"),
    ]
    bank = builder.one("DequantizeLinear", stored_bank, bank_en.shape, role="experts_rounded")
    return routing, bank


def store_half(graph: ir.Graph) -> None:
    """Large float32 constants become float16 with a Cast behind them, where float16 can hold them."""
    for value in list(graph.initializers.values()):
        array = constant(value)
        if array is None or array.dtype != np.float32 or array.size < SMALL or np.abs(array).max() > LARGEST_HALF:
            continue
        uses = tuple(value.uses())
        builder = NodeBuilder(module_path(uses[0].node))
        half = builder.constant(array.astype(np.float16), "half")
        half.name = f"{value.name}/half"
        single = builder.one("Cast", [half], array.shape, attributes={"to": int(ir.DataType.FLOAT)})
        single.name = f"{value.name}/single"
        graph.register_initializer(half)
        graph.insert_before(graph[0], builder.nodes)
        for node, place in uses:
            node.replace_input_with(place, single)
        del graph.initializers[value.name or ""]


def _stored_bytes(graph: ir.Graph) -> dict[str, int]:
    """The constants that each module's nodes read."""
    sizes: dict[str, int] = {}
    for node in graph:
        arrays = [constant(value) for value in node.inputs if value is not None and value.is_initializer()]
        path = module_path(node)
        if not is_op(node, "Reshape"):
            sizes[path] = sizes.get(path, 0) + sum(array.nbytes for array in arrays if array is not None)
    return sizes
