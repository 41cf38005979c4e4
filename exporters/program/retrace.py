"""A TorchScript program as an exported one, by running it once: for traces that torch's older exporter cannot convert.

A trace computes the sizes of its images with tensors of one number, which that exporter loses: kernels without a shape
are what becomes of a CondConv. Here such arithmetic is done as it comes and stays out of the graph, as long as no
number in it depends on the image; where one does, torch raises.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx.experimental.proxy_tensor import get_proxy_mode, has_proxy_slot, make_fx
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

from condmix.exporters.program.scripted import ScriptedModule

_SHARED_ARGUMENTS = 9
"""Of aten._convolution and aten.convolution; the rest is about cuDNN."""


def retraced(module: ScriptedModule, example: torch.Tensor) -> ExportedProgram:
    """The program's operators on an image like the example. Raises what torch raises where it cannot be followed."""

    def run(images: torch.Tensor) -> Any:
        mode = get_proxy_mode()
        assert mode is not None  # make_fx is tracing
        with _SizesAsTheyCome(mode.tracer):
            return module.script(images)

    with torch.no_grad(), torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
        graph = make_fx(run)(example)
    for node in graph.graph.nodes:
        if node.target is torch.ops.aten._convolution.default:
            node.target = torch.ops.aten.convolution.default
            node.args, node.kwargs = node.args[:_SHARED_ARGUMENTS], {}
    graph.recompile()
    return torch.export.export(graph, (example,))


class _SizesAsTheyCome(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, operators on single numbers that depend on no image are computed and not traced."""

    def __init__(self, tracer: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tracer = tracer

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        given = kwargs or {}
        tensors = [item for item in tree_leaves((args, given)) if isinstance(item, torch.Tensor)]
        if tensors and all(item.dim() == 0 and not has_proxy_slot(item, self._tracer) for item in tensors):
            with _disable_current_modes():
                return func(*args, **given)
        return func(*args, **given)
