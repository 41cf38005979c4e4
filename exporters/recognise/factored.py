"""A kernel of experts times attentions as CondConv: every attention moves to where it concerns no kernel, exactly.

A factor of the output channels scales the result, one of the input channels the image: convolution is linear in both. A
factor of the taps scales what each tap sees. So the image is laid out tap by tap, each scaled, and the layer is a 1x1
CondConv of as many times the channels, with the experts and multiply-adds that it had. With groups the experts are
multiplied out instead, tap by tap, which costs as many times their numbers: small for depthwise layers.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import constant, module_path, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.named.condconv import ConvSettings, conv_settings
from condmix.exporters.recognise.factored_kernel import IN, OUT, TAPS, FactoredKernel
from condmix.exporters.recognise.finding import Declined, Recognised
from condmix.exporters.recognise.mixture import LARGEST_ROUTING, Mixture
from condmix.exporters.recognise.name_mixture import POINTWISE, name_mixture

LARGEST_MULTIPLIED_BANK = 1 << 20
"""Numbers of experts that were multiplied out tap by tap."""


def as_condconv(node: ir.Node, found: FactoredKernel) -> Recognised | Declined:
    """A convolution with such a kernel in its named form; declined where groups stand in the way."""
    path = module_path(node)
    x, result = node.inputs[0], node.outputs[0]
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    assert x is not None
    settings = conv_settings(node, found.experts_eoihw.shape[3:])
    reason = _obstacle(found, settings, bias)
    if reason:
        return Declined(
            path=path, node=node, reason=f"{reason}: an attention of that axis is not moved out of the kernel"
        )
    builder, shape = NodeBuilder(path), static_shape(result)
    stored_bias = None if bias is None else constant(bias)
    if IN in found.factors:
        x = _scaled(builder, x, found.factors[IN], "input_attention")
    y = _mixed(builder, x, found, settings, shape, stored_bias if OUT not in found.factors else None)
    if OUT in found.factors:
        y = _scaled(builder, y, found.factors[OUT], "output_attention")
        if stored_bias is not None and stored_bias.any():
            column = builder.constant(stored_bias.astype(np.float32).reshape(1, -1, 1, 1), "bias")
            y = builder.one("Add", [y, column], shape, role="with_bias")
    factors = ", ".join(f"'{value.name}' scales its {axis}" for axis, value in found.factors.items())
    return Recognised(
        path=path,
        node=node,
        replacement=Replacement(removed=(node,), results=((result, y),), builder=builder),
        routing_names=(found.routing.name or "",),
        proof=f"its kernel mixes experts by '{found.routing.name}', and {factors}: off by at most "
        f"{found.deviation:.0e} of its largest element on random vectors",
    )


def _obstacle(found: FactoredKernel, settings: ConvSettings, bias: ir.Value | None) -> str:
    if bias is not None and constant(bias) is None:
        return "its bias is computed too"
    if IN in found.factors and settings.group > 1:
        return f"its input channels are in {settings.group} groups"
    if TAPS in found.factors and settings.group > 1:
        taps = settings.kernel[0] * settings.kernel[1]
        experts = found.experts_eoihw.shape[0]
        if experts * taps > LARGEST_ROUTING or found.experts_eoihw.size * taps > LARGEST_MULTIPLIED_BANK:
            return f"its {taps} taps times {experts} experts are too many kernels for {settings.group} groups"
    return ""


def _scaled(builder: NodeBuilder, image: ir.Value, vector: ir.Value, role: str) -> ir.Value:
    """An image times one number a channel."""
    shape = static_shape(image)
    column = (1, shape[1], 1, 1)
    if static_shape(vector) != column:
        vector = builder.reshape(vector, column, column, f"{role}_as_image")
    return builder.one("Mul", [image, vector], shape, role=role)


def _mixed(
    builder: NodeBuilder,
    x: ir.Value,
    found: FactoredKernel,
    settings: ConvSettings,
    shape: tuple[int, ...],
    stored_bias: np.ndarray | None,
) -> ir.Value:
    """The convolution with the mixture, attention of the taps included."""
    routing, experts = found.routing, found.experts_eoihw
    taps = found.factors.get(TAPS)
    if taps is not None and settings.group == 1:
        x = _tap_by_tap(builder, x, taps, settings, shape)
        count, out = experts.shape[:2]
        experts = experts.transpose(0, 1, 3, 4, 2).reshape(count, out, -1, 1, 1)
        settings = POINTWISE
    elif taps is not None:
        routing, experts = _multiplied_out(builder, routing, taps, experts)
    mixture = Mixture(routing=routing, experts=(experts,), constants=(np.zeros(experts.shape[1:]),))
    return name_mixture(builder, x, mixture, settings, shape, stored_bias=stored_bias)


def _tap_by_tap(
    builder: NodeBuilder, x: ir.Value, taps: ir.Value, settings: ConvSettings, shape: tuple[int, ...]
) -> ir.Value:
    """(1, taps x channels, height, width): for every output pixel what each tap sees, times its attention."""
    _, channels, height, width = static_shape(x)
    rows, columns = settings.kernel
    if any(settings.pads):
        top, left, bottom, right = settings.pads
        height, width = height + top + bottom, width + left + right
        amounts = builder.ints((0, 0, top, left, 0, 0, bottom, right), "around")
        x = builder.one("Pad", [x, amounts], (1, channels, height, width), role="padded")
    flat = builder.reshape(taps, (1, rows * columns, 1, 1), (1, rows * columns, 1, 1), "tap_attention")
    axes, steps = builder.ints((2, 3), "image_axes"), builder.ints(settings.strides, "strides")
    seen = []
    for tap in range(rows * columns):
        first = (tap // columns * settings.dilations[0], tap % columns * settings.dilations[1])
        last = [
            start + (length - 1) * stride + 1
            for start, length, stride in zip(first, shape[2:], settings.strides, strict=True)
        ]
        bounds = builder.ints(first, f"tap_{tap}_first"), builder.ints(last, f"tap_{tap}_last")
        piece = builder.one("Slice", [x, *bounds, axes, steps], (1, channels, *shape[2:]), role=f"tap_{tap}")
        chosen = builder.ints((tap,), f"number_{tap}"), builder.ints((tap + 1,), f"number_{tap}_end")
        weight = builder.one(
            "Slice", [flat, *chosen, builder.ints((1,), "taps")], (1, 1, 1, 1), role=f"attention_{tap}"
        )
        seen.append(builder.one("Mul", [piece, weight], (1, channels, *shape[2:]), role=f"scaled_tap_{tap}"))
    return builder.one(
        "Concat", seen, (1, rows * columns * channels, *shape[2:]), role="tap_by_tap", attributes={"axis": 1}
    )


def _multiplied_out(
    builder: NodeBuilder, routing: ir.Value, taps: ir.Value, experts: np.ndarray
) -> tuple[ir.Value, np.ndarray]:
    """A routing of every expert times every tap, and the experts cut into their taps."""
    count, _, _, rows, columns = experts.shape
    number = rows * columns
    column = builder.reshape(routing, (1, count, 1), (1, count, 1), "routing_column")
    row = builder.reshape(taps, (1, 1, number), (1, 1, number), "tap_row")
    both = builder.one("Mul", [column, row], (1, count, number), role="routing_times_taps")
    joined = builder.reshape(both, (1, count * number), (1, count * number), "routing_of_taps")
    single = np.eye(number).reshape(1, number, 1, 1, rows, columns)
    return joined, (experts[:, None] * single).reshape(count * number, *experts.shape[1:])
