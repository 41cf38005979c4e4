"""A given program as the yardstick: run by torch as it is, in float32 and in float64.

A program that was made for N images is always run on N different ones at once. Where a program holds float32 weights
as constants, float64 comes from its graph, evaluated as that of a given ONNX file is; torch's own run then has to
agree with it within float32.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn

from condmix.exporters.captured import Tap
from condmix.exporters.errors import VerificationError
from condmix.exporters.onnx_input.oracle import OnnxOracle
from condmix.exporters.quiet_torch import quiet_torch
from condmix.exporters.verify.oracle import Reference, worst_draw
from condmix.exporters.verify.reference import flatten_outputs
from condmix.exporters.verify.rounding import float32_draws


@dataclass(frozen=True, kw_only=True, eq=False)
class ProgramOracle:
    """A program as an oracle. Conforms to `condmix.exporters.verify.oracle.Oracle`.

    graph: the same as ONNX. images: how many it takes at a time. output_names: of all results, in order.
    """

    program: nn.Module
    graph: OnnxOracle
    images: int
    output_names: tuple[str, ...]

    @property
    def name(self) -> str:
        """As reports call it."""
        return "the original program"

    def reference(self, images_nchw: np.ndarray, output_names: Sequence[str]) -> Reference:
        """The outputs for every image: in float64, and in float32 by torch, the worst of its draws."""
        double = self.float64(images_nchw, output_names)
        draws = [self._all(draw, images_nchw, torch.float32) for draw in self._draws]
        if not self.computes_in_float64:
            # Weights that are constants cannot be rounded again in the program; in its graph they can.
            draws.append(dict(self.graph.reference(images_nchw, output_names).float32))
        single = {name: worst_draw(double[name], [draw[name] for draw in draws]) for name in output_names}
        return Reference(float64=double, float32=single)

    def float64(self, images_nchw: np.ndarray, output_names: Sequence[str]) -> dict[str, np.ndarray]:
        """The same in float64 alone."""
        if self._double is None:
            return self.graph.float64(images_nchw, output_names)
        rows = self._all(self._double, images_nchw, torch.float64)
        return {name: rows[name] for name in output_names}

    def inner(self, taps: Sequence[Tap], image_chw: np.ndarray) -> Reference:
        """Inner values for one image, as the program's graph has them."""
        return self.graph.inner(taps, image_chw)

    @property
    def computes_in_float64(self) -> bool:
        """Whether torch runs the program itself in float64."""
        return self._double is not None

    @cached_property
    def _draws(self) -> tuple[nn.Module, ...]:
        return tuple(float32_draws(self.program))

    @cached_property
    def _double(self) -> nn.Module | None:
        """The program in float64; None where it holds numbers in float32 that cannot be cast."""
        double = copy.deepcopy(self.program).eval().double()
        channels, height, width = self._size
        try:
            with quiet_torch(), torch.no_grad():
                zeros = torch.zeros((self.images, channels, height, width), dtype=torch.float64)
                results = flatten_outputs(double(zeros))
        except RuntimeError:
            return None
        return double if all(result.dtype == torch.float64 for result in results) else None

    @property
    def _size(self) -> tuple[int, ...]:
        dimensions = self.graph.original.graph.input[0].type.tensor_type.shape.dim
        return tuple(int(dimension.dim_value) for dimension in dimensions)[1:]

    def _all(self, module: nn.Module, images_nchw: np.ndarray, dtype: torch.dtype) -> dict[str, np.ndarray]:
        """Every image, as many at a time as the program takes; the last call is filled up from the start."""
        rows: dict[str, list[np.ndarray]] = {name: [] for name in self.output_names}
        count = len(images_nchw)
        for start in range(0, count, self.images):
            places = [(start + step) % count for step in range(self.images)]
            with quiet_torch(), torch.no_grad():
                results = flatten_outputs(module(torch.from_numpy(images_nchw[places]).to(dtype)))
            for name, result in zip(self.output_names, results, strict=True):
                rows[name].extend(self._each(name, result.numpy()))
        return {name: np.stack(values[:count]) for name, values in rows.items()}

    def _each(self, name: str, value: np.ndarray) -> list[np.ndarray]:
        if value.ndim and len(value) == self.images:
            return list(value)
        if self.images == 1:
            return [value]
        message = f"output '{name}' of the program has shape {list(value.shape)}: expected {self.images} images first"
        raise VerificationError(message)
