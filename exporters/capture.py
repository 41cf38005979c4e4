"""From an nn.Module to a graph at batch 1 whose nodes know the module they come from."""

from __future__ import annotations

import ast
import copy
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import onnx_ir as ir
import torch
from torch import nn

from condmix.exporters.captured import CAPTURE_OPSET, Captured, Tap
from condmix.exporters.errors import CaptureError
from condmix.exporters.graph.facts import MODULE_KEY
from condmix.exporters.output_kinds import kinds_of, usual_name
from condmix.exporters.quiet_torch import quiet_torch
from condmix.exporters.simplify import simplify
from condmix.exporters.structure import located_tensors, names_of, tensors_of

__all__ = ["CAPTURE_OPSET", "Captured", "Tap", "capture"]

_SCOPES_KEY = "pkg.torch.onnx.name_scopes"
_TERMINAL_COLOUR = re.compile("\x1b\\[[0-9;]*m")


def capture(
    module: nn.Module, input_size: tuple[int, int, int], more_inputs: Mapping[str, tuple[int, ...]] | None = None
) -> Captured:
    """Return the graph of `module` (eval mode, float32) for one image of (channels, height, width).

    more_inputs: shapes of what it takes beside the image, in the order of its forward, without the batch axis.
    Raises CaptureError when torch cannot trace the network; the message carries torch's own first lines.
    """
    more = more_inputs or {}
    examples = tuple(torch.zeros((1, *shape)) for shape in (input_size, *more.values()))
    # The exporter moves parameters into the program: a copy keeps the caller's module as it was.
    network = copy.deepcopy(module).eval()
    try:
        with quiet_torch():
            names = _flattened(network, examples)
            program = torch.onnx.export(
                network,
                examples,
                dynamo=True,
                verbose=False,
                opset_version=CAPTURE_OPSET,
                input_names=["input", *more],
                optimize=True,
            )
    except Exception as error:
        raise CaptureError(_explain(error, input_size)) from error
    if program is None:
        message = "torch.onnx.export returned no program: expected an ONNXProgram; is torch at least 2.9?"
        raise CaptureError(message)
    return captured_from(program.model, names)


def captured_from(model: ir.Model, names: Sequence[str | None]) -> Captured:
    """The same of a graph that torch's exporter has just made. names: of its outputs, where the code has any."""
    _name_outputs(model.graph, names)
    paths = {output.name: _module_path(node) for node in model.graph for output in node.outputs}
    taps = _taps(model.graph)
    simplified = simplify(model)
    for node in simplified.graph:
        # A Split that torch's optimiser made of a sequence has lost its scope; its reader knows it.
        path = _weight_path(node) or paths.get(node.outputs[0].name) or _reader_path(node, paths)
        node.metadata_props[MODULE_KEY] = path or ""
    present = {output.name for node in simplified.graph for output in node.outputs}
    return Captured(
        model=simplified,
        taps=tuple(tap for tap in taps if tap.value_name in present),
        output_kinds=kinds_of(simplified.graph),
    )


def _explain(error: Exception, input_size: tuple[int, int, int]) -> str:
    """What torch says of the innermost cause; its outer errors are advice on changing torch."""
    cause = error
    while isinstance(cause.__cause__, Exception):
        cause = cause.__cause__
    lines = [line.strip() for line in _TERMINAL_COLOUR.sub("", str(cause)).splitlines() if line.strip()]
    return (
        f"torch could not capture the network at batch 1, input {input_size}: expected a network that runs on one "
        "image and whose control flow does not depend on its values; found:\n    "
        + "\n    ".join(lines[:3] or [type(cause).__name__])
        + "\n  Try the forward pass on one image of that size, or give the size it was trained at (--input-size)."
    )


def _flattened(network: nn.Module, examples: Sequence[torch.Tensor]) -> tuple[str | None, ...]:
    """The network returns its tensors side by side, which is all that torch's exporter takes; their own names."""
    with torch.no_grad():
        result = network(*examples)
    if isinstance(result, torch.Tensor):
        return (None,)
    located = located_tensors(result)
    own = type(network)

    def forward(self: nn.Module, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(tensors_of(own.forward(self, *inputs)))

    # A class of its own, not a module around it: the paths of the modules stay what they are.
    network.__class__ = type(own.__name__, (own,), {"forward": forward})
    return names_of([path for path, _ in located])


def _name_outputs(graph: ir.Graph, names: Sequence[str | None]) -> None:
    """Outputs have the names of the network's code, else the field's usual one for a single one, else `output<i>`."""
    for value in _inner_values(graph):
        if value.name in names:
            value.name = f"{value.name}_inner"
    taken = {value.name for value in (*_inner_values(graph), *graph.inputs)}
    single = len(graph.outputs) == 1
    for value, name, number in zip(graph.outputs, names, range(len(names)), strict=True):
        wanted = name or ((usual_name(value) or "output") if single else f"output{number}")
        if value.is_graph_input():
            continue
        while wanted in taken:
            wanted = f"{wanted}_output"
        value.name = wanted


def _inner_values(graph: ir.Graph) -> list[ir.Value]:
    """What the graph computes or stores and does not return."""
    computed = [output for node in graph for output in node.outputs]
    return [value for value in (*computed, *graph.initializers.values()) if not value.is_graph_output()]


def _scopes(node: ir.Node) -> tuple[str, ...]:
    text = node.metadata_props.get(_SCOPES_KEY)
    if text is None:
        return ()
    scopes = ast.literal_eval(text)
    return tuple(str(scope) for scope in scopes[:-1])


def _module_path(node: ir.Node) -> str:
    scopes = _scopes(node)
    return scopes[-1] if scopes else ""


def _weight_path(node: ir.Node) -> str:
    """The module that owns a node's weight: a folded BatchNorm must not give its name to the convolution."""
    weight = node.inputs[1] if len(node.inputs) > 1 else None
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm") or weight is None or not weight.is_initializer():
        return ""
    owner, _, leaf = (weight.name or "").rpartition(".")
    return owner if leaf == "weight" else ""


def _reader_path(node: ir.Node, paths: dict[str | None, str]) -> str:
    """The longest path shared by all readers of a node."""
    readers = [paths.get(use.node.outputs[0].name, "").split(".") for out in node.outputs for use in out.uses()]
    if not readers:
        return ""
    shared = readers[0]
    for parts in readers[1:]:
        length = next(
            (i for i, (a, b) in enumerate(zip(shared, parts, strict=False)) if a != b),
            min(len(shared), len(parts)),
        )
        shared = shared[:length]
    return ".".join(shared)


def _taps(graph: ir.Graph) -> tuple[Tap, ...]:
    """The one value that leaves each module's scope; modules with several or none are left out."""
    leaving: dict[str, list[str]] = {}
    order: dict[str, int] = {}
    for index, node in enumerate(graph):
        for output in node.outputs:
            inside = set(_scopes(node))
            outside_readers = [use.node for use in output.uses()]
            for scope in inside - {""}:
                if output.is_graph_output() or any(scope not in _scopes(reader) for reader in outside_readers):
                    leaving.setdefault(scope, []).append(output.name or "")
                    order[scope] = index
    taps = [Tap(value_name=names[0], module_path=scope) for scope, names in leaving.items() if len(names) == 1]
    calls = Counter(tap.value_name for tap in taps)
    taps.sort(key=lambda tap: (order[tap.module_path], calls[tap.value_name], -len(tap.module_path)))
    return tuple(taps)
