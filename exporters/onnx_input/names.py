"""What every operator of a given file is called: the module it comes from, as far as the file tells."""

from __future__ import annotations

import ast
import re

import onnx
import onnx_ir as ir

from condmix.exporters.captured import Tap
from condmix.exporters.graph.facts import MODULE_KEY, is_op

_SCOPES_KEY = "pkg.torch.onnx.name_scopes"
_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization")
_CALL_NUMBER = re.compile(r"_\d+$")


def paths_of(proto: onnx.ModelProto) -> dict[str, str]:
    """Value name -> path of the operator that computes it, of every value in the file.

    Our own files and torch's newer exporter name the module in the metadata; torch's older one has it in the names of
    nodes (/blocks/blocks.0/conv/Conv), TensorFlow's exporters as a folder (model/block1a/conv), others not at all.
    """
    weights = {tensor.name for tensor in proto.graph.initializer}
    paths: dict[str, str] = {}
    for node in proto.graph.node:
        path = _from_metadata(node) or _from_weight(node, weights) or _from_name(node)
        paths.update(dict.fromkeys(node.output, path))
    return paths


def give_paths(model: ir.Model, paths: dict[str, str]) -> None:
    """Every node of the graph carries its path, that of its own output or else of its first named reader or writer."""
    for node in model.graph:
        path = paths.get(node.outputs[0].name or "", "") or _from_weight_value(node)
        node.metadata_props[MODULE_KEY] = path
    for node in reversed(list(model.graph)):
        if not node.metadata_props[MODULE_KEY]:
            readers = [use.node.metadata_props[MODULE_KEY] for output in node.outputs for use in output.uses()]
            node.metadata_props[MODULE_KEY] = next((reader for reader in readers if reader), "")


def taps_of(model: ir.Model) -> tuple[Tap, ...]:
    """The last value of every named place, in order: where a failed stage is looked for."""
    last: dict[str, str] = {}
    for node in model.graph:
        path = node.metadata_props.get(MODULE_KEY, "")
        if path and len(node.outputs) == 1 and node.outputs[0].dtype == ir.DataType.FLOAT:
            last.pop(path, None)
            last[path] = node.outputs[0].name or ""
    return tuple(Tap(value_name=value, module_path=path) for path, value in last.items())


def _from_metadata(node: onnx.NodeProto) -> str:
    found = {entry.key: entry.value for entry in node.metadata_props}
    if found.get(MODULE_KEY):
        return str(found[MODULE_KEY])
    try:
        scopes = ast.literal_eval(found.get(_SCOPES_KEY, "()"))
        names = [str(scope) for scope in scopes[:-1]]
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return ""
    return names[-1] if names else ""


def _from_weight(node: onnx.NodeProto, weights: set[str]) -> str:
    if node.op_type not in _LAYERS or len(node.input) < 2 or node.input[1] not in weights:
        return ""
    return _owner(node.input[1])


def _from_weight_value(node: ir.Node) -> str:
    weight = node.inputs[1] if len(node.inputs) > 1 and is_op(node, *_LAYERS) else None
    return _owner(weight.name or "") if weight is not None and weight.is_initializer() else ""


def _owner(weight: str) -> str:
    """`blocks.0.conv` of `blocks.0.conv.weight`."""
    owner, _, leaf = weight.rpartition(".")
    return owner if leaf in ("weight", "weight_v") and "/" not in owner and not owner.startswith("onnx::") else ""


def _from_name(node: onnx.NodeProto) -> str:
    """The folder of a node's name. torch repeats the outer names in every inner one: /blocks/blocks.0/blocks.0.1."""
    parts = [part for part in node.name.split("/") if part]
    if len(parts) < 2:
        return node.name.strip("/") if "/" not in node.name and not _is_numbered(node) else ""
    if not node.name.startswith("/"):
        return "/".join(parts[:-1])
    # A module in a list or a sequence names its parent too (blocks.0 within blocks); any other one does not.
    path = ""
    for part in (_CALL_NUMBER.sub("", part) if "." in part else part for part in parts[:-1]):
        last = path.rpartition(".")[2]
        repeats = path and (part.startswith(f"{path}.") or (last and part.startswith(f"{last}.")))
        if not path or part.startswith(f"{path}."):
            path = part
        elif repeats:
            path = f"{path.removesuffix(last)}{part}"
        else:
            path = f"{path}.{part}"
    return path


def _is_numbered(node: onnx.NodeProto) -> bool:
    """Conv_12, node_Conv_12, p2o.Conv.12 and n7 say nothing."""
    kind = re.escape(node.op_type)
    return bool(re.fullmatch(rf"(?:node|n|p2o)?[\W_]*(?:{kind})?[\W_]*\d*", node.name))
