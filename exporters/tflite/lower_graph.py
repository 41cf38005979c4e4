"""From the named graph to a TFLite model: one walk, every unsupported operator reported together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.errors import GraphError, NotExportableError
from condmix.exporters.graph.facts import attribute_int, constant, is_op, module_path, only_consumer, static_shape
from condmix.exporters.named.condconv import is_condconv, read_condconv
from condmix.exporters.named.mixconv import is_mixconv, read_mixconv
from condmix.exporters.tflite.arithmetic import is_relu6
from condmix.exporters.tflite.choosing import CHOICES
from condmix.exporters.tflite.condconv import condconv
from condmix.exporters.tflite.emitter import Emitter, nhwc, to_nhwc
from condmix.exporters.tflite.expansions import Expanded, find_expanded, write_expanded
from condmix.exporters.tflite.gelu import gelu_end
from condmix.exporters.tflite.lowering import Unsupported
from condmix.exporters.tflite.mixconv import mixconv
from condmix.exporters.tflite.model import Tensor, TfliteModel
from condmix.exporters.tflite.movement import MOVEMENTS, TO_NHWC, as_nchw, copied
from condmix.exporters.tflite.operators import OPERATORS
from condmix.exporters.tflite.resampling import RESAMPLINGS
from condmix.exporters.tflite.schema import Activation, Operator, OptionsUnion, TensorType

METADATA_NAME = "condmix"
"""Of the metadata entry that holds what ONNX files of ours carry as metadata_props, as JSON."""

LOWERINGS = {**OPERATORS, **MOVEMENTS, **RESAMPLINGS, **CHOICES}
CARRIES_ACTIVATION = ("Conv", "Add", "Sub", "Mul", "Div", "Gemm", "BatchNormalization", "AveragePool", "MaxPool")


@dataclass(frozen=True, kw_only=True)
class LoweredGraph:
    """The TFLite model, and where it holds the graph's values."""

    model: TfliteModel
    tensor_of_value: Mapping[str, str]


def lower_graph(
    model: ir.Model,
    *,
    description: str,
    layout: str = "nhwc",
    form: str = "auto",
    bank: str = "float32",
    element_bytes: int = 4,
    metadata: Mapping[str, str] | None = None,
) -> LoweredGraph:
    """The TFLite model of a named graph with fixed shapes.

    layout: of the input images. bank: how experts are stored (float32, float16, int8). element_bytes: of an activation
    in the file that this model is for.
    Raises NotExportableError listing every operator that has no form, with its module.
    """
    emitter = Emitter()
    inputs: list[Tensor] = []
    for value in model.graph.inputs:
        inputs.append(_input(emitter, value, layout))
    skipped: set[ir.Node] = set()
    gelus = _find_gelus(model.graph, skipped)
    in_pieces = _find_in_pieces(model.graph, element_bytes, skipped)
    problems: list[str] = []
    for node in model.graph:
        if node in skipped:
            continue
        emitter.path, emitter.source = module_path(node), str(node.outputs[0].name)
        activation, carrier = _fused_activation(node)
        if node in gelus:
            _gelu(emitter, node, gelus[node])
            continue
        try:
            if node in in_pieces:
                emitter.bind(carrier.outputs[0], write_expanded(emitter, in_pieces[node], activation))
            else:
                _lower_node(emitter, node, activation, carrier, form=form, bank=bank)
        except (Unsupported, GraphError) as reason:
            problems.append(f"{emitter.path or 'network'}: {node.op_type} '{node.name}': {reason}")
            for output in node.outputs:
                emitter.bind(output, emitter.new(nhwc(static_shape(output)), "unsupported"))
            carrier = node
        if carrier is not node:
            skipped.add(carrier)
    if problems:
        summary = "these operators have no TFLite form here; change the network at these places, or export ONNX:"
        raise NotExportableError(summary, tuple(problems))
    emitter.path = emitter.source = ""
    outputs = _outputs(emitter, model.graph.outputs, inputs)
    lowered = TfliteModel(
        description=description,
        operations=tuple(emitter.operations),
        inputs=tuple(inputs),
        outputs=outputs,
        signature_inputs=tuple(str(value.name) for value in model.graph.inputs),
        signature_outputs=tuple(str(value.name) for value in model.graph.outputs),
        metadata={METADATA_NAME: json.dumps(dict(metadata or {}), sort_keys=True).encode()},
    )
    return LoweredGraph(model=lowered, tensor_of_value=emitter.tensor_names())


def _input(emitter: Emitter, value: ir.Value, layout: str) -> Tensor:
    shape = static_shape(value)
    if len(shape) != 4 or layout == "nhwc":
        tensor = Tensor(name="", shape=nhwc(shape), type=TensorType.FLOAT32)
        emitter.bind(value, tensor)
        return tensor
    tensor = Tensor(name=emitter.unique(f"{value.name}_nchw"), shape=shape, type=TensorType.FLOAT32)
    emitter.bind(value, emitter.transpose(tensor, TO_NHWC, "channels_last"))
    return tensor


