"""From the operator set of a given file to the one that captures have, by ONNX's own converter."""

from __future__ import annotations

import onnx
import onnx.inliner
import onnx.version_converter

from condmix.exporters.captured import CAPTURE_OPSET
from condmix.exporters.errors import OnnxInputError
from condmix.exporters.onnx_input.refuse import STANDARD, opset_of


def upgrade(place: str, proto: onnx.ModelProto) -> onnx.ModelProto:
    """The same function in operator set CAPTURE_OPSET, newer operators as the older ones that define them.

    Raises OnnxInputError where the converter knows no way.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    copy.ir_version = max(copy.ir_version, 8)
    version = opset_of(proto)
    if version == CAPTURE_OPSET:
        return copy
    newer = _newer_operators(copy, version)
    try:
        if newer:
            ids = [("", name) for name in sorted(newer)]
            copy = onnx.inliner.inline_selected_functions(copy, ids, exclude=False, inline_schema_functions=True)
        names = {output: node.name for node in copy.graph.node for output in node.output}
        converted = onnx.version_converter.convert_version(copy, CAPTURE_OPSET)
    except Exception as error:  # the converter raises what its C++ does
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        text = (
            f"its operator set {version} cannot be brought to {CAPTURE_OPSET}: {first[:300]}: export it with that one"
        )
        raise OnnxInputError(place, (("ONNX_OPSET", text),)) from error
    for node in converted.graph.node:
        if not node.name and node.output and node.output[0] in names:
            node.name = names[node.output[0]]
    return converted


def _newer_operators(proto: onnx.ModelProto, version: int) -> set[str]:
    """Operators of the model that CAPTURE_OPSET does not have yet."""
    if version < CAPTURE_OPSET:
        return set()
    found = set()
    for node in proto.graph.node:
        if node.domain in STANDARD:
            try:
                onnx.defs.get_schema(node.op_type, CAPTURE_OPSET, "")
            except onnx.defs.SchemaError:
                found.add(node.op_type)
    return found
