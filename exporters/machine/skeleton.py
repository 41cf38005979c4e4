"""A network with ordinary convolutions in place of what is computed per image, so that an optimiser can lay it out.

Every kernel that is mixed, every bias that is mixed and every squeeze-excite gate is replaced by a constant of index
numbers; what they are computed from stays alive as an additional output.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import Attributes, NodeBuilder
from condmix.exporters.graph.facts import constant, is_op, module_path
from condmix.exporters.graph.splice import Replacement, Splicer
from condmix.exporters.lower.activate_branches import ActivateBranches
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.driver import lower
from condmix.exporters.lower.keep_layout import has_mixconv
from condmix.exporters.lower.layer_form import named_layers
from condmix.exporters.lower.whole_blocks import fill_blocks
from condmix.exporters.machine.index_numbers import Numbering, NumberRange
from condmix.exporters.machine.integer_bank import IntegerBank, integer_bank
from condmix.exporters.named.condconv import CondConvLayer, is_condconv, read_condconv
from condmix.exporters.quantize.parameters import Affine
from condmix.exporters.records import LayerForm, LayerRecord
from condmix.exporters.rewrite import TIDY_RULES
from condmix.exporters.rewrite.driver import run_rules

ONE_IMAGE = BatchAxis(size=1)
NO_NUMBERS = "the network has more kernel elements than there are exact index numbers"


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedWeight:
    """A constant of the skeleton that is a mixture: routing times rows, plus `constant`.

    owner: the layer's name (`layer_form.named_layers`). bank: of experts that are stored in integers.
    """

    owner: str
    path: str
    numbers: NumberRange
    routing: str
    rows_en: np.ndarray
    constant_n: np.ndarray | None = None
    bank: IntegerBank | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Gate:
    """A constant of the skeleton that is a value (1, channels, 1, 1): the weight of a depthwise 1x1 convolution."""

    owner: str
    numbers: NumberRange
    value: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Skeleton:
    """model: runs, and computes nothing of use. outputs: names of the additional ones.

    records: of the layers that lowering wrote in a portable form. refused: layer name -> why it has no kernel here.
    """

    model: ir.Model
    weights: tuple[MixedWeight, ...]
    gates: tuple[Gate, ...]
    outputs: tuple[str, ...]
    records: tuple[LayerRecord, ...]
    refused: Mapping[str, str]


@dataclass(kw_only=True, eq=False)
class _Parts:
    numbering: Numbering
    grids: Mapping[str, Affine] | None
    weights: list[MixedWeight] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)
    kept: dict[str, ir.Value] = field(default_factory=dict)
    gate_values: dict[str, ir.Value] = field(default_factory=dict)


def build_skeleton(
    model: ir.Model,
    *,
    portable: Collection[str],
    plain_gates: Collection[str],
    forms: Sequence[LayerForm],
    mixconv: str,
    grids: Mapping[str, Affine] | None,
    numbering: Numbering | None = None,
) -> Skeleton:
    """The skeleton of a rewritten graph, which is left as it was.

    portable: CondConv layers that are not to be laid out; they take their form of `forms`, else the written rule's.
    plain_gates: names of the results of gated products that stay as they are. grids: routing name -> its 7 bits, to
    store experts in int8; None for float32.
    Raises NotExportableError for forms that cannot be taken.
    """
    model = model.clone()
    parts = _Parts(numbering=numbering or Numbering(), grids=grids)
    refused: dict[str, str] = {}
    splicer = Splicer(model.graph)
    names = [(name, node) for name, node in named_layers(model.graph)]
    for name, node in names:
        if not is_condconv(node) or name in portable:
            continue
        layer = read_condconv(node)
        builder = NodeBuilder(layer.path)
        output = _convolution(builder, name, layer, parts)
        if output is None:
            refused[name] = NO_NUMBERS
            continue
        parts.kept[layer.routing.name or ""] = layer.routing
        splicer.apply(Replacement(removed=(node,), results=((layer.output, output),), builder=builder))
    outputs = _keep(model.graph, parts.kept)
    mixed = has_mixconv(model.graph)
    records = lower(model, ONE_IMAGE, condconv="auto", mixconv=mixconv, forms=_renamed(model.graph, names, forms))
    run_rules(model, TIDY_RULES)
    if mixed:
        run_rules(model, (ActivateBranches(),))
        fill_blocks(model)
    _gate_products(model.graph, parts, plain_gates)
    outputs += _keep(model.graph, parts.gate_values)
    Splicer(model.graph).finish()
    return Skeleton(
        model=model,
        weights=tuple(parts.weights),
        gates=tuple(parts.gates),
        outputs=outputs,
        records=records,
        refused=refused,
    )


def _convolution(builder: NodeBuilder, name: str, layer: CondConvLayer, parts: _Parts) -> ir.Value | None:
    """The layer as a convolution with numbered constants; with integer experts a second one gives the factors back."""
    kernel_shape = layer.experts_eoihw.shape[1:]
    numbers = parts.numbering.take(kernel_shape)
    bias_numbers = None if layer.expert_bias_eo is None else parts.numbering.take(layer.bias_o.shape)
    if numbers is None or (layer.expert_bias_eo is not None and bias_numbers is None):
        return None
    routing, rows = layer.routing.name or "", layer.experts_eoihw.reshape(layer.experts, -1)
    bank = None if parts.grids is None else integer_bank(layer, parts.grids[routing])
    own = MixedWeight(owner=name, path=layer.path, numbers=numbers, routing=routing, rows_en=rows, bank=bank)
    parts.weights.append(own)
    bias = builder.constant(layer.bias_o, "bias")
    if layer.expert_bias_eo is not None and bias_numbers is not None:
        bias = builder.constant(bias_numbers.weight(), "bias_numbers")
        parts.weights.append(
            replace(own, numbers=bias_numbers, rows_en=layer.expert_bias_eo, constant_n=layer.bias_o[None], bank=None)
        )
    kernel = builder.constant(numbers.weight(), "kernel_numbers")
    shape, attributes = (1, *layer.output_chw), layer.settings.attributes()
    if bank is None or bank.factor_o is None:
        return builder.one("Conv", [layer.x, kernel, bias], shape, role="conv", attributes=attributes)
    product = builder.one("Conv", [layer.x, kernel], shape, role="conv", attributes=attributes)
    out = kernel_shape[0]
    factor = builder.constant(bank.factor_o.reshape(out, 1, 1, 1), "factor")
    each: Attributes = {"kernel_shape": (1, 1), "group": out}
    return builder.one("Conv", [product, factor, bias], shape, role="give_factor_back", attributes=each)


def _gate_products(graph: ir.Graph, parts: _Parts, plain: Collection[str]) -> None:
    """Image times gate (1, channels, 1, 1) as a depthwise convolution: a product would leave the runtime's layout."""
    splicer = Splicer(graph)
    for node in list(graph):
        found = _gate(node)
        name = node.outputs[0].name or ""
        if found is None or name in plain:
            continue
        image, gate = found
        shape = _numbers(image)
        assert shape is not None
        numbers = parts.numbering.take((shape[1], 1, 1, 1))
        if numbers is None:
            return
        builder = NodeBuilder(module_path(node))
        inputs = [image, builder.constant(numbers.weight(), "gate_numbers")]
        each: Attributes = {"kernel_shape": (1, 1), "group": shape[1]}
        output = builder.one("Conv", inputs, shape, role="gated", attributes=each)
        parts.gates.append(Gate(owner=name, numbers=numbers, value=gate.name or ""))
        parts.gate_values[gate.name or ""] = gate
        splicer.apply(Replacement(removed=(node,), results=((node.outputs[0], output),), builder=builder))
    graph.sort()