def _outputs(emitter: Emitter, values: Sequence[ir.Value], inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """A tensor for each result. One that has a place already (an input, another result, a constant) is copied."""
    taken = {id(tensor) for tensor in inputs}
    outputs = []
    for value in values:
        if value.is_initializer():
            stored = constant(value)
            assert stored is not None
            emitter.bind(value, emitter.constant(to_nhwc(stored), str(value.name)))
        tensor = _output(emitter, value)
        if id(tensor) in taken or tensor.data is not None:
            tensor = copied(emitter, tensor)
            tensor.name = emitter.unique(f"{value.name}_result")
        taken.add(id(tensor))
        outputs.append(tensor)
    return tuple(outputs)


def _output(emitter: Emitter, value: ir.Value) -> Tensor:
    """Results keep PyTorch's layout: a four-dimensional one is turned back."""
    tensor = emitter.tensor(value)
    if len(tensor.shape) != 4:
        return tensor
    shape = static_shape(value)
    turned = emitter.reshape(as_nchw(emitter, tensor, shape), shape, "channels_first")
    if turned is not tensor:
        turned.name = emitter.unique(f"{value.name}_nchw")
    return turned


def _fused_activation(node: ir.Node) -> tuple[Activation, ir.Node]:
    """The activation that only reader of a node applies, when the node's operator can carry it; and the reader."""
    if not (is_op(node, *CARRIES_ACTIVATION) or is_mixconv(node)):
        return Activation.NONE, node
    reader = only_consumer(node.outputs[0])
    if is_op(reader, "Relu"):
        assert reader is not None
        return Activation.RELU, reader
    if is_op(reader, "Clip"):
        assert reader is not None
        if is_relu6(reader):
            return Activation.RELU6, reader
    return Activation.NONE, node


def _lower_node(
    emitter: Emitter, node: ir.Node, activation: Activation, carrier: ir.Node, *, form: str, bank: str
) -> None:
    if is_op(node, "Split"):
        _split(emitter, node)
        return
    if is_condconv(node):
        layer = read_condconv(node)
        result = condconv(emitter, emitter.tensor(layer.x), emitter.tensor(layer.routing), layer, form=form, bank=bank)
    elif is_mixconv(node):
        mixed = read_mixconv(node)
        result = mixconv(emitter, emitter.tensor(mixed.x), mixed, activation)
    else:
        lowering = LOWERINGS.get(node.op_type)
        if lowering is None or node.domain:
            message = "no TFLite form is known"
            raise Unsupported(message)
        result = lowering(emitter, node, activation)
    expected = nhwc(static_shape(carrier.outputs[0]))
    if result.shape != expected:
        message = f"its result has shape {result.shape}, expected {expected}"
        raise Unsupported(message)
    emitter.bind(carrier.outputs[0], result)


def _find_gelus(graph: ir.Graph, skipped: set[ir.Node]) -> dict[ir.Node, ir.Value]:
    """The last node of every GELU with its x; the other nodes of the pattern are to be skipped."""
    ends: dict[ir.Node, ir.Value] = {}
    for node in graph:
        found = gelu_end(node) if is_op(node, "Erf") else None
        if found is not None:
            x, nodes = found
            ends[nodes[-1]] = x
            skipped.update(nodes[:-1])
    return ends


def _find_in_pieces(graph: ir.Graph, element_bytes: int, skipped: set[ir.Node]) -> dict[ir.Node, Expanded]:
    """What is written together with the expansion in front of it; the expansion's own nodes are to be skipped."""
    found: dict[ir.Node, Expanded] = {}
    for node in graph:
        try:
            expanded = find_expanded(node, element_bytes=element_bytes)
        except GraphError:
            # Reported when the walk comes to it.
            continue
        if expanded is not None:
            found[node] = expanded
            skipped.update(expanded.nodes)
    return found


def _gelu(emitter: Emitter, node: ir.Node, x: ir.Value) -> None:
    tensor = emitter.tensor(x)
    exact = {0: ("bool", False)}
    result = emitter.emit(Operator.GELU, [tensor], tensor.shape, options_type=OptionsUnion.GELU, options=exact)
    emitter.bind(node.outputs[0], result)


def _split(emitter: Emitter, node: ir.Node) -> None:
    source = node.inputs[0]
    assert source is not None
    x = emitter.tensor(source)
    rank = len(x.shape)
    axis = attribute_int(node, "axis", 0) % rank
    own = (0, 3, 1, 2)[axis] if rank == 4 else axis
    first = 0
    for index, output in enumerate(node.outputs):
        size = nhwc(static_shape(output))
        begin = [0] * rank
        begin[own] = first
        emitter.bind(output, emitter.slice(x, begin, size, f"split_{index}"))
        first += size[own]
