"""Which module of a network stops at a size that it does not take."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


def failing_module(module: nn.Module, input_size: tuple[int, int, int]) -> str | None:
    """The path of the innermost module that raises on an image of (channels, height, width); None where none does.

    '' is the network's own forward. The network is left as it was.
    """
    running: list[str] = []

    def entering(path: str) -> Callable[[nn.Module, object], None]:
        return lambda _module, _inputs: running.append(path)

    def leaving(_module: nn.Module, _inputs: object, _outputs: object) -> None:
        running.pop()

    hooks = []
    for path, inner in module.named_modules():
        hooks += [inner.register_forward_pre_hook(entering(path)), inner.register_forward_hook(leaving)]
    weight = next(module.parameters(), torch.zeros(()))
    try:
        with torch.no_grad():
            module(torch.zeros((1, *input_size), dtype=weight.dtype))
    except Exception:  # noqa: BLE001 - it is somebody's network: it may raise anything
        return running[-1] if running else None
    finally:
        for hook in hooks:
            hook.remove()
    return None
