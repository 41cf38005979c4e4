"""A freshly built network gets what a trained one has: norm statistics, routing that tells images apart."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from condmix.models.settling import widen
from tests.foreign.trunk import Trunk

_IMAGES = 24
_CLASSIFIER = "classifier"


def example_images(count: int, input_size: tuple[int, int, int], seed: int) -> Tensor:
    """Seeded images (count, channels, height, width) that differ in colour, contrast and pattern.

    Plain noise has nearly the same mean for every image, and routing would hardly tell the images apart.
    """
    channels, height_px, width_px = input_size
    generator = torch.Generator().manual_seed(seed)
    colour = 3 * torch.rand(count, channels, 1, 1, generator=generator) - 1.5
    contrast = 0.3 + torch.rand(count, 1, 1, 1, generator=generator)
    coarse = torch.randn(count, channels, 4, 4, generator=generator)
    pattern = nn.functional.interpolate(coarse, size=(height_px, width_px), mode="bilinear", align_corners=False)
    noise = torch.randn(count, channels, height_px, width_px, generator=generator)
    return colour + contrast * (pattern + 0.5 * noise)


def settled(
    construct: Callable[[], nn.Module],
    *,
    seed: int,
    input_size: tuple[int, int, int],
    hidden_routers: tuple[str, ...] = (),
    routers: tuple[str, ...] = (),
    routing_spread: float = 2.0,
    images_at_once: int = _IMAGES,
) -> nn.Module:
    """A network in eval mode, the same for the same seed, whose random state leaves the caller's untouched.

    Every BatchNorm has scales of both signs, offsets, and the statistics of seeded images. The modules named
    by `hidden_routers` and `routers` (Linear or 1x1 Conv) are scaled until their outputs vary by
    `routing_spread` (standard deviation over images) around zero; the classifier of a Trunk by 2.
    `images_at_once` is 1 for code that is wrong at other batches.

    Raises:
        ValueError: a named module is never called, or its outputs hardly differ between the images.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = construct().eval()
        batches = torch.split(example_images(_IMAGES, input_size, seed), images_at_once)
        settling = {path for path, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
        settling |= {*hidden_routers, *routers, *([_CLASSIFIER] if isinstance(network, Trunk) else [])}
        # Each one changes everything behind it, so they are settled in the order in which they are called.
        for path in _called(network, settling, batches[0]):
            module = network.get_submodule(path)
            inputs = _inputs_of(module, network, batches)
            if isinstance(module, nn.BatchNorm2d):
                _give_statistics(module, inputs)
            else:
                widen(module, inputs, 2.0 if path == _CLASSIFIER else routing_spread)
    return network


def _called(network: nn.Module, paths: set[str], batch: Tensor) -> list[str]:
    """All the paths, in the order in which a forward pass first enters their modules."""
    order: list[str] = []
    handles = [
        network.get_submodule(path).register_forward_pre_hook(lambda *_, path=path: order.append(path))
        for path in sorted(paths)
    ]
    network(batch)
    for handle in handles:
        handle.remove()
    if paths - set(order):
        message = f"never called in a forward pass: {sorted(paths - set(order))}"
        raise ValueError(message)
    return list(dict.fromkeys(order))


def _inputs_of(module: nn.Module, network: nn.Module, batches: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What the module reads when the network sees each of the batches."""
    seen: list[Tensor] = []
    handle = module.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    for batch in batches:
        network(batch)
    handle.remove()
    return tuple(seen)


def _give_statistics(norm: nn.BatchNorm2d, maps: tuple[Tensor, ...]) -> None:
    """Running statistics are those of the maps; scales and offsets are random, some scales negative."""
    pixels = torch.cat(maps).movedim(1, -1).flatten(0, -2)  # (pixels of all images, channels)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(pixels.mean(0))
    norm.running_var.copy_(pixels.var(0))
    norm.weight.uniform_(0.5, 1.5).mul_(torch.where(torch.rand_like(norm.weight) < 0.15, -1.0, 1.0))
    norm.bias.normal_(std=0.3)
