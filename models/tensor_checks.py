"""Makes the tensors of a file fit to compute with (dense, float32, finite) or refuses them."""

import math
from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor

from condmix.models.errors import NonFiniteWeightsError, NotACheckpointError

_SHOWN = 8


def as_float32(place: str, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors with every fractional one in float32, and a note for each other precision met.

    Whole numbers are left. Raises `NotACheckpointError` for tensors that are no plain arrays (sparse,
    quantised, complex, without data) and `NonFiniteWeightsError` for NaN and infinity, before or after the
    conversion.
    """
    _refuse_special(place, tensors)
    converted = {
        name: tensor.detach().to(torch.float32) if tensor.is_floating_point() else tensor.detach()
        for name, tensor in tensors.items()
    }
    met = Counter(
        str(tensor.dtype).removeprefix("torch.")
        for tensor in tensors.values()
        if tensor.is_floating_point() and tensor.dtype != torch.float32
    )
    require_finite(place, converted)
    return converted, tuple(
        f"{count} {_plural(count)} converted from {dtype} to float32" for dtype, count in sorted(met.items())
    )


def require_finite(place: str, tensors: Mapping[str, Tensor]) -> None:
    """Nothing happens if every number is finite; else `NonFiniteWeightsError` names the tensors."""
    found = {
        name: int((~torch.isfinite(tensor)).sum())
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and not _all_finite(tensor)
    }
    if not found:
        return
    shown = [f"{name} ({count} of {tensors[name].numel()})" for name, count in list(found.items())[:_SHOWN]]
    rest = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    message = (
        f"{place}: {len(found)} of {len(tensors)} tensors hold NaN or infinity in float32: "
        f"{', '.join(shown)}{rest}; the training has diverged or the file is damaged: use an earlier "
        "checkpoint"
    )
    raise NonFiniteWeightsError(message, tuple(found))


def _all_finite(tensor: Tensor) -> bool:
    """One pass over the numbers: both extremes are NaN where any number is."""
    return not tensor.numel() or all(map(math.isfinite, torch.stack(torch.aminmax(tensor)).tolist()))


def _plural(count: int) -> str:
    return "tensor was" if count == 1 else "tensors were"


def _refuse_special(place: str, tensors: Mapping[str, Tensor]) -> None:
    found = [f"{name} is {kind}" for name, tensor in tensors.items() if (kind := _special_kind(tensor))]
    if found:
        rest = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        message = (
            f"{place}: expected plain tensors; {', '.join(found[:_SHOWN])}{rest}; "
            "save the weights of the float network instead"
        )
        raise NotACheckpointError(message)


def _special_kind(tensor: Tensor) -> str | None:
    if tensor.is_meta:
        return "without data (meta device)"
    if tensor.is_quantized:
        return "quantised"
    if tensor.layout is not torch.strided:
        return "sparse"
    if tensor.is_complex():
        return "complex"
    return None
