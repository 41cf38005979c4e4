"""Counting parameters and multiply-adds of a network, layer by layer."""

import dataclasses
import math

import torch
from torch import Tensor, nn

from condmix.models.condconv import CondConv2d, Routing


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerCount:
    """One module that has parameters of its own. `path` is its name in the network, `kind` one of
    "convolution", "depthwise", "condconv", "linear", "routing", "norm" and "other"."""

    path: str
    kind: str
    parameters: int
    multiply_adds: int
    kernel_mixing_multiply_adds: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkCount:
    """Counts of a network for one image. `uncounted` names modules of kind "other" that have a weight of two
    or more axes: their multiply-adds are not known and not in the sum."""

    input_size: tuple[int, int, int]
    layers: tuple[LayerCount, ...]
    uncounted: tuple[str, ...]

    @property
    def parameters(self) -> int:
        """Learnt numbers in the network, each counted once; running statistics are not learnt."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """All multiply-adds, kernel mixing and routing included."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def kernel_mixing_multiply_adds(self) -> int:
        """Those that mix expert kernels."""
        return sum(layer.kernel_mixing_multiply_adds for layer in self.layers)

    @property
    def routing_multiply_adds(self) -> int:
        """Those of the linear maps that give the gates."""
        return sum(layer.multiply_adds for layer in self.layers if layer.kind == "routing")


def count(module: nn.Module, input_size: tuple[int, int, int]) -> NetworkCount:
    """Parameters and multiply-adds of the module for one image (channels, height, width).

    A multiply-add is one product added up in a convolution or a linear layer: output positions x kernel
    elements x input channels per group. A CondConv layer adds experts x kernel elements for mixing its
    kernel, its routing adds channels x experts. Not counted: biases, batch norm, activations, pooling,
    scaling by squeeze-excite gates, residual additions. Padding counts as input, as is usual.

    The module runs once at batch 1 in eval mode without gradients; its modes are restored.
    """
    paths = {owner: path for path, owner in module.named_modules()}
    gates = {owner.linear for owner in paths if isinstance(owner, Routing)}
    multiply_adds: dict[nn.Module, int] = {}
    seen: set[nn.Parameter] = set()
    layers, uncounted = [], []
    _run_with_hooks(module, input_size, multiply_adds)
    for owner, path in paths.items():
        own = [parameter for parameter in owner.parameters(recurse=False) if parameter not in seen]
        seen.update(own)
        if not own and owner not in multiply_adds:
            continue
        kind = "routing" if owner in gates else _kind(owner)
        if kind == "other" and any(parameter.dim() > 1 for parameter in own):
            uncounted.append(path)
        layers.append(
            LayerCount(
                path=path,
                kind=kind,
                parameters=sum(parameter.numel() for parameter in own),
                multiply_adds=multiply_adds.get(owner, 0),
                kernel_mixing_multiply_adds=_mixing(owner) if isinstance(owner, CondConv2d) else 0,
            )
        )
    return NetworkCount(input_size=input_size, layers=tuple(layers), uncounted=tuple(uncounted))


def _kind(module: nn.Module) -> str:
    if isinstance(module, nn.Conv2d):
        return "depthwise" if module.groups == module.in_channels > 1 else "convolution"
    if isinstance(module, nn.Linear):
        return "linear"
    if isinstance(module, CondConv2d):
        return "condconv"
    return "norm" if isinstance(module, nn.modules.batchnorm._NormBase) else "other"


def _mixing(layer: CondConv2d) -> int:
    bias = 0 if layer.bias_eo is None else layer.bias_eo.numel()
    return layer.weight_eoihw.numel() + bias


def _convolution_multiply_adds(layer: nn.Conv2d | CondConv2d, output: Tensor) -> int:
    positions = math.prod(output.shape[2:])
    return positions * layer.out_channels * layer.in_channels // layer.groups * math.prod(layer.kernel_size)


def _run_with_hooks(module: nn.Module, input_size: tuple[int, int, int], multiply_adds: dict[nn.Module, int]) -> None:
    """Fills `multiply_adds` from what each layer's output looks like; a layer used twice counts twice."""

    def add(owner: nn.Module, output: Tensor) -> None:
        if isinstance(owner, CondConv2d):
            found = _convolution_multiply_adds(owner, output) + _mixing(owner)
        elif isinstance(owner, nn.Conv2d):
            found = _convolution_multiply_adds(owner, output)
        elif isinstance(owner, nn.Linear):
            found = output.numel() * owner.in_features
        else:
            return
        multiply_adds[owner] = multiply_adds.get(owner, 0) + found

    def hook(owner: nn.Module, _inputs: object, output: Tensor) -> None:
        add(owner, output)

    modes: list[tuple[nn.Module, bool]] = [(owner, owner.training) for owner in module.modules()]
    counted = (nn.Conv2d, nn.Linear, CondConv2d)
    handles = [owner.register_forward_hook(hook) for owner in module.modules() if isinstance(owner, counted)]
    parameter = next(module.parameters(), torch.zeros(0))
    try:
        module.eval()
        with torch.no_grad():
            module(torch.zeros(1, *input_size, dtype=parameter.dtype, device=parameter.device))
    finally:
        for handle in handles:
            handle.remove()
        for owner, mode in modes:
            owner.training = mode
