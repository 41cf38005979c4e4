"""Replacing nodes by nodes: the one place where a graph is edited.

Value names are meanings. A replacement computes the same function, so its result takes over the name of the
value it replaces; every stage of an export can therefore be compared with PyTorch under the same names.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx_ir as ir

from condmix.exporters.errors import GraphError
from condmix.exporters.graph.builder import NodeBuilder


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """New nodes for old ones: `results` pairs every value that is taken over with its new value.

    A new value that is not produced by `builder` (an input of the old nodes, for an identity) keeps its own name.
    """

    removed: tuple[ir.Node, ...]
    results: tuple[tuple[ir.Value, ir.Value], ...]
    builder: NodeBuilder = field(default_factory=lambda: NodeBuilder(""))
    note: str = ""


class Splicer:
    """Applies replacements to one graph and keeps its names unique."""

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        self._taken = {value.name for value in graph.inputs}
        self._taken.update(graph.initializers)
        self._taken.update(output.name for node in graph for output in node.outputs)
        self._node_names = {node.name for node in graph}

    def _unique(self, name: str, taken: set[str | None]) -> str:
        candidate, number = name, 2
        while candidate in taken:
            candidate, number = f"{name}_{number}", number + 1
        taken.add(candidate)
        return candidate

    def apply(self, replacement: Replacement) -> None:
        """Put the replacement in place and remove the old nodes. Raises GraphError when it leaves a reader behind."""
        for value in replacement.builder.constants:
            value.name = self._unique(value.name or "constant", self._taken)
            self.graph.register_initializer(value)
        for node in replacement.builder.nodes:
            node.name = self._unique(node.name or node.op_type, self._node_names)
            for output in node.outputs:
                output.name = self._unique(output.name or node.op_type, self._taken)
        anchor = replacement.removed[-1]
        self.graph.insert_before(anchor, replacement.builder.nodes)
        own = {id(output) for node in replacement.builder.nodes for output in node.outputs}
        for old, new in replacement.results:
            self._take_over(old, new, renamed=id(new) in own)
        for node in reversed(replacement.removed):
            for output in node.outputs:
                left = [use.node.name for use in output.uses() if use.node not in replacement.removed]
                if left or output.is_graph_output():
                    message = f"'{output.name}' is still read by {left or 'the graph output'} after its replacement"
                    raise GraphError(message)
        self.graph.remove(replacement.removed, safe=True)

    def _take_over(self, old: ir.Value, new: ir.Value, *, renamed: bool) -> None:
        name = old.name
        is_output = old.is_graph_output()
        if is_output and not renamed:
            message = f"'{name}' is a graph output: an identity cannot replace it"
            raise GraphError(message)
        ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)
        if renamed:
            self._taken.discard(new.name)
            old.name = self._unique(f"{name}/replaced", self._taken)
            new.name = name

    def finish(self) -> None:
        """Restore topological order and drop what nothing reads any more."""
        self.graph.sort()
        remove_unused(self.graph)


def remove_unused(graph: ir.Graph) -> None:
    """Drop nodes and initializers that no output depends on."""
    for node in reversed(list(graph)):
        if all(not output.uses() and not output.is_graph_output() for output in node.outputs):
            graph.remove(node, safe=True)
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            del graph.initializers[name]
