"""The yardstick of a proof: whoever says what the network computes, in float64 and in float32 of its own.

For weights it is PyTorch (condmix.exporters.verify.torch_oracle), for a given ONNX file that file itself
(condmix.exporters.onnx_input.oracle). Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from condmix.exporters.captured import Tap

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Outputs by name, each (images, ...): float64, and the network's own float32 result, the worst of its draws."""

    float64: Mapping[str, np.ndarray]
    float32: Mapping[str, np.ndarray]


@runtime_checkable
class Oracle(Protocol):
    """What a proof asks of the network itself. All of it raises VerificationError where there is no sound answer."""

    @property
    def name(self) -> str:
        """As reports call it: PyTorch, or the original file."""
        ...

    def reference(self, images_nchw: np.ndarray, output_names: Sequence[str]) -> Reference:
        """The outputs for every image, each (images, ...), in both precisions."""
        ...

    def float64(self, images_nchw: np.ndarray, output_names: Sequence[str]) -> dict[str, np.ndarray]:
        """The same in float64 alone."""
        ...

    def inner(self, taps: Sequence[Tap], image_chw: np.ndarray) -> Reference:
        """Inner values for one image, by the name of the tap's value; what it cannot show is left out."""
        ...


def oracle_of(network: Oracle | nn.Module) -> Oracle:
    """The oracle itself, or PyTorch for a module."""
    if isinstance(network, Oracle):
        return network
    from condmix.exporters.verify.torch_oracle import TorchOracle

    return TorchOracle(module=network)


def join_rows(values: Sequence[np.ndarray]) -> np.ndarray:
    """Results of single images as one array, image by image on axis 0.

    A network that squeezes its result gives (classes,) for one image; it becomes a row as well.
    """
    first = values[0]
    if first.ndim > 0 and first.shape[0] == 1:
        return np.concatenate(values)
    return np.stack(values)


def worst_draw(float64: np.ndarray, draws: Sequence[np.ndarray]) -> np.ndarray:
    """Element by element the draw that lies furthest from float64; one that is not finite counts as furthest."""
    stacked = np.stack(draws)
    with np.errstate(invalid="ignore"):
        distance = np.abs(stacked.astype(np.float64) - float64)
    distance[~np.isfinite(distance)] = np.inf
    worst: np.ndarray = np.take_along_axis(stacked, distance.argmax(axis=0)[None], axis=0)[0]
    return worst
