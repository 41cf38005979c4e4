"""The function of an ONNX graph in float64, by ONNX's reference evaluator.

ONNX Runtime has no convolution in float64. The evaluator has one for every type; those of its operators that take long
or round to float32 on the way are replaced here by the same sums in NumPy (ONNX operator specs).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from condmix.exporters.errors import VerificationError
from condmix.exporters.onnx_input.element_types import with_floats
from condmix.exporters.onnx_input.windows import explicit_pads


class DoubleEvaluator:
    """A model whose floats are all float64. Raises VerificationError where the evaluator does not know an operator."""

    def __init__(self, proto: onnx.ModelProto) -> None:
        try:
            self._evaluator = ReferenceEvaluator(with_floats(proto, TensorProto.DOUBLE), new_ops=list(_OPERATORS))
        except Exception as error:  # the evaluator raises what it likes
            raise VerificationError(_failed(error)) from error
        self._outputs = [output.name for output in proto.graph.output]

    def run(self, feeds: Mapping[str, np.ndarray], names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """The values `names`, all outputs if left out; inner ones are left out where the graph has none of the name."""
        double = {name: np.asarray(value, dtype=np.float64) for name, value in feeds.items()}
        try:
            with np.errstate(all="ignore"):
                if names is None:
                    values = dict(zip(self._outputs, self._evaluator.run(None, double), strict=True))
                else:
                    everything: Any = self._evaluator.run(None, double, intermediate=True)
                    values = {name: everything[name] for name in names if name in everything}
        except Exception as error:  # as above
            raise VerificationError(_failed(error)) from error
        narrow = [name for name, value in values.items() if np.asarray(value).dtype in (np.float32, np.float16)]
        if narrow:
            message = f"the float64 evaluation of '{narrow[0]}' came out in {np.asarray(values[narrow[0]]).dtype}"
            raise VerificationError(message)
        return {name: np.asarray(value) for name, value in values.items()}


def _failed(error: Exception) -> str:
    first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return f"the file cannot be evaluated in float64: {type(error).__name__}: {first.strip()[:200]}"


class Conv(OpRun):
    """One product of matrices for each place of the kernel."""

    op_domain = ""

    def _run(
        self,
        x: np.ndarray,
        weight: np.ndarray,
        bias: np.ndarray | None = None,
        auto_pad: str | None = None,
        dilations: Sequence[int] | None = None,
        group: int | None = None,
        kernel_shape: Sequence[int] | None = None,
        pads: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
    ) -> tuple[np.ndarray]:
        kernel, groups = tuple(kernel_shape or weight.shape[2:]), group or 1
        step = tuple(strides or (1,) * len(kernel))
        dilation = tuple(dilations or (1,) * len(kernel))
        edges = explicit_pads(auto_pad or "", pads or (), x.shape[2:], kernel, step, dilation)
        padded, sizes = _padded(x, kernel, step, edges, dilation, fill=0.0)
        images, length, outs = x.shape[0], math.prod(sizes), weight.shape[0]
        total = np.zeros((images, groups, outs // groups, length), dtype=x.dtype)
        by_group = weight.reshape(groups, outs // groups, weight.shape[1], *kernel)
        for place, seen in _places(padded, kernel, step, dilation, sizes):
            columns = seen.reshape(images, groups, weight.shape[1], length)
            index: Any = (..., *place)
            taps = by_group[index]
            total += taps[None, :, :, 0, None] * columns if weight.shape[1] == 1 else np.matmul(taps[None], columns)
        result = total.reshape(images, outs, *sizes)
        return (result if bias is None else result + bias.reshape(1, -1, *(1,) * len(kernel)),)


class ConvTranspose(OpRun):
    """One product of matrices for each place of the kernel, added where the place writes; groups and pads as stated."""

    op_domain = ""

    def _run(
        self,
        x: np.ndarray,
        weight: np.ndarray,
        bias: np.ndarray | None = None,
        auto_pad: str | None = None,
        dilations: Sequence[int] | None = None,
        group: int | None = None,
        kernel_shape: Sequence[int] | None = None,
        output_padding: Sequence[int] | None = None,
        output_shape: Sequence[int] | None = None,
        pads: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
    ) -> tuple[np.ndarray]:
        if auto_pad not in (None, "", "NOTSET", "VALID") or output_shape:
            message = "ConvTranspose with auto_pad or output_shape: only stated pads are evaluated in float64"
            raise NotImplementedError(message)
        kernel, groups = tuple(kernel_shape or weight.shape[2:]), group or 1
        rank = len(kernel)
        step, dilation = tuple(strides or (1,) * rank), tuple(dilations or (1,) * rank)
        edges, grown = tuple(pads or (0,) * 2 * rank), tuple(output_padding or (0,) * rank)
        whole = [
            (length - 1) * stride + (taps - 1) * apart + 1 + more
            for length, stride, taps, apart, more in zip(x.shape[2:], step, kernel, dilation, grown, strict=True)
        ]
        images, per_group = x.shape[0], weight.shape[1]
        total = np.zeros((images, groups, per_group, *whole), dtype=x.dtype)
        columns = x.reshape(images, groups, x.shape[1] // groups, -1)
        by_group = weight.reshape(groups, weight.shape[0] // groups, per_group, *kernel)
        for place in np.ndindex(*kernel):
            index: Any = (..., *place)
            written = np.matmul(by_group[index].transpose(0, 2, 1)[None], columns)
            window: Any = [
                slice(tap * apart, tap * apart + (length - 1) * stride + 1, stride)
                for tap, apart, length, stride in zip(place, dilation, x.shape[2:], step, strict=True)
            ]
            index = (..., *window)
            total[index] += written.reshape(images, groups, per_group, *x.shape[2:])
        result = total.reshape(images, groups * per_group, *whole)
        kept: Any = [
            slice(before, length - after) for before, after, length in zip(edges, edges[rank:], whole, strict=False)
        ]
        index = (..., *kept)
        result = result[index]
        return (result if bias is None else result + bias.reshape(1, -1, *(1,) * rank),)


class MaxPool(OpRun):
    """The largest of the windows, place by place."""

    op_domain = ""

    def _run(
        self,
        x: np.ndarray,
        auto_pad: str | None = None,
        ceil_mode: int | None = None,
        dilations: Sequence[int] | None = None,
        kernel_shape: Sequence[int] | None = None,
        pads: Sequence[int] | None = None,
        storage_order: int | None = None,  # noqa: ARG002 - of the indices, which are not returned
        strides: Sequence[int] | None = None,
    ) -> tuple[np.ndarray]:
        kernel = tuple(kernel_shape or ())
        step, dilation = tuple(strides or (1,) * len(kernel)), tuple(dilations or (1,) * len(kernel))
        edges = explicit_pads(auto_pad or "", pads or (), x.shape[2:], kernel, step, dilation)
        padded, sizes = _padded(x, kernel, step, edges, dilation, fill=-np.inf, ceil=bool(ceil_mode))
        largest = np.full((*x.shape[:2], *sizes), -np.inf, dtype=x.dtype)
        for _, seen in _places(padded, kernel, step, dilation, sizes):
            np.maximum(largest, seen, out=largest)
        return (largest,)


class AveragePool(OpRun):
    """The sum of the windows over how many numbers each holds."""

    op_domain = ""

    def _run(
        self,
        x: np.ndarray,
        auto_pad: str | None = None,
        ceil_mode: int | None = None,
        count_include_pad: int | None = None,
        dilations: Sequence[int] | None = None,
        kernel_shape: Sequence[int] | None = None,
        pads: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
    ) -> tuple[np.ndarray]:
        kernel = tuple(kernel_shape or ())
        step, dilation = tuple(strides or (1,) * len(kernel)), tuple(dilations or (1,) * len(kernel))
        edges = explicit_pads(auto_pad or "", pads or (), x.shape[2:], kernel, step, dilation)
        ones = np.ones((1, 1, *x.shape[2:]), dtype=x.dtype)
        if count_include_pad:
            spread = [(0, 0), (0, 0), *zip(edges[: len(kernel)], edges[len(kernel) :], strict=True)]
            x, ones = np.pad(x, spread), np.pad(ones, spread, constant_values=1.0)
            edges = (0,) * (2 * len(kernel))
        sums = []
        for values in (x, ones):
            padded, sizes = _padded(values, kernel, step, edges, dilation, fill=0.0, ceil=bool(ceil_mode))
            sums.append(sum(seen for _, seen in _places(padded, kernel, step, dilation, sizes)))
        return (np.asarray(sums[0] / sums[1]),)


class Erf(OpRun):
    """The error function, of every number at its own precision."""

    op_domain = ""

    def _run(self, x: np.ndarray) -> tuple[np.ndarray]:
        return (np.vectorize(math.erf, otypes=[np.float64])(x).astype(x.dtype),)


_OPERATORS = (Conv, ConvTranspose, MaxPool, AveragePool, Erf)


def _padded(
    x: np.ndarray,
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    *,
    fill: float,
    ceil: bool = False,
) -> tuple[np.ndarray, tuple[int, ...]]:
    """The input with its edges, and the size of the result; rounding up adds more at the end."""
    axes = len(kernel)
    sizes, spread = [], [(0, 0), (0, 0)]
    for axis in range(axes):
        before, after, step = pads[axis], pads[axes + axis], strides[axis]
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        room = x.shape[2 + axis] + before + after - reach
        size = (-(-room // step) if ceil else room // step) + 1
        if ceil and (size - 1) * step >= x.shape[2 + axis] + before:
            size -= 1  # a window that would begin in the padding at the end is not there
        sizes.append(size)
        spread.append((before, after + max((size - 1) * step + reach - x.shape[2 + axis] - before - after, 0)))
    return np.pad(x, spread, constant_values=fill), tuple(sizes)


def _places(
    padded: np.ndarray,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    sizes: Sequence[int],
) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """Every place of the kernel with what it sees, (images, channels, *sizes)."""
    for place in np.ndindex(*kernel):
        cut = [
            slice(at * dilation, at * dilation + (size - 1) * stride + 1, stride)
            for at, dilation, size, stride in zip(place, dilations, sizes, strides, strict=True)
        ]
        yield place, np.ascontiguousarray(padded[(slice(None), slice(None), *cut)])
