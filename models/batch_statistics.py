"""Batch norm without statistics of its own: a network whose result depends on the other images is no function of one.

Also what the tensors of a file say of its batch norms where they do not fit a network: folded away, or never tracked.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from condmix.models.errors import BatchStatisticsError

_SHOWN = 5
_STATISTICS = (".running_mean", ".running_var")


def refuse_batch_statistics(place: str, module: nn.Module) -> None:
    """Nothing happens if every batch norm has statistics; else `BatchStatisticsError` names those that have none."""
    found = [
        path for path, norm in module.named_modules() if isinstance(norm, _BatchNorm) and norm.running_mean is None
    ]
    if not found:
        return
    rest = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    message = (
        f"{place}: {len(found)} batch norms have no running statistics ({', '.join(found[:_SHOWN])}{rest}): with "
        "track_running_stats=False they measure every batch, so that an image's result depends on its neighbours and "
        "no file can compute it. Train with running statistics, or give these norms some: build them with "
        "track_running_stats=True and run the network over training images in train mode"
    )
    raise BatchStatisticsError(message, tuple(found))


def explain(missing: Sequence[str], tensors: Mapping[str, Tensor], unexpected: Sequence[str]) -> str | None:
    """What a file's batch norms are like where a network needs the `missing` names; None where it is not about them."""
    norms = {name.removesuffix(end) for name in missing for end in _STATISTICS if name.endswith(end)}
    if not norms:
        return None
    if all(f"{norm}.weight" in tensors for norm in norms):
        return (
            f"The file has {len(norms)} batch norms without running statistics: trained with track_running_stats=False "
            "they measure every batch, and no file can compute that. Train with running statistics"
        )
    biases = [name for name in unexpected if name.endswith(".bias")]
    if len(biases) >= len(norms) // 2 and all(name not in tensors for norm in norms for name in (f"{norm}.weight",)):
        return (
            f"The file's batch norms seem to be folded into the convolutions already ({len(biases)} biases where the "
            "network has none): give --factory package.module:function, a function that builds the network without its "
            "norms, as it was when these weights were saved"
        )
    return None
