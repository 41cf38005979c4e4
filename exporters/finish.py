"""The last steps before a file: readable names, operator set, metadata, and the full check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import onnx
import onnx_ir as ir

from condmix.exporters.errors import GraphError
from condmix.exporters.graph.facts import MODULE_KEY
from condmix.exporters.named.functions import attach_functions
from condmix.exporters.opset import convert_opset

IR_VERSION = 9
"""Read by ONNX Runtime 1.16 and newer; nothing in our files needs a later one."""


def finish(model: ir.Model, opset: int, metadata: Mapping[str, str], *, check: bool = True) -> onnx.ModelProto:
    """Return the model as an ONNX file's content. The model itself may be changed.

    check: with onnx.checker, in full; a stage that is only run, and so read by the engine, can do without.
    Raises GraphError when onnx.checker finds the result invalid, NotExportableError when the opset has no equal.
    """
    attach_functions(model)
    _name_nodes(model.graph)
    converted = convert_opset(model, opset) if not model.functions else model
    converted.ir_version = IR_VERSION
    converted.producer_name = "condmix"
    converted.producer_version = metadata.get("condmix_version", "")
    converted.graph.name = metadata.get("architecture", "") or "condmix"
    converted.doc_string = None
    converted.metadata_props.clear()
    converted.metadata_props.update(metadata)
    for node in converted.graph:
        node.doc_string = None
        path = node.metadata_props.get(MODULE_KEY)
        node.metadata_props.clear()
        if path:
            node.metadata_props[MODULE_KEY] = path
    proto = ir.to_proto(converted)
    if not check:
        return proto
    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        message = f"the written graph is not valid ONNX: {error}"
        raise GraphError(message) from error
    return proto


def _name_nodes(graph: ir.Graph) -> None:
    """Every node gets `<module path>/<operator>`, numbered where a module has several of a kind."""
    stems = [_stem(node) for node in graph]
    totals = Counter(stems)
    # A role may end in a number itself ("tap_0_1"): runtimes refuse two nodes of one name.
    taken = {stem for stem, total in totals.items() if total == 1}
    seen: Counter[str] = Counter()
    for node, stem in zip(graph, stems, strict=True):
        name = stem
        if totals[stem] > 1:
            while (name := f"{stem}_{seen[stem]}") in taken:
                seen[stem] += 1
            taken.add(name)
        node.name = name


def _stem(node: ir.Node) -> str:
    path = node.metadata_props.get(MODULE_KEY, "")
    name = node.name or ""
    if path and name.startswith(f"{path}/"):
        # A role given by the form that built the node says more than its operator; drop the driver's number.
        role = name.removeprefix(f"{path}/")
        head, _, tail = role.rpartition("_")
        return f"{path}/{head if tail.isdigit() and head else role}"
    return f"{path}/{node.op_type}" if path else node.op_type
