"""Networks without weights, for what their names and shapes tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from condmix.models.blueprint import draw

_FILLING = frozenset(
    {
        Tensor.add_,
        Tensor.clamp_,
        Tensor.copy_,
        Tensor.div_,
        Tensor.erfinv_,
        Tensor.fill_,
        Tensor.mul_,
        Tensor.normal_,
        Tensor.uniform_,
        Tensor.zero_,
    }
)
"""What initialisation does to a tensor in place: its numbers change, its shape does not."""


@contextmanager
def weightless() -> Iterator[None]:
    """Networks that are built within have tensors without memory, on the meta device, and no number is drawn for them.

    Drawing for a tensor without memory is the longest part of building: torch works its result out in Python.
    Networks are to be run, or changed, outside.
    """
    with torch.device("meta"), _Unfilled():
        yield


@cache
def needed_tensors(architecture: str, settings: tuple[tuple[str, object], ...] = ()) -> Mapping[str, Tensor]:
    """The tensors of a network of the zoo or "timm:NAME", on the meta device, worked out once. Not to be changed.

    settings: changes to its defaults. Raises as `draw` does.
    """
    blueprint = draw(architecture, dict(settings))
    with weightless():
        return dict(blueprint.build().state_dict())


class _Unfilled(TorchFunctionMode):
    """Leaves tensors as they are made."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # whatever the function returns
        del types
        given = kwargs or {}
        if func in _FILLING or getattr(func, "__module__", None) == torch.nn.init.__name__:
            return args[0] if args else given["tensor"]
        return func(*args, **given)
