"""Fresh weights: what an untrained network starts from."""

import math
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from condmix.models.condconv import CondConv2d
from torch import Tensor, nn

RELU_GAIN = 2.0
# One over the second moment of SiLU at inputs of size 1 is 2.8, at large inputs 2: between the two, so that
# values neither vanish nor run away.
SILU_GAIN = 2.4
LINEAR_GAIN = 1.0
# A squeeze-excite gate starts at one half; four would make up for it, and feed back where gates open.
AFTER_SQUEEZE_EXCITE_GAIN = 3.0
# Residual sums grow with every block unless the branches start small.
RESIDUAL_BRANCH_GAIN = 0.25
# Gates start near one half: the second moment of a mixture of four ordinary kernels is that of one.
_NEUTRAL_EXPERTS = 4


@runtime_checkable
class StatesGains(Protocol):
    """A block that says which factor of the second moment its layers start with; 2 where it says nothing."""

    def initial_gains(self) -> Mapping[nn.Module, float]:
        """The factor for each layer of the block that is not followed by a ReLU."""


def initialise(network: nn.Module) -> None:
    """Every layer has fresh weights with which values keep their size through the network.

    Convolutions and experts: He's rule (arXiv 1502.01852) with fan-in and the gains that the blocks state;
    linear layers: normal with fan-in; biases: zero. Before training, batch norm does nothing, and the fan-out
    rule of the released networks leaves an untrained EfficientNet with values of 1e-5 and a CondConv ResNet
    with 1e4: parity measured there says nothing. Draws from torch's global generator.
    """
    gains = _gains(network)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, math.sqrt(1.0 / module.in_features))
        elif isinstance(module, nn.Conv2d):
            _draw(module.weight, gains.get(module, RELU_GAIN))
        elif isinstance(module, CondConv2d):
            _draw(
                module.weight_eoihw,
                gains.get(module, RELU_GAIN) * _NEUTRAL_EXPERTS / module.experts,
            )
        else:
            continue
        bias = module.bias_eo if isinstance(module, CondConv2d) else module.bias
        if bias is not None:
            nn.init.zeros_(bias)


def _draw(weight: Tensor, gain: float) -> None:
    fan_in = math.prod(weight.shape[-3:])
    nn.init.normal_(weight, 0.0, math.sqrt(gain / fan_in))


def _gains(network: nn.Module) -> dict[nn.Module, float]:
    """The stated gains, also for the parts of a layer that has parts."""
    return {
        part: gain
        for block in network.modules()
        if isinstance(block, StatesGains)
        for layer, gain in block.initial_gains().items()
        for part in layer.modules()
    }
