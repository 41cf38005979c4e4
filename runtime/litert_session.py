"""Running TFLite files in LiteRT (ai-edge-litert) on the CPU.

The engine is imported when a file is opened, never with this module. Shapes are those of the file: a batch of
another size is refused, not resized. A session is for one thread at a time.
"""

from __future__ import annotations

import importlib
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, cast

import numpy as np

from condmix.runtime.engine_log import quiet_engine_log
from condmix.runtime.errors import (
    EngineMissingError,
    InvalidSettingError,
    ModelUnreadableError,
    SessionFailedError,
    describe_place,
    one_line,
)
from condmix.runtime.litert_signature import DescribesItself, ScaledTensorDetails, read_signature
from condmix.runtime.records import unknown_name
from condmix.runtime.signature import Signature, Tensor
from condmix.runtime.tflite_structure import structure_problem

ENGINE = "ai-edge-litert"
EXTRA = "litert"
DELEGATE_NODE = "DELEGATE"
_MODULE = "ai_edge_litert.interpreter"


class _NodeDetails(TypedDict):
    op_name: str
    inputs: np.ndarray[Any, np.dtype[np.int32]]
    outputs: np.ndarray[Any, np.dtype[np.int32]]


class _Interpreter(DescribesItself, Protocol):
    """The part of ai_edge_litert.interpreter.Interpreter that is used here."""

    def allocate_tensors(self) -> None: ...
    def get_tensor_details(self) -> list[ScaledTensorDetails]: ...
    def set_tensor(self, tensor_index: int, value: Tensor) -> None: ...
    def get_tensor(self, tensor_index: int) -> Tensor: ...
    def reset_all_variables(self) -> None: ...
    def invoke(self) -> None: ...
    def _get_ops_details(self) -> list[_NodeDetails]: ...


@dataclass(frozen=True, kw_only=True)
class GraphNode:
    """One node of the graph as the engine holds it: an operator of the file, or a partition of the delegate.

    inputs, outputs: tensor numbers; inputs that are left out are not listed.
    """

    operator: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def is_delegate(self) -> bool:
        """The node stands for a part of the graph that the delegate computes."""
        return self.operator == DELEGATE_NODE


class LiteRtSession:
    """An open TFLite file. Made by `LiteRtBackend.open`."""

    def __init__(self, interpreter: _Interpreter, *, place: str, delegate: bool, preserves_tensors: bool) -> None:
        self._interpreter = interpreter
        self._place = place
        self._delegate = delegate
        self._preserves_tensors = preserves_tensors
        self._has_run = False
        read = read_signature(interpreter, place)
        self._signature = read.signature
        self._input_numbers = read.input_numbers
        self._output_numbers = read.output_numbers

    @property
    def signature(self) -> Signature:
        """What the file takes and gives: names from its SignatureDef, else of its tensors; all axes fixed.

        Layouts are None because TFLite does not state them.
        """
        return self._signature

    @property
    def uses_delegate(self) -> bool:
        """The XNNPACK delegate was offered the graph when the file was opened."""
        return self._delegate

    @property
    def preserves_tensors(self) -> bool:
        """Inner tensors can be read; the delegate then takes every operator as a part of its own."""
        return self._preserves_tensors

    def run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All outputs by name, as arrays of their own.

        Raises SignatureMismatchError (all mismatches at once) or SessionFailedError.
        """
        self._signature.check(feeds)
        return self.run_checked(feeds)

    def run_checked(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All outputs by name, of feeds that are known to fit: what is timed is the engine, not the check.

        Raises SessionFailedError.
        """
        try:
            self._interpreter.reset_all_variables()
            for name, number in self._input_numbers.items():
                # Not ascontiguousarray: that would make a vector of a single number.
                self._interpreter.set_tensor(number, np.asarray(feeds[name], order="C"))
            self._interpreter.invoke()
            outputs = {name: self._interpreter.get_tensor(number) for name, number in self._output_numbers.items()}
        except (RuntimeError, ValueError) as error:
            raise SessionFailedError(ENGINE, self._place, one_line(error)) from error
        self._has_run = True
        return outputs

    def end_scales(self) -> dict[str, tuple[float, int]]:
        """(scale, zero point) of the inputs and outputs that the file stores as scaled integers, by name."""
        details = {item["index"]: item["quantization"] for item in self._interpreter.get_tensor_details()}
        numbers = {**self._input_numbers, **self._output_numbers}
        return {name: details[number] for name, number in numbers.items() if details[number][0] > 0}

    def tensor_names(self) -> tuple[str, ...]:
        """The names under which `tensor` reads: the inputs, then what the operators write, in running order.

        Constants, what is computed from constants alone, and tensors whose name is empty or carried by another tensor
        too are not among them.
        """
        return tuple(self._inner_numbers)

    def tensor(self, name: str) -> Tensor:
        """The value that an input or inner tensor had in the last run, as an array of its own.

        Raises InvalidSettingError when the session does not preserve tensors, has not run, does not know the
        name or when the engine never stored that tensor.
        """
        numbers = self._inner_numbers
        problems = []
        if not self._preserves_tensors:
            problems.append("this session keeps no inner tensors: open the file with preserve_all_tensors=True")
        elif not self._has_run:
            problems.append("there are no values yet: run the session first")
        if name not in numbers:
            problems.append(unknown_name(name, tuple(numbers)))
        if problems:
            raise InvalidSettingError(problems, record=f"value of tensor {name!r}")
        try:
            return self._interpreter.get_tensor(numbers[name])
        except ValueError as error:
            problem = f"the engine stores no value for it: {one_line(error)}"
            raise InvalidSettingError([problem], record=f"value of tensor {name!r}") from error

    def real(self, name: str) -> Tensor:
        """The same as real numbers, float64: what is stored as integers with one scale is brought back."""
        value = self.tensor(name)
        details = next(
            item for item in self._interpreter.get_tensor_details() if item["index"] == self._inner_numbers[name]
        )
        scale, zero_point = details["quantization"]
        real = value.astype(np.float64)
        return scale * (real - zero_point) if scale > 0 else real

    def nodes(self) -> tuple[GraphNode, ...]:
        """The operators of the file in running order, then one node for each partition of the delegate."""
        return tuple(
            GraphNode(
                operator=node["op_name"],
                inputs=tuple(int(number) for number in node["inputs"] if number >= 0),
                outputs=tuple(int(number) for number in node["outputs"] if number >= 0),
            )
            for node in self._interpreter._get_ops_details()
        )

    @cached_property
    def _inner_numbers(self) -> dict[str, int]:
        """Name -> number of what `tensor` reads."""
        names = {details["index"]: details["name"] for details in self._interpreter.get_tensor_details()}
        carriers = Counter(names.values())
        # An engine may fold what depends on no input (weights stored rounded, say) and never fill its tensor.
        varying = dict.fromkeys(self._input_numbers.values())
        for node in self.nodes():
            if not node.is_delegate and not varying.keys().isdisjoint(node.inputs):
                varying.update(dict.fromkeys(node.outputs))
        named = {number: names.get(number, "") for number in varying}
        return {name: number for number, name in named.items() if name and carriers[name] == 1}


