"""CondConv as five people would write it: each module mixes the same bank, each in its own words."""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.random_networks.plan import CondConv


def routing_module(kind: str, channels: int, experts: int) -> nn.Module:
    """From pooled features (batch, channels) to routing logits (batch, experts), in a module named `last`."""
    last: nn.Module
    if kind == "hidden":
        return nn.Sequential(nn.Linear(channels, 4), nn.Tanh(), nn.Linear(4, experts))
    if kind == "conv":
        last = nn.Conv2d(channels, experts, 1)
        return nn.Sequential(nn.Unflatten(1, (channels, 1, 1)), last, nn.Flatten())
    return nn.Sequential(nn.Linear(channels, experts))


class MixedConvolution(nn.Module):
    """Routing from the pooled input, then a convolution written in the style of the plan.

    Maps (batch, in, height, width) to (batch, out, height', width').
    """

    def __init__(self, plan: CondConv, in_channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.plan = plan
        shape = (plan.channels, in_channels // plan.groups, *plan.window.kernel)
        self.bank = nn.Parameter(torch.randn(plan.experts, *shape) * prod(shape[1:]) ** -0.5)
        self.bias_bank = nn.Parameter(torch.randn(plan.experts, plan.channels) * 0.3) if plan.bias else None
        self.router = routing_module(plan.routing, in_channels, plan.experts)
        rows, columns = plan.window.padded(size)
        self.pads = (*columns, *rows)
        self.symmetric = rows[0] == rows[1] and columns[0] == columns[1]
        self.padding = (rows[0], columns[0]) if self.symmetric else (0, 0)

    def forward(self, x: Tensor) -> Tensor:
        logits = self.router(x.mean((2, 3)))
        routing = torch.softmax(logits, 1) if self.plan.routing == "softmax" else torch.sigmoid(logits)
        padded = x if self.symmetric else F.pad(x, self.pads)
        style = getattr(self, f"_{self.plan.style}")
        y: Tensor = style(padded, routing)
        return y

    def _convolve(self, x: Tensor, kernel: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        window = self.plan.window
        return F.conv2d(x, kernel, bias, window.stride, self.padding, window.dilation, groups)

    def _in_groups(self, x: Tensor, kernels_boihw: Tensor, routing: Tensor) -> Tensor:
        """All images of a batch as groups of one convolution."""
        batch = x.shape[0]
        bias = None if self.bias_bank is None else (routing @ self.bias_bank).reshape(-1)
        folded = x.reshape(1, batch * x.shape[1], *x.shape[2:])
        y = self._convolve(folded, kernels_boihw.flatten(0, 1), bias, batch * self.plan.groups)
        return y.reshape(batch, self.plan.channels, *y.shape[2:])

    def _flat_bank(self, x: Tensor, routing: Tensor) -> Tensor:
        mixed = torch.matmul(routing, self.bank.flatten(1))
        return self._in_groups(x, mixed.view(-1, *self.bank.shape[1:]), routing)

    def _einsum(self, x: Tensor, routing: Tensor) -> Tensor:
        return self._in_groups(x, torch.einsum("be,eoihw->boihw", routing, self.bank), routing)

    def _stack_sum(self, x: Tensor, routing: Tensor) -> Tensor:
        weighted = routing[:, :, None, None, None, None] * self.bank[None]
        return self._in_groups(x, weighted.sum(1), routing)

    def _sample_loop(self, x: Tensor, routing: Tensor) -> Tensor:
        results = []
        for index in range(x.shape[0]):
            kernel = sum(routing[index, expert] * self.bank[expert] for expert in range(self.plan.experts))
            assert isinstance(kernel, Tensor)
            bias = None if self.bias_bank is None else routing[index] @ self.bias_bank
            results.append(self._convolve(x[index : index + 1], kernel, bias, self.plan.groups))
        return torch.cat(results)

    def _expert_outputs(self, x: Tensor, routing: Tensor) -> Tensor:
        y: Tensor | None = None
        for expert in range(self.plan.experts):
            bias = None if self.bias_bank is None else self.bias_bank[expert]
            part = self._convolve(x, self.bank[expert], bias, self.plan.groups)
            part = part * routing[:, expert].view(-1, 1, 1, 1)
            y = part if y is None else y + part
        assert y is not None
        return y
