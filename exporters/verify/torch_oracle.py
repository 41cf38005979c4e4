"""PyTorch as the yardstick: the network as it was trained, run in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from condmix.exporters.captured import Tap
from condmix.exporters.verify.oracle import Reference
from condmix.exporters.verify.reference import run_float64, run_reference
from condmix.exporters.verify.tapping import module_outputs, own_module_outputs


@dataclass(frozen=True, kw_only=True)
class TorchOracle:
    """A module as an oracle. Conforms to `condmix.exporters.verify.oracle.Oracle`."""

    module: nn.Module

    @property
    def name(self) -> str:
        """As reports call it."""
        return "PyTorch"

    def reference(self, images_nchw: np.ndarray, output_names: Sequence[str]) -> Reference:
        """The outputs for every image, one image at a time."""
        return run_reference(self.module, images_nchw, output_names)

    def float64(self, images_nchw: np.ndarray, output_names: Sequence[str]) -> dict[str, np.ndarray]:
        """The same in float64 alone."""
        return run_float64(self.module, images_nchw, output_names)

    def inner(self, taps: Sequence[Tap], image_chw: np.ndarray) -> Reference:
        """The outputs of the modules that the taps name."""
        paths = [tap.module_path for tap in taps]
        double = module_outputs(self.module, paths, image_chw, torch.float64)
        single = own_module_outputs(self.module, double, image_chw)
        seen = [tap for tap in taps if tap.module_path in double]
        return Reference(
            float64={tap.value_name: double[tap.module_path] for tap in seen},
            float32={tap.value_name: single[tap.module_path] for tap in seen},
        )
