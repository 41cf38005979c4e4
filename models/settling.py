"""A large freshly built network gets norm statistics and routing as a trained one has, in a single forward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

ROUTING_SPREAD = 1.0


def settled_in_one_pass(
    construct: Callable[[], nn.Module],
    *,
    seed: int,
    images: Tensor,
    routers: Callable[[nn.Module], Sequence[str]],
) -> nn.Module:
    """A network in eval mode, the same for the same seed; the caller's random state is left as it was.

    Every BatchNorm has the statistics of the `images` (count, channels, height, width); the Linear layers that
    `routers` names give routing logits that vary by `ROUTING_SPREAD` between them. Each module is settled on what
    reaches it, just before it runs for the first time, so that one pass does for any depth.

    Raises:
        ValueError: a norm or router is never called, or a routing logit hardly differs between the images.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = construct().eval()
        norms = [path for path, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)]
        waiting = {*norms, *routers(network)}
        handles = [
            network.get_submodule(path).register_forward_pre_hook(partial(_settle, waiting, path))
            for path in sorted(waiting)
        ]
        network(images)
        for handle in handles:
            handle.remove()
    if waiting:
        message = f"never called in a forward pass: {sorted(waiting)}"
        raise ValueError(message)
    return network


def _settle(waiting: set[str], path: str, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    if path not in waiting:
        return
    waiting.remove(path)
    if isinstance(module, nn.BatchNorm2d):
        _give_calm_statistics(module, inputs[0])
    else:
        widen(module, inputs, ROUTING_SPREAD)


def _give_calm_statistics(norm: nn.BatchNorm2d, maps: Tensor) -> None:
    """Running statistics are those of the maps; scales are small and of both signs, offsets lie around a half.

    Deep random networks amplify rounding by a factor in every layer, up to 1e-1 of the result: nothing can be
    compared in them. Where most values lie on the side on which activations are nearly linear, they do not.
    """
    pixels = maps.movedim(1, -1).flatten(0, -2)  # (pixels of all images, channels)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(pixels.mean(0))
    norm.running_var.copy_(pixels.var(0))
    norm.weight.uniform_(0.15, 0.45).mul_(torch.where(torch.rand_like(norm.weight) < 0.15, -1.0, 1.0))
    norm.bias.normal_(0.5, 0.3)


def widen(router: nn.Module, inputs: tuple[Tensor, ...], spread: float) -> None:
    """The router's outputs vary by the given deviation around small centres, with or without a bias.

    `inputs` is what it reads. Raises ValueError where its outputs hardly differ between the images.
    """
    weight = router.get_parameter("weight")
    rows = weight.flatten(1)
    features = torch.cat([vectors.reshape(-1, rows.shape[1]) for vectors in inputs])  # (images, features)
    mean = features.mean(0)
    direction = mean / mean.dot(mean)
    rows = rows - torch.outer(rows @ mean, direction)  # blind to the mean, which would saturate the outputs
    deviation = (features @ rows.T).std(0)
    if not bool((deviation > 1e-4).all()):  # also where there is nothing but NaN
        message = f"a routing output hardly varies over the images ({deviation.tolist()}): take another seed"
        raise ValueError(message)
    rows = rows * (spread / deviation).unsqueeze(1)
    # Not quite blind: the offset of a norm in front has to show in the output, or its loss would go unseen.
    centres = 0.5 * torch.randn(len(rows))
    weight.copy_((rows + torch.outer(centres, direction)).view_as(weight))
    bias = dict(router.named_parameters()).get("bias")
    if bias is not None:
        bias.normal_(std=0.5)
