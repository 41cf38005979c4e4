"""A .pt2 file of torch.export.save as a program that runs in float32 and in float64."""

from __future__ import annotations

import copy
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn
from torch.export import ExportedProgram

from condmix.exporters.errors import ProgramInputError
from condmix.exporters.program.archive import require_plain
from condmix.exporters.program.refused import first_line, refused
from condmix.exporters.quiet_torch import quiet_torch

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_BATCH_NORMS = ("batch_norm", "_native_batch_norm_legit_functional", "native_batch_norm", "instance_norm")
_DROPOUTS = ("dropout", "feature_dropout", "alpha_dropout", "native_dropout")


def load_exported(path: Path, *, allow_pickle: bool) -> ExportedProgram:
    """The program in the file, in inference. Nothing but torch itself is run, unless `allow_pickle`.

    Raises ProgramInputError.
    """
    place = str(path)
    if not allow_pickle:
        require_plain(path)
        _require_plain_samples(path)
    try:
        with quiet_torch():
            program = torch.export.load(path)
    except Exception as error:  # whatever torch meets in a file that is not as it wrote it
        text = f"torch {torch.__version__} cannot load it: {first_line(error)}: save it again with this torch"
        raise refused(place, "PROGRAM_DAMAGED", text) from error
    problems = tuple(("PROGRAM_TRAINING", text) for text in training_operators(program.graph))
    if problems:
        raise ProgramInputError(place, problems)
    return program


def as_module(path: Path, program: ExportedProgram) -> ProgramModule:
    """The program ready to run. Raises ProgramInputError for one whose parts do not belong together."""
    try:
        return ProgramModule(program)
    except Exception as error:  # a description that was changed by hand, or damaged
        text = f"its parts do not belong together: {first_line(error)}: save it again"
        raise refused(str(path), "PROGRAM_DAMAGED", text) from error


def _require_plain_samples(path: Path) -> None:
    """Sample inputs are a file of torch.save; torch would unpickle them without limits if the safe way failed."""
    with zipfile.ZipFile(path) as archive:
        for name in (name for name in archive.namelist() if "/data/sample_inputs/" in name):
            try:
                with quiet_torch():
                    torch.load(io.BytesIO(archive.read(name)), map_location="cpu", weights_only=True)
            except Exception as error:  # noqa: BLE001 (a damaged or hostile pickle raises anything; it is refused)
                text = (
                    f"its sample inputs are more than tensors ({first_line(error)[:100]}): export it with tensors as "
                    "inputs, or, if you trust where it comes from, give --allow-pickle"
                )
                raise refused(str(path), "PROGRAM_PICKLE", text) from None


def training_operators(graph: fx.Graph) -> Iterator[str]:
    """BatchNorm and Dropout as they are in training, in words."""
    advice = "call network.eval() before torch.export.export"
    for node in graph.nodes:
        operator = getattr(node.target, "_schema", None)
        if node.op != "call_function" or operator is None:
            continue
        name = str(operator.name).removeprefix("aten::")
        given = dict(zip((item.name for item in operator.arguments), node.args, strict=False)) | node.kwargs
        if name in _BATCH_NORMS and (given.get("training") or given.get("use_input_stats")):
            yield f"'{node.name}' measures its statistics from each batch{_place(node)}: {advice}"
        elif name.removesuffix("_") in _DROPOUTS and given.get("train") and given.get("p", 0.5):
            yield f"'{node.name}' drops numbers at random{_place(node)}: {advice}"
        elif name == "_native_batch_norm_legit" and not hasattr(given.get("running_mean"), "op"):
            yield f"'{node.name}' measures its statistics from each batch{_place(node)}: {advice}"


def _place(node: fx.Node) -> str:
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = str(stack[-1][0]) if stack else ""
    return f" (module {path})" if path else ""


