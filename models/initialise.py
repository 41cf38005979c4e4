"""Fresh weights: what an untrained network starts from."""

import math
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from condmix.models.condconv import CondConv2d, Routing

RELU_GAIN = 2.0
# SiLU keeps a quarter of the second moment of small values and half of that of large ones. With more than 2
# large values run away, with 4 small ones would be kept: a little above 2 lets them shrink slowly.
SILU_GAIN = 2.2
LINEAR_GAIN = 1.0
# Residual sums grow with every block unless the branches start small.
RESIDUAL_BRANCH_GAIN = 0.25
# Gates start near one half, whatever the size of the values: otherwise larger values open gates, which makes
# larger values, block after block.
SQUEEZE_EXCITE_GATE_GAIN = 0.01
ROUTING_GAIN = 0.1
# What gates of one half leave of the second moment is made up for behind squeeze-excite, and in the experts:
# half of each of four ordinary kernels has the size of one.
AFTER_SQUEEZE_EXCITE_GAIN = 4.0
_NEUTRAL_EXPERTS = 4


@runtime_checkable
class StatesGains(Protocol):
    """A block that says by which factor its layers change the second moment; where nothing is said, what a
    ReLU behind a convolution needs, and one for a linear layer."""

    def initial_gains(self) -> Mapping[nn.Module, float]:
        """The factor for each layer of the block that is not followed by a ReLU."""


def initialise(network: nn.Module) -> None:
    """Every layer has fresh weights with which values neither vanish nor run away in the network.

    Convolutions and experts: He's rule (arXiv 1502.01852) with fan-in and the gains that the blocks state;
    linear layers: normal with fan-in; biases: zero. Before training, batch norm does nothing, and the fan-out
    rule of the released networks leaves an untrained EfficientNet with values of 1e-5 and a CondConv ResNet
    with 1e4: parity measured there says nothing. Draws from torch's global generator.
    """
    gains = _gains(network)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            _draw(module.weight, module.in_features, gains.get(module, LINEAR_GAIN))
        elif isinstance(module, nn.Conv2d):
            _draw(module.weight, math.prod(module.weight.shape[1:]), gains.get(module, RELU_GAIN))
        elif isinstance(module, CondConv2d):
            gain = gains.get(module, RELU_GAIN) * _NEUTRAL_EXPERTS / module.experts
            _draw(module.weight_eoihw, math.prod(module.weight_eoihw.shape[2:]), gain)
        else:
            continue
        bias = module.bias_eo if isinstance(module, CondConv2d) else module.bias
        if bias is not None:
            nn.init.zeros_(bias)


def _draw(weight: Tensor, fan_in: int, gain: float) -> None:
    nn.init.normal_(weight, 0.0, math.sqrt(gain / fan_in))


def _gains(network: nn.Module) -> dict[nn.Module, float]:
    """The stated gains, also for the parts of a layer that has parts."""
    gains: dict[nn.Module, float] = {
        part: gain
        for block in network.modules()
        if isinstance(block, StatesGains)
        for layer, gain in block.initial_gains().items()
        for part in layer.modules()
    }
    # Last: a layer with a routing of its own has given it the layer's gain above.
    gains |= {module.linear: ROUTING_GAIN for module in network.modules() if isinstance(module, Routing)}
    return gains
