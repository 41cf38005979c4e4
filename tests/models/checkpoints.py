"""Networks with weights of their own, and how the tests save them."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from condmix.models import checkpoint, digits, zoo


def trained(name: str = "condconv_digits", **settings: object) -> nn.Module:
    """A network in training mode with weights and batch statistics of its own."""
    module = zoo.build(name, settings)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand(tensor.shape, generator=generator) * 0.1)
    return module.train()


def save(path: Path, module: nn.Module, **changes: Any) -> None:
    options: dict[str, Any] = {
        "architecture": "condconv_digits",
        "input_size": digits.INPUT_SIZE,
        "preprocessing": digits.PREPROCESSING,
        "class_names": digits.CLASS_NAMES,
    }
    checkpoint.save(path, module, **{**options, **changes})
