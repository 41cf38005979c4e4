"""Making the outputs of PyTorch's modules visible."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from condmix.exporters.verify.reference import flatten_outputs, torch_inputs
from condmix.exporters.verify.rounding import float32_draws, worst_draw
from condmix.exporters.verify.shown_values import value_names, with_outputs
from condmix.runtime.joint_inputs import as_batch

__all__ = ["module_outputs", "own_module_outputs", "recorded", "value_names", "with_outputs"]


@contextmanager
def recorded(module: nn.Module, paths: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
    """Within the context, every call of a module at one of `paths` leaves its output under its path."""
    seen: dict[str, np.ndarray] = {}
    handles = []

    def keep(path: str) -> object:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, torch.Tensor):
                seen[path] = flatten_outputs(output)[0].detach().numpy().copy()

        return hook

    for path in paths:
        handles.append(module.get_submodule(path).register_forward_hook(keep(path)))  # type: ignore[arg-type]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def module_outputs(
    module: nn.Module, paths: Sequence[str], image_chw: np.ndarray, dtype: torch.dtype
) -> dict[str, np.ndarray]:
    """The outputs of the modules at `paths` for one image, in one precision."""
    return _outputs(copy.deepcopy(module).eval().to(dtype), paths, image_chw, dtype)


def own_module_outputs(
    module: nn.Module, float64: Mapping[str, np.ndarray], image_chw: np.ndarray
) -> dict[str, np.ndarray]:
    """PyTorch's own float32 results at the same modules: the worst of its draws."""
    paths = list(float64)
    draws = [_outputs(draw, paths, image_chw, torch.float32) for draw in float32_draws(module)]
    return {path: worst_draw(float64[path], [draw[path] for draw in draws]) for path in paths}


def _outputs(
    network: nn.Module, paths: Sequence[str], image_chw: np.ndarray, dtype: torch.dtype
) -> dict[str, np.ndarray]:
    with recorded(network, paths) as seen, torch.no_grad():
        network(*torch_inputs(as_batch(image_chw), dtype))
    return dict(seen)
