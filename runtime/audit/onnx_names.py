"""Where a node of an optimised graph came from: a node of the file, and the module that this one belongs to.

The optimiser renames what it fuses, but keeps an old name in front of the new one (`/stem/Conv_token_17`), that of
the last value where it blocks channels (`relu_1_nchwc`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from condmix.runtime.audit.onnx_file import OnnxGraph, OnnxNode

PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
JOINTS = frozenset({"Concat", "Slice", "Split"})
"""Nothing is fused across these; a BatchNormalization behind one becomes a convolution of its own."""
PUT_TOGETHER = frozenset({"Concat", "Pad"})
"""What kernels of several pieces are made with when a file is loaded."""
MOST_STEPS = 8
_FUSED = re.compile(r"^fused ")
_WEIGHT = re.compile(r"(?P<module>.+)\.(weight|bias|experts)(_quantized)?$")


class Origins:
    """Finds the nodes of a file again."""

    def __init__(self, file: OnnxGraph) -> None:
        self._file = file
        self._of_value = file.writer
        self._of_name: Mapping[str, int] = {node.name: place for place, node in enumerate(file.nodes) if node.name}

    def origin(self, node: OnnxNode) -> OnnxNode | None:
        """The node of the file that this one of the optimised graph computes, None when no name tells."""
        place = self._of_name.get(node.name)
        # What is fused or quantised keeps the end of its operator's name: FusedConv, QLinearSigmoid.
        if place is None or not node.op_type.endswith(self._file.nodes[place].op_type):
            places = [self._of_value[name] for name in node.outputs if name in self._of_value]
            place = places[0] if places else self._by_front_of(_FUSED.sub("", node.name))
        if place is None:
            return None
        return self._file.nodes[self._product_before(place, node.op_type)]

    def where(self, node: OnnxNode) -> str:
        """The module of the node, else its name in the file, else what it is called now."""
        origin = self.origin(node)
        found = None if origin is None else module_of(origin)
        return found or (origin.name if origin is not None else "") or node.name or (node.outputs or ("",))[0]

    def kernel_shape(self, node: OnnxNode) -> tuple[int, ...] | None:
        """Of a convolution, as the file stores its kernel; None when the file computes it or no name tells."""
        origin = self.origin(node)
        if origin is None or origin.op_type != "Conv":
            return None
        name = origin.inputs[1]
        if self.is_dequantized_constant(name):
            name = self._file.nodes[self._of_value[name]].inputs[0]
        return self._file.constants[name].shape if name in self._file.constants else None

    def is_dequantized_constant(self, name: str) -> bool:
        """The value of that name in the file is a constant stored as integers."""
        if name not in self._of_value:
            return False
        node = self._file.nodes[self._of_value[name]]
        return node.op_type == "DequantizeLinear" and self._is_stored(node.inputs[0])

    def _is_stored(self, name: str) -> bool:
        """It is a constant, or put together of constants."""
        if name in self._file.constants or name not in self._of_value:
            return name in self._file.constants
        node = self._file.nodes[self._of_value[name]]
        return node.op_type in PUT_TOGETHER and all(self._is_stored(item) for item in node.inputs)

    def _by_front_of(self, name: str) -> int | None:
        """The longest name of a node or value that stands whole in front of `name`."""
        for end in range(len(name), 0, -1):
            if end < len(name) and name[end].isalnum() and name[end - 1].isalnum():
                continue
            place = self._of_name.get(name[:end], self._of_value.get(name[:end]))
            if place is not None:
                return place
        return None

    def _product_before(self, place: int, op_type: str) -> int:
        """A product was fused with what follows it and may carry the name of that: walk back to the product."""
        product = next((name for name in PRODUCTS if op_type.removeprefix("QLinear").endswith(name)), None)
        product = "Gemm" if op_type == "QGemm" else product
        step = place
        for _ in range(MOST_STEPS if product is not None else 0):
            node = self._file.nodes[step]
            if node.op_type in PRODUCTS:
                return step
            if node.op_type in JOINTS:
                break
            before = [self._of_value[name] for name in node.inputs if name in self._of_value]
            if not before:
                break
            step = before[0]
        return place


def module_of(node: OnnxNode) -> str | None:
    """The module path that the node's note, name or weight tells; None when none does."""
    if node.scope:
        return node.scope
    path, slash, _ = node.name.rpartition("/")
    if slash and path.strip("/"):
        return path.strip("/")
    for name in node.inputs[1:]:
        if found := _WEIGHT.match(name):
            return found["module"]
    return None
