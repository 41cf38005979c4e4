"""What is done to a lowered MixNet so that ONNX Runtime keeps one layout from its first convolution to its last."""

from __future__ import annotations

import onnx_ir as ir

from condmix.exporters.lower.activate_branches import ActivateBranches
from condmix.exporters.lower.gate_images import GateImages
from condmix.exporters.lower.pointwise_groups import is_pointwise_groups
from condmix.exporters.lower.whole_blocks import fill_blocks
from condmix.exporters.named.mixconv import is_mixconv
from condmix.exporters.records import RewriteStep
from condmix.exporters.rewrite.driver import run_rules


def has_mixconv(graph: ir.Graph) -> bool:
    """Whether a rewritten graph has a layer whose branches or groups tear the runtime's blocks."""
    return any(is_mixconv(node) or is_pointwise_groups(node) for node in graph)


def keep_layout(model: ir.Model, *, ends: bool = True) -> tuple[RewriteStep, ...]:
    """Activations move into branches, channels fill blocks, gates become images; all exact.

    ends: whether inputs and outputs keep their channels; a block that is only measured need not.
    """
    activated = run_rules(model, (ActivateBranches(),))
    filled = fill_blocks(model, ends=ends)
    return (*activated, *filled, *run_rules(model, (GateImages(),)))
