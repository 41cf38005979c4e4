"""Maximum and average pooling with a window."""

from __future__ import annotations

import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_int, attribute_ints, attribute_string
from condmix.exporters.named.condconv import ConvSettings
from condmix.exporters.tflite.convolution import out_size, padded
from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.lowering import Lowering, Unsupported, operand
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import Activation, Operator, OptionsUnion, Padding


def pool(operator: Operator) -> Lowering:
    def build(emitter: Emitter, node: ir.Node, activation: Activation) -> Tensor:
        kernel = attribute_ints(node, "kernel_shape", ())
        pads = attribute_ints(node, "pads", (0, 0, 0, 0))
        strides = attribute_ints(node, "strides", (1, 1))
        plain = len(kernel) == 2 and not attribute_int(node, "ceil_mode", 0)
        plain = plain and attribute_ints(node, "dilations", (1, 1)) == (1, 1) and len(node.outputs) == 1
        if not plain or attribute_string(node, "auto_pad", "NOTSET") != "NOTSET":
            message = "it has ceil_mode, dilations, auto_pad or another number of axes"
            raise Unsupported(message)
        x = operand(emitter, node, 0, 4)
        settings = ConvSettings(
            kernel=(kernel[0], kernel[1]),
            strides=(strides[0], strides[1]),
            pads=(pads[0], pads[1], pads[2], pads[3]),
            dilations=(1, 1),
            group=1,
        )
        return _pool(emitter, x, settings, operator, node, activation)

    return build


def _pool(
    emitter: Emitter, x: Tensor, settings: ConvSettings, operator: Operator, node: ir.Node, activation: Activation
) -> Tensor:
    padding = Padding.VALID
    source = x
    if any(settings.pads):
        probe, word = padded(Emitter(), x, settings)
        same = probe is x
        counts_padding = operator is Operator.AVERAGE_POOL_2D and bool(attribute_int(node, "count_include_pad", 0))
        if same and not counts_padding:
            padding = word
        elif operator is Operator.MAX_POOL_2D or not counts_padding:
            message = f"padding {settings.pads} is not TensorFlow's SAME"
            raise Unsupported(message)
        else:
            top, left, bottom, right = settings.pads
            source = emitter.pad(x, [(0, 0), (top, bottom), (left, right), (0, 0)])
    shape = (x.shape[0], *out_size(source, settings, padding), x.shape[3])
    return emitter.emit(
        operator,
        [source],
        shape,
        options_type=OptionsUnion.POOL_2D,
        options={
            0: ("int8", int(padding)),
            1: ("int32", settings.strides[1]),
            2: ("int32", settings.strides[0]),
            3: ("int32", settings.kernel[1]),
            4: ("int32", settings.kernel[0]),
        },
        activation=activation,
    )
