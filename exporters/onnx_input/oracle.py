"""The given ONNX file as the yardstick: run as it is by ONNX Runtime in float32, and its graph in float64.

A file for N images is always run on N different ones at once, so that what was made of it for one image is compared
with what the file itself says of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from condmix.exporters.captured import Tap
from condmix.exporters.errors import VerificationError
from condmix.exporters.onnx_input.double import DoubleEvaluator
from condmix.exporters.verify.oracle import Reference, worst_draw
from condmix.exporters.verify.shown_values import value_names, with_outputs
from condmix.runtime.joint_inputs import as_batch, feeds, mapped
from condmix.runtime.onnx_session import OnnxRuntimeBackend, OnnxRuntimeSession

HALF_UNIT = 2.0**-24
"""The largest relative error of rounding to float32."""
SEEDS = (1, 2)


@dataclass(frozen=True, kw_only=True, eq=False)
class OnnxOracle:
    """A file's content as an oracle. Conforms to `condmix.exporters.verify.oracle.Oracle`.

    original: the content as it was given, but for floats of other sizes, which are float32 (of `stored`, as they were
    stored). upgraded: the same function in the operator set of captures, which the float64 evaluation reads.
    input_names: the image's, then those of all other inputs. images: how many it takes at a time.
    channels_last: whether it takes them as (height, width, channels).
    """

    original: onnx.ModelProto
    upgraded: onnx.ModelProto
    input_names: tuple[str, ...]
    images: int
    channels_last: bool

    @property
    def name(self) -> str:
        """As reports call it."""
        return "the original file"

    def reference(self, images_nchw: np.ndarray, output_names: Sequence[str]) -> Reference:
        """The outputs for every image: in float64, and in float32 by ONNX Runtime, the worst of its draws."""
        double = self.float64(images_nchw, output_names)
        draws = [self._all(session, images_nchw, output_names) for session in self._sessions]
        single = {name: worst_draw(double[name], [draw[name] for draw in draws]) for name in output_names}
        return Reference(float64=double, float32=single)

    def float64(self, images_nchw: np.ndarray, output_names: Sequence[str]) -> dict[str, np.ndarray]:
        """The same in float64 alone."""
        return self._all(self._double, mapped(images_nchw, lambda part: part.astype(np.float64)), output_names)

    def inner(self, taps: Sequence[Tap], image_chw: np.ndarray) -> Reference:
        """Inner values for one image, where the file has them under the same names."""
        shown = value_names(self.original) & value_names(self.upgraded)
        names = [tap.value_name for tap in taps if tap.value_name in shown]
        fed = self._fed(np.repeat(as_batch(image_chw), self.images, axis=0))
        double = {name: self._first(value) for name, value in self._double.run(fed, names).items()}
        single: dict[str, np.ndarray] = {}
        for draw in self._draws():
            session = OnnxRuntimeBackend().open(with_outputs(draw, list(double)).SerializeToString(), threads=1)
            for name, value in session.run(fed).items():
                if name in double:
                    row = self._first(value)
                    single[name] = worst_draw(double[name], [single.get(name, row), row])
        return Reference(float64=double, float32=single)

    @cached_property
    def _double(self) -> DoubleEvaluator:
        return DoubleEvaluator(self.upgraded)

    @cached_property
    def _sessions(self) -> tuple[OnnxRuntimeSession, ...]:
        return tuple(OnnxRuntimeBackend().open(draw.SerializeToString(), threads=1) for draw in self._draws())

    def _draws(self) -> Sequence[onnx.ModelProto]:
        """The file as it is, then with every weight rounded once more, at random (verify/rounding.py says why)."""
        return (self.original, *(_rounded_again(self.original, seed) for seed in SEEDS))

    def _fed(self, images_nchw: np.ndarray) -> dict[str, np.ndarray]:
        given = feeds(images_nchw, self.input_names)
        if self.channels_last:
            image = self.input_names[0]
            given[image] = np.ascontiguousarray(given[image].transpose(0, 2, 3, 1))
        return given

    def _first(self, value: np.ndarray) -> np.ndarray:
        """Of a value with all images, the first one's."""
        return value[:1] if self.images > 1 and value.ndim and len(value) == self.images else value

    def _all(
        self, session: OnnxRuntimeSession | DoubleEvaluator, images_nchw: np.ndarray, names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """All images, as many at a time as the file takes; the last call is filled up from the start."""
        rows: dict[str, list[np.ndarray]] = {name: [] for name in names}
        count = len(images_nchw)
        for start in range(0, count, self.images):
            places = [(start + step) % count for step in range(self.images)]
            outputs: Mapping[str, np.ndarray] = session.run(self._fed(images_nchw[places]))
            for name in names:
                rows[name].extend(_each(name, outputs[name], self.images))
        return {name: np.stack(values[:count]) for name, values in rows.items()}


def _each(name: str, value: np.ndarray, images: int) -> list[np.ndarray]:
    """The rows of single images; one image may come without an axis of its own."""
    if value.ndim and len(value) == images:
        return list(value)
    if images == 1:
        return [value]
    message = f"output '{name}' of the file has shape {list(value.shape)}: expected {images} images on its first axis"
    raise VerificationError(message)


def _rounded_again(proto: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """A copy whose float32 weights moved by half a unit at most."""
    generator = np.random.default_rng(seed)
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    stored = {tensor.name: tensor for tensor in copy.graph.initializer}
    for node in copy.graph.node:
        if node.op_type == "Constant":
            stored.update((node.output[0], item.t) for item in node.attribute if item.name == "value")
    factors = {name for node in copy.graph.node if node.op_type in ("Resize", "Upsample") for name in node.input[1:]}
    for name, tensor in stored.items():
        # A factor of 2 that is a little less than 2 makes a map that is one position smaller.
        if tensor.data_type == TensorProto.FLOAT and name not in factors:
            weight = numpy_helper.to_array(tensor).astype(np.float64)
            # Small integers and halves are settings (bounds, powers, slopes), no rounded weights.
            if weight.size > 1:
                weight = weight * (1 + HALF_UNIT * generator.uniform(-1, 1, weight.shape))
                tensor.CopyFrom(numpy_helper.from_array(weight.astype(np.float32), tensor.name))
    return copy