class LiteRtBackend:
    """LiteRT with its CPU kernels. Conforms to `condmix.runtime.session.Backend`."""

    @property
    def name(self) -> str:
        """The engine's name in reports."""
        return ENGINE

    def available(self) -> str | None:
        """None when LiteRT can be imported, else why not."""
        try:
            _import_engine()
        except EngineMissingError as error:
            return str(error)
        return None

    def open(
        self, model: Path | bytes, *, threads: int, delegate: bool = True, preserve_all_tensors: bool = False
    ) -> LiteRtSession:
        """A session on the model, quiet, computing on `threads` threads.

        model: a path, or the bytes of a file.
        delegate: offer the graph to XNNPACK, as the engine does by itself; False: its builtin kernels only.
        preserve_all_tensors: keep every inner tensor for `tensor`; more memory, and slower with the delegate.

        Raises InvalidSettingError, EngineMissingError or ModelUnreadableError.
        """
        if threads < 1:
            raise InvalidSettingError([f"threads must be at least 1, found {threads}"], record="session")
        _import_engine()
        self.check(model)
        return self.open_checked(model, threads=threads, delegate=delegate, preserve_all_tensors=preserve_all_tensors)

    def check(self, model: Path | bytes) -> None:
        """The file is there and holds together; the engine would die of one that does not.

        Raises ModelUnreadableError.
        """
        place = describe_place(model)
        if isinstance(model, Path) and not model.is_file():
            reason = "it is a folder" if model.is_dir() else "there is no such file"
            raise ModelUnreadableError(place, reason, "Give the path of a .tflite file.")
        try:
            empty = (len(model) if isinstance(model, bytes) else model.stat().st_size) == 0
            damage = None if empty else structure_problem(model)
        except OSError as error:
            raise ModelUnreadableError(place, f"it cannot be read: {one_line(error)}", "Check its rights.") from error
        if empty:
            raise ModelUnreadableError(place, "it is empty", "Export the model again.")
        if damage is not None:
            raise ModelUnreadableError(place, f"it is damaged: {damage}", "Copy or export it again.")

    def open_checked(
        self, model: Path | bytes, *, threads: int, delegate: bool = True, preserve_all_tensors: bool = False
    ) -> LiteRtSession:
        """The same of a file that has passed `check`: what is timed is the engine's opening, not the check.

        Raises EngineMissingError or ModelUnreadableError.
        """
        engine, place = _import_engine(), describe_place(model)
        source = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
        resolvers = engine.OpResolverType
        resolver = resolvers.BUILTIN if delegate else resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            with quiet_engine_log(), warnings.catch_warnings():
                # It warns of the memory that preserving takes, which the caller has asked for.
                warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
                interpreter = engine.Interpreter(
                    **source,
                    num_threads=threads,
                    experimental_op_resolver_type=resolver,
                    experimental_preserve_all_tensors=preserve_all_tensors,
                )
                interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            next_step = "Check that it is a complete TFLite file whose operators and versions this engine knows."
            raise ModelUnreadableError(place, f"{ENGINE} says: {one_line(error)}", next_step) from error
        return LiteRtSession(
            cast(_Interpreter, interpreter), place=place, delegate=delegate, preserves_tensors=preserve_all_tensors
        )


if TYPE_CHECKING:
    from condmix.runtime.session import Backend

    _conforms: Backend = LiteRtBackend()


def _import_engine() -> ModuleType:
    try:
        return importlib.import_module(_MODULE)
    except ImportError as error:
        raise EngineMissingError(ENGINE, EXTRA, one_line(error)) from error