def _gate(node: ir.Node) -> tuple[ir.Value, ir.Value] | None:
    if not is_op(node, "Mul"):
        return None
    for image, gate in ((node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])):
        if image is None or gate is None or constant(gate) is not None:
            continue
        size, own = _numbers(image), _numbers(gate)
        if size is None or own is None or len(size) != 4 or len(own) != 4 or size[0] != 1:
            continue
        if own == (1, size[1], 1, 1) and size[2] * size[3] > 1:
            return image, gate
    return None


def _numbers(value: ir.Value) -> tuple[int, ...] | None:
    if value.shape is None or not all(isinstance(length, int) for length in value.shape):
        return None
    return tuple(length for length in value.shape if isinstance(length, int))


def _keep(graph: ir.Graph, kept: Mapping[str, ir.Value]) -> tuple[str, ...]:
    """The values are outputs, for nothing may read them any more; the names of those that were not."""
    added: list[str] = []
    for name, value in kept.items():
        if not value.is_graph_output() and not value.is_graph_input():
            graph.outputs.append(value)
            added.append(name)
    return tuple(added)


def _renamed(
    graph: ir.Graph, before: Sequence[tuple[str, ir.Node]], forms: Sequence[LayerForm]
) -> tuple[LayerForm, ...]:
    """The forms of the layers that are left, under their present names: a namesake may have gone."""
    old = {id(node): name for name, node in before}
    now = {old[id(node)]: name for name, node in named_layers(graph)}
    return tuple(replace(one, layer=now[one.layer]) for one in forms if one.layer in now)
