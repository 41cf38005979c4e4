"""Networks in PaddlePaddle, exported by paddle2onnx: `python make_paddle2onnx.py FOLDER NAME`, one file a process.

Made with paddle2onnx 2.1.0 and PaddlePaddle 3.3.1 in an environment of their own:
pip install paddlepaddle==3.3.1 paddle2onnx==2.1.0 packaging setuptools
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import paddle
from paddle import nn
from paddle.nn import functional

EXPERTS, SIDE = 3, 20
FILES = {
    # name: how its kernels are mixed, images (-1: any), operator set
    "paddle2onnx_matmul_batch_1": ("matmul", 1, 11),
    "paddle2onnx_matmul_batch_3": ("matmul", 3, 15),
    "paddle2onnx_einsum_batch_3": ("einsum", 3, 15),
    "paddle2onnx_expert_sum_any": ("sum", -1, 13),
    "paddle2onnx_mixconv_batch_3": ("mixconv", 3, 11),
    "paddle2onnx_mixconv_any": ("mixconv", -1, 17),
}


class CondConv(nn.Layer):
    """A convolution whose kernel is mixed for each image, the images as its groups."""

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel: int,
        stride: int,
        how: str,
        *,
        softmax: bool = False,
        depth: bool = False,
    ) -> None:
        super().__init__()
        self.filters, self.kernel, self.stride, self.how, self.softmax = filters, kernel, stride, how, softmax
        self.groups = filters if depth else 1
        self.router = nn.Linear(channels, EXPERTS)
        shape = [EXPERTS, filters, 1 if depth else channels, kernel, kernel]
        self.experts = self.create_parameter(shape, default_initializer=nn.initializer.Normal(0, 0.3))

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Each image of (batch, channels, height, width) with its own kernel."""
        logits = self.router(paddle.mean(x, axis=[2, 3]))
        routing = functional.softmax(logits / 4.0, axis=-1) if self.softmax else functional.sigmoid(logits)
        if self.how == "sum":
            total = 0
            for expert in range(EXPERTS):
                own = self.convolved(x, self.experts[expert], self.groups)
                total = total + own * routing[:, expert].reshape([-1, 1, 1, 1])
            return total
        if self.how == "einsum":
            kernels = paddle.einsum("be,eoihw->boihw", routing, self.experts)
        else:
            kernels = paddle.matmul(routing, self.experts.reshape([EXPERTS, -1]))
        images, _, height, width = x.shape
        kernels = kernels.reshape([-1, self.experts.shape[2], self.kernel, self.kernel])
        y = self.convolved(x.reshape([1, -1, height, width]), kernels, images * self.groups)
        return y.reshape([-1, self.filters, y.shape[2], y.shape[3]])

    def convolved(self, x: paddle.Tensor, kernel: paddle.Tensor, groups: int) -> paddle.Tensor:
        return functional.conv2d(x, kernel, stride=self.stride, padding=self.kernel // 2, groups=groups)


class MixConv(nn.Layer):
    """Depthwise convolutions of several sizes on parts of the channels."""

    def __init__(self, parts: list[int], kernels: tuple[int, ...], stride: int) -> None:
        super().__init__()
        self.parts = parts
        self.convs = nn.LayerList(
            [
                nn.Conv2D(count, count, kernel, stride, kernel // 2, groups=count, bias_attr=False)
                for count, kernel in zip(parts, kernels, strict=True)
            ]
        )

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        cut = paddle.split(x, self.parts, axis=1)
        # Paddle translates this source, and knows no zip with strict.
        return paddle.concat([self.convs[index](part) for index, part in enumerate(cut)], axis=1)


class Gate(nn.Layer):
    """Squeeze-excite with a hard sigmoid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2D(channels, 4, 1), nn.Conv2D(4, channels, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        squeezed = functional.relu(self.reduce(functional.adaptive_avg_pool2d(x, 1)))
        return x * functional.hardsigmoid(self.expand(squeezed))


def condconv(how: str) -> nn.Layer:
    return nn.Sequential(
        nn.Conv2D(3, 8, 3, 2, 1, bias_attr=False), nn.BatchNorm2D(8), nn.Hardswish(),
        CondConv(8, 10, 3, 2, how), nn.BatchNorm2D(10), nn.ReLU(),
        CondConv(10, 10, 3, 1, how, depth=True), nn.BatchNorm2D(10), nn.ReLU6(),
        CondConv(10, 12, 1, 1, how, softmax=True),
        nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(12, 5),
    )  # fmt: skip


def mixconv() -> nn.Layer:
    return nn.Sequential(
        nn.Conv2D(3, 12, 3, 2, 1, bias_attr=False), nn.BatchNorm2D(12), nn.ReLU(),
        MixConv([4, 4, 4], (3, 5, 7), 1), nn.BatchNorm2D(12), nn.Swish(), Gate(12),
        nn.Conv2D(12, 16, 1, bias_attr=False), nn.BatchNorm2D(16),
        MixConv([10, 6], (3, 5), 2), nn.BatchNorm2D(16), nn.Hardswish(),
        nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(16, 5), nn.Softmax(),
    )  # fmt: skip


def settle(network: nn.Layer) -> None:
    """BatchNorms as after training: numbers of their own."""
    generator = np.random.default_rng(3)
    for layer in network.sublayers():
        if isinstance(layer, nn.BatchNorm2D):
            count = layer.weight.shape[0]
            layer.weight.set_value(generator.uniform(0.5, 1.5, count).astype("float32"))
            layer.bias.set_value(generator.normal(0, 0.3, count).astype("float32"))
            layer._mean.set_value(generator.normal(0, 0.2, count).astype("float32"))
            layer._variance.set_value(generator.uniform(0.5, 1.5, count).astype("float32"))


def main() -> None:
    """The file that is named on the command line, into the folder named first."""
    folder, name = Path(sys.argv[1]), sys.argv[2]
    how, images, opset = FILES[name]
    paddle.seed(7)
    network = mixconv() if how == "mixconv" else condconv(how)
    settle(network)
    network.eval()
    shape = paddle.static.InputSpec([images, 3, SIDE, SIDE], "float32", "image")
    paddle.onnx.export(network, str(folder / name), input_spec=[shape], opset_version=opset)


if __name__ == "__main__":
    main()
