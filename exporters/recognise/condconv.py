"""Finding CondConv layers: every Conv, MatMul or Gemm whose weight is a mixture of experts gets its name."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import (
    attribute_float,
    attribute_int,
    constant,
    is_op,
    module_path,
    static_shape,
)
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.named.condconv import conv_settings
from condmix.exporters.recognise.dominators import input_dependent, node_positions
from condmix.exporters.recognise.factored import as_condconv
from condmix.exporters.recognise.factored_kernel import find_factored_kernel
from condmix.exporters.recognise.finding import Declined, Recognised
from condmix.exporters.recognise.mixture import Mixture, NotAMixture, find_mixture
from condmix.exporters.recognise.name_mixture import POINTWISE, name_mixture
from condmix.exporters.recognise.transposed import as_condconv as transposed_as_condconv


def find_condconv(model: ir.Model) -> Iterator[Recognised | Declined]:
    """Yield every layer whose weight is computed from the input: recognised, or declined with its reason."""
    dependent = input_dependent(model.graph)
    positions = node_positions(model.graph)
    for node in list(model.graph):
        if is_op(node, "Conv", "ConvTranspose") and node.inputs[1] in dependent:
            yield _conv(model, node, positions, dependent)
        elif is_op(node, "MatMul", "Gemm") and all(value in dependent for value in node.inputs[:2]):
            found = _product(model, node, positions, dependent)
            if found is not None:
                yield found


def _conv(
    model: ir.Model, node: ir.Node, positions: dict[ir.Node, int], dependent: frozenset[ir.Value]
) -> Recognised | Declined:
    path = module_path(node)
    x, weight = node.inputs[0], node.inputs[1]
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    assert x is not None
    assert weight is not None
    if len(static_shape(weight)) != 4:
        reason = f"a computed kernel with {len(static_shape(weight)) - 2} spatial axes: only two are supported"
        return Declined(path=path, node=node, reason=reason)
    stored_bias = constant(bias)
    targets = [weight] if bias is None or stored_bias is not None else [weight, bias]
    mixture = find_mixture(model, targets, positions, dependent)
    if isinstance(mixture, NotAMixture):
        return _not_linear(model, node, weight, mixture, positions, dependent)
    if is_op(node, "ConvTranspose"):
        return transposed_as_condconv(node, mixture, stored_bias, _proof(mixture))
    builder = NodeBuilder(path)
    kernel = static_shape(weight)[2:]
    result = name_mixture(
        builder,
        x,
        mixture,
        conv_settings(node, kernel),
        static_shape(node.outputs[0]),
        stored_bias=stored_bias,
    )
    return Recognised(
        path=path,
        node=node,
        replacement=Replacement(removed=(node,), results=((node.outputs[0], result),), builder=builder),
        routing_names=(mixture.routing.name or "",),
        proof=_proof(mixture),
    )


def _not_linear(
    model: ir.Model,
    node: ir.Node,
    weight: ir.Value,
    mixture: NotAMixture,
    positions: dict[ir.Node, int],
    dependent: frozenset[ir.Value],
) -> Recognised | Declined:
    """Experts times attentions, or a layer that stays as it is."""
    factored = find_factored_kernel(model, weight, positions, dependent)
    if factored is not None and is_op(node, "Conv"):
        return as_condconv(node, factored)
    return Declined(path=module_path(node), node=node, reason=mixture.reason)


def _proof(mixture: Mixture) -> str:
    numbers = mixture.experts[0].shape[0]
    return (
        f"its kernel is linear in '{mixture.routing.name}' ({numbers} numbers): off by at most {mixture.deviation:.0e} "
        "of its largest element on random vectors"
    )


def _product(
    model: ir.Model, node: ir.Node, positions: dict[ir.Node, int], dependent: frozenset[ir.Value]
) -> Recognised | Declined | None:
    """A matrix product whose one side is a mixture is a 1x1 CondConv; one that is not is an ordinary product."""
    left, right = node.inputs[0], node.inputs[1]
    assert left is not None
    assert right is not None
    if is_op(node, "Gemm") and not _is_plain_gemm(node):
        return None
    for weight, x, weight_first in ((right, left, False), (left, right, True)):
        transposed = weight_first and attribute_int(node, "transB", 0) == 1
        if transposed or len(static_shape(weight)) < 2:
            continue
        mixture = find_mixture(model, [weight], positions, dependent)
        if isinstance(mixture, Mixture):
            return _product_as_conv(node, x, mixture, weight_first=weight_first)
    return None


def _is_plain_gemm(node: ir.Node) -> bool:
    scales_are_one = attribute_float(node, "alpha", 1.0) == 1.0 and attribute_float(node, "beta", 1.0) == 1.0
    return scales_are_one and attribute_int(node, "transA", 0) == 0


def _product_as_conv(node: ir.Node, x: ir.Value, mixture: Mixture, *, weight_first: bool) -> Recognised | Declined:
    """Rewrite W x (weight_first, x [1, in, length]) or x W (x [1, length, in] or [1, in]) as a 1x1 CondConv."""
    path = module_path(node)
    x_shape, out_shape = static_shape(x), static_shape(node.outputs[0])
    if int(np.prod(mixture.experts[0].shape[1:-2])) != 1 or int(np.prod(x_shape[:-2], initial=1)) != 1:
        reason = f"a mixture of matrices times {x_shape}: only one matrix an image is supported"
        return Declined(path=path, node=node, reason=reason)
    matrix = mixture.experts[0].reshape(mixture.experts[0].shape[0], *mixture.experts[0].shape[-2:])
    # As (experts, out, in): W x has it already, x W has (in, out) unless Gemm transposes.
    rows_are_outputs = weight_first or (is_op(node, "Gemm") and attribute_int(node, "transB", 0) == 1)
    if weight_first:
        in_channels, length = x_shape[-2:] if len(x_shape) > 1 else (x_shape[0], 1)
    else:
        in_channels, length = x_shape[-1], (x_shape[-2] if len(x_shape) > 1 else 1)
    if not rows_are_outputs:
        matrix = matrix.transpose(0, 2, 1)
    constant_matrix = mixture.constants[0].reshape(mixture.constants[0].shape[-2:])
    constant_oi = constant_matrix if rows_are_outputs else constant_matrix.T
    as_kernels = Mixture(
        routing=mixture.routing,
        experts=(matrix[:, :, :, None, None],),
        constants=(constant_oi[:, :, None, None],),
    )
    builder = NodeBuilder(path)
    out_channels = matrix.shape[1]
    if weight_first or length == 1:
        channels_first = x
    else:
        channels_first = builder.one(
            "Transpose",
            [builder.reshape(x, (1, length, in_channels), (1, length, in_channels), "rows")],
            (1, in_channels, length),
            attributes={"perm": (0, 2, 1)},
        )
    image = builder.reshape(channels_first, (1, in_channels, length, 1), (1, in_channels, length, 1), "as_image")
    result = name_mixture(builder, image, as_kernels, POINTWISE, (1, out_channels, length, 1))
    if not weight_first and length > 1:
        flat = builder.reshape(result, (1, out_channels, length), (1, out_channels, length), "columns")
        result = builder.one(
            "Transpose", [flat], (1, length, out_channels), role="back", attributes={"perm": (0, 2, 1)}
        )
    result = builder.reshape(result, out_shape, out_shape, "as_before")
    if is_op(node, "Gemm") and len(node.inputs) > 2 and node.inputs[2] is not None:
        result = builder.one("Add", [result, node.inputs[2]], out_shape, role="gemm_bias")
    return Recognised(
        path=path,
        node=node,
        replacement=Replacement(removed=(node,), results=((node.outputs[0], result),), builder=builder),
        routing_names=(mixture.routing.name or "",),
        proof=_proof(mixture),
    )
