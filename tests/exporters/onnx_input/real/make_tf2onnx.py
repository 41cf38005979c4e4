"""Networks in Keras, written as one writes them there, exported by tf2onnx: `python make_tf2onnx.py FOLDER`.

Made with tf2onnx 1.17.0, TensorFlow 2.21.0 and Keras 3.15.1 in an environment of their own:
pip install tensorflow-cpu==2.21.0 tf2onnx==1.17.0
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tf2onnx

EXPERTS, SIDE = 3, 20
FILES = (
    # name, how its kernels are applied, images (None: any), operator set
    ("tf2onnx_map_fn_any", "map_fn", None, 15),
    ("tf2onnx_map_fn_batch_3", "map_fn", 3, 12),
    ("tf2onnx_while_batch_2", "while_loop", 2, 17),
    ("tf2onnx_vectorized_map_batch_1", "vectorized_map", 1, 15),
    ("tf2onnx_groups_batch_3", "groups", 3, 17),
    ("tf2onnx_expert_sum_any", "sum", None, 18),
    ("tf2onnx_single_batch_1", "single", 1, 13),
    ("tf2onnx_mixconv_any", "mixconv", None, 13),
    ("tf2onnx_mixconv_batch_3", "mixconv", 3, 18),
)


class CondConv(keras.layers.Layer):
    """A convolution whose kernel is mixed for each image, SAME padding."""

    def __init__(self, filters: int, kernel: int, strides: int, how: str, routing: str = "sigmoid") -> None:
        super().__init__()
        self.filters, self.kernel, self.strides, self.how = filters, kernel, strides, how
        self.depthwise = filters == 0
        self.router = keras.layers.Dense(
            EXPERTS, activation=routing, kernel_initializer=keras.initializers.RandomNormal(stddev=1.0)
        )

    def build(self, shape: tuple[int | None, ...]) -> None:
        """The experts: (experts, height, width, in, out)."""
        channels = shape[-1]
        self.router.build((shape[0], channels))
        self.one_kernel = (self.kernel, self.kernel, channels, 1 if self.depthwise else self.filters)
        self.experts = self.add_weight(
            shape=(EXPERTS, *self.one_kernel), initializer=keras.initializers.VarianceScaling(2.0), name="experts"
        )

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Each image of (batch, height, width, channels) with its own kernel."""
        routing = self.router(tf.reduce_mean(x, [1, 2]))
        if self.how == "sum":
            outputs = [
                self.convolved(x, self.experts[expert]) * routing[:, expert][:, None, None, None]
                for expert in range(EXPERTS)
            ]
            return tf.add_n(outputs)
        kernels = tf.tensordot(routing, self.experts, 1)
        if self.how == "single":
            return self.convolved(x, kernels[0])
        if self.how == "groups":
            return self.in_groups(x, kernels)
        if self.how == "vectorized_map":
            return tf.vectorized_map(lambda pair: self.convolved(pair[0][None], pair[1])[0], (x, kernels))
        if self.how == "while_loop":
            outputs = tf.TensorArray(tf.float32, size=x.shape[0])
            _, outputs = tf.while_loop(
                lambda index, _: index < x.shape[0],
                lambda index, rows: (index + 1, rows.write(index, self.convolved(x[index][None], kernels[index])[0])),
                (0, outputs),
            )
            return outputs.stack()
        return tf.map_fn(
            lambda pair: self.convolved(pair[0][None], pair[1])[0], (x, kernels), fn_output_signature=tf.float32
        )

    def convolved(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """All images with one kernel."""
        if self.depthwise:
            return tf.nn.depthwise_conv2d(x, kernel, [1, self.strides, self.strides, 1], "SAME")
        return tf.nn.conv2d(x, kernel, self.strides, "SAME")

    def in_groups(self, x: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
        """The images as groups of one convolution."""
        images, height, width, channels = x.shape
        merged = tf.reshape(tf.transpose(x, [1, 2, 0, 3]), [1, height, width, images * channels])
        shape = [*self.one_kernel[:3], images * self.filters]
        y = tf.nn.conv2d(merged, tf.reshape(tf.transpose(kernels, [1, 2, 3, 0, 4]), shape), self.strides, "SAME")
        return tf.transpose(tf.reshape(y, [*y.shape[1:3], images, self.filters]), [2, 0, 1, 3])


def normalised(x: tf.Tensor, activation: str) -> tf.Tensor:
    return keras.layers.Activation(activation)(keras.layers.BatchNormalization()(x))


def condconv(images: int | None, how: str) -> keras.Model:
    """Dense, depthwise where the style has it, and pointwise."""
    image = keras.Input((SIDE, SIDE, 3), batch_size=images)
    x = normalised(keras.layers.Conv2D(8, 3, 2, "same", use_bias=False)(image), "swish")
    x = normalised(CondConv(10, 3, 2, how)(x), "relu")
    if how not in ("sum", "groups", "vectorized_map"):
        x = normalised(CondConv(0, 3, 1, how)(x), "relu6")
    x = CondConv(12, 1, 1, how, "softmax")(x)
    return keras.Model(image, keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(x)))


def mixconv(images: int | None) -> keras.Model:
    """Two mixed depthwise layers, one even and one not, squeeze-excite between."""
    image = keras.Input((SIDE, SIDE, 3), batch_size=images)
    x = normalised(keras.layers.Conv2D(12, 3, 2, "same", use_bias=False)(image), "relu")
    x = normalised(mixed(x, [4, 4, 4], (3, 5, 7), 1), "swish")
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = keras.layers.Conv2D(4, 1, activation="relu")(gate)
    x = keras.layers.Multiply()([x, keras.layers.Conv2D(12, 1, activation="sigmoid")(gate)])
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(16, 1, use_bias=False)(x))
    x = normalised(mixed(x, [10, 6], (3, 5), 2), "relu6")
    return keras.Model(image, keras.layers.Dense(5, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x)))


def mixed(x: tf.Tensor, parts: list[int], kernels: tuple[int, ...], strides: int) -> tf.Tensor:
    cut = keras.layers.Lambda(lambda whole: tf.split(whole, parts, -1))(x)
    branches = [
        keras.layers.DepthwiseConv2D(kernel, strides, "same", use_bias=False)(part)
        for kernel, part in zip(kernels, cut, strict=True)
    ]
    return keras.layers.Concatenate()(branches)


def settle(model: keras.Model) -> None:
    """BatchNorms as after training: numbers of their own."""
    generator = np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.gamma.shape[0]
            drawn = [generator.uniform(0.5, 1.5, count), generator.normal(0, 0.3, count)]
            layer.set_weights([*drawn, generator.normal(0, 0.2, count), generator.uniform(0.5, 1.5, count)])


def main() -> None:
    """All files into the folder that is named on the command line."""
    folder = Path(sys.argv[1])
    for name, how, images, opset in FILES:
        keras.backend.clear_session()
        keras.utils.set_random_seed(7)
        model = mixconv(images) if how == "mixconv" else condconv(images, how)
        settle(model)
        signature = [tf.TensorSpec((images, SIDE, SIDE, 3), tf.float32, name="image")]
        function = tf.function(lambda image, m=model: {"scores": m(image, training=False)}, input_signature=signature)
        tf2onnx.convert.from_function(
            function, input_signature=signature, opset=opset, output_path=str(folder / f"{name}.onnx")
        )


if __name__ == "__main__":
    main()
