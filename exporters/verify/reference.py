"""What PyTorch says: in float64, the yardstick, and in float32, its own error; one image at a time.

One at a time, because networks exist that are right at batch 1 only; and because the export's meaning is a function
of one image.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from condmix.exporters.errors import VerificationError
from condmix.exporters.structure import tensors_of
from condmix.exporters.verify.oracle import Reference, join_rows, worst_draw
from condmix.exporters.verify.rounding import float32_draws
from condmix.runtime.joint_inputs import as_batch

__all__ = ["Reference", "flatten_outputs", "join_rows", "run_float64", "run_reference"]


def run_reference(module: nn.Module, images_nchw: np.ndarray, output_names: Sequence[str]) -> Reference:
    """Run the network on every image in both precisions.

    Raises VerificationError when it does not run in float64 or its outputs are not tensors, as many as the names.
    """
    draws = [_run(draw, images_nchw, torch.float32, output_names) for draw in float32_draws(module)]
    double = run_float64(module, images_nchw, output_names)
    single = {name: worst_draw(double[name], [draw[name] for draw in draws]) for name in output_names}
    return Reference(float64=double, float32=single)


def run_float64(module: nn.Module, images_nchw: np.ndarray, output_names: Sequence[str]) -> dict[str, np.ndarray]:
    """The network's outputs by name, each (images, ...), in float64 alone. Raises what `run_reference` raises."""
    try:
        return _run(copy.deepcopy(module).eval().double(), images_nchw, torch.float64, output_names)
    except RuntimeError as error:
        message = (
            f"the network does not run in float64, which is the yardstick of parity: {str(error).splitlines()[0]}; "
            "expected a forward pass that follows the dtype of its input (no float32 tensors made inside)"
        )
        raise VerificationError(message) from error


def _run(module: nn.Module, images_nchw: np.ndarray, dtype: torch.dtype, names: Sequence[str]) -> dict[str, np.ndarray]:
    rows: dict[str, list[np.ndarray]] = {name: [] for name in names}
    with torch.no_grad():
        for image in images_nchw:
            outputs = flatten_outputs(module(*torch_inputs(as_batch(image), dtype)))
            if len(outputs) != len(names):
                message = f"the network returned {len(outputs)} tensors, its graph has {len(names)} outputs"
                raise VerificationError(message)
            for name, output in zip(names, outputs, strict=True):
                value = output.numpy()
                # Numbers of classes and other integers are compared as real numbers.
                rows[name].append(value if value.dtype.kind == "f" else torch_number(value, dtype))
    return {name: join_rows(values) for name, values in rows.items()}


def torch_number(value: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    """The same numbers as floats of that precision."""
    return value.astype(np.float64 if dtype is torch.float64 else np.float32)


def torch_inputs(images: np.ndarray, dtype: torch.dtype) -> list[torch.Tensor]:
    """What a module is called with: a tensor an input."""
    names = images.dtype.names
    arrays = [images] if names is None else [np.ascontiguousarray(images[name]) for name in names]
    return [torch.from_numpy(array).to(dtype) for array in arrays]


def flatten_outputs(result: object) -> list[torch.Tensor]:
    """The tensors of a network's result, in order. Raises VerificationError for anything not made of tensors."""
    try:
        return tensors_of(result)
    except TypeError as error:
        message = f"the network returned what cannot be compared: {error}"
        raise VerificationError(message) from error