class ProgramModule(nn.Module):
    """An exported program as an ordinary module: it can be copied, cast, and computes in the precision of its input.

    Precisions that the program names itself (a tensor of zeros in float32, a cast) follow the input as well.
    """

    def __init__(self, program: ExportedProgram) -> None:
        super().__init__()
        with quiet_torch():
            graph = program.module(check_guards=False)
            # What torch returns refuses eval() and copies; a plain graph module does not.
            self.graph = fx.GraphModule(graph, graph.graph)

    @property
    def is_float32(self) -> bool:
        """Whether all its numbers and the precisions that it names are float32."""
        named = [item for node in self.graph.graph.nodes for item in _dtypes(node)]
        stored = [tensor.dtype for tensor in self.state_dict().values() if tensor.is_floating_point()]
        return all(dtype is torch.float32 for dtype in (*named, *stored))

    def in_float32(self) -> fx.GraphModule:
        """The program's graph with every number and every precision that it names in float32."""
        with quiet_torch():
            graph = copy.deepcopy(self.graph).float()
        for node in list(graph.graph.nodes):
            if "_assert_tensor_metadata" in str(node.target):
                graph.graph.erase_node(node)
            elif node.op == "call_function":
                change = fx.node.map_aggregate
                node.args, node.kwargs = change((node.args, dict(node.kwargs)), _to_float32)
            elif node.op == "get_attr":
                _attribute_to_float32(graph, str(node.target))
        graph.recompile()
        return graph

    def __deepcopy__(self, memo: dict[int, Any]) -> ProgramModule:
        other = ProgramModule.__new__(ProgramModule)
        nn.Module.__init__(other)
        with quiet_torch():
            other.graph = copy.deepcopy(self.graph, memo)
        return other.train(self.training)

    def forward(self, *inputs: torch.Tensor) -> Any:  # the structure of the program's results
        """The program's results in the precision of its first input."""
        return _InPrecision(self.graph, inputs[0].dtype).run(*inputs)


def _to_float32(item: Any) -> Any:
    return torch.float32 if isinstance(item, torch.dtype) and item in _FLOATS else item


def _dtypes(node: fx.Node) -> list[torch.dtype]:
    """The floating-point precisions that a node names, of its arguments and of the placeholders' samples."""
    found: list[torch.dtype] = []
    fx.node.map_aggregate((node.args, dict(node.kwargs)), lambda item: _note(item, found))
    sample = node.meta.get("val") if node.op == "placeholder" else None
    if isinstance(sample, torch.Tensor):
        _note(sample.dtype, found)
    return found


def _note(item: Any, found: list[torch.dtype]) -> Any:
    if isinstance(item, torch.dtype) and item in _FLOATS:
        found.append(item)
    return item


def _attribute_to_float32(graph: fx.GraphModule, target: str) -> None:
    """A stored tensor that is neither weight nor buffer."""
    owner_path, _, name = target.rpartition(".")
    owner = graph.get_submodule(owner_path)
    value = getattr(owner, name)
    if isinstance(value, torch.Tensor) and value.is_floating_point() and value.dtype is not torch.float32:
        setattr(owner, name, value.float())


class _InPrecision(fx.Interpreter):
    """Runs a graph with every floating-point precision in it replaced."""

    def __init__(self, graph: fx.GraphModule, dtype: torch.dtype) -> None:
        super().__init__(graph, garbage_collect_values=True)
        self._dtype = dtype

    def run_node(self, node: fx.Node) -> Any:
        # What its sample inputs were like: another precision is meant here.
        if "_assert_tensor_metadata" in str(node.target):
            return None
        return super().run_node(node)

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        changed_args, changed_kwargs = fx.node.map_aggregate((args, kwargs), self._changed)
        return super().call_function(target, changed_args, dict(changed_kwargs))

    def get_attr(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = super().get_attr(target, args, kwargs)
        return found.to(self._dtype) if isinstance(found, torch.Tensor) and found.is_floating_point() else found

    def _changed(self, item: object) -> Any:
        return self._dtype if item in _FLOATS and isinstance(item, torch.dtype) else item


__all__ = ["ProgramModule", "as_module", "load_exported", "training_operators"]
