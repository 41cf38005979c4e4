"""What a TFLite interpreter says about the inputs and outputs of its file, as a Signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

import numpy as np

from condmix.runtime.errors import InvalidSettingError, ModelUnreadableError, one_line
from condmix.runtime.signature import Signature, TensorSpec

_DEFAULT_SIGNATURE = "serving_default"
_PLAIN_KINDS = "fiub"  # numpy kinds of float, int, uint, bool; strings and complex values are not for images


class TensorDetails(TypedDict):
    """The part of the interpreter's description of a tensor that is read here."""

    name: str
    index: int
    shape: np.ndarray[Any, np.dtype[np.int32]]
    dtype: type[np.generic]


class ScaledTensorDetails(TensorDetails):
    """The same with how its integers are real numbers."""

    quantization: tuple[float, int]
    """Scale and zero point; a scale of 0 where there is none for the whole tensor."""


class SignatureRunner(Protocol):
    """What an interpreter tells of one SignatureDef."""

    _subgraph_index: int

    def get_input_details(self) -> dict[str, TensorDetails]: ...
    def get_output_details(self) -> dict[str, TensorDetails]: ...


class DescribesItself(Protocol):
    """The part of an interpreter that tells about inputs and outputs."""

    def get_input_details(self) -> list[TensorDetails]: ...
    def get_output_details(self) -> list[TensorDetails]: ...
    def get_signature_list(self) -> dict[str, object]: ...
    def get_signature_runner(self, signature_key: str) -> SignatureRunner: ...


@dataclass(frozen=True, kw_only=True)
class NumberedSignature:
    """A signature with the tensor number of every input and output, in the same order."""

    signature: Signature
    input_numbers: Mapping[str, int]
    output_numbers: Mapping[str, int]


def read_signature(interpreter: DescribesItself, place: str) -> NumberedSignature:
    """The signature and the tensor numbers of its inputs and outputs, in the order of the graph.

    The names are those of the only SignatureDef, of `serving_default` among several, else of the tensors.
    Raises ModelUnreadableError for a file whose inputs and outputs cannot all be named or held by numpy.
    """
    plain_inputs, plain_outputs = interpreter.get_input_details(), interpreter.get_output_details()
    inputs = {details["name"]: details for details in plain_inputs}
    outputs = {details["name"]: details for details in plain_outputs}
    keys = list(interpreter.get_signature_list())
    key = keys[0] if len(keys) == 1 else _DEFAULT_SIGNATURE
    if keys and key not in keys:
        reason = f"it has {len(keys)} signatures ({', '.join(map(repr, keys))}) and none is {key!r}"
        raise ModelUnreadableError(place, reason, "Export one network a file.")
    problems = []
    if keys:
        runner = interpreter.get_signature_runner(key)
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
        if runner._subgraph_index != 0:
            problems.append(f"signature {key!r} is of subgraph {runner._subgraph_index}, expected 0")
    # Two names for one output are fine; an input that nobody can name stays unfed.
    if {one["index"] for one in inputs.values()} != {one["index"] for one in plain_inputs}:
        problems.append(f"the names {list(inputs)} do not name each of its {len(plain_inputs)} inputs")
    if not {one["index"] for one in outputs.values()} >= {one["index"] for one in plain_outputs}:
        problems.append(f"the names {list(outputs)} do not name each of its {len(plain_outputs)} outputs")
    problems += [
        f"no numpy array holds {name!r}: it is {np.dtype(details['dtype']).name}"
        for name, details in (*inputs.items(), *outputs.items())
        if np.dtype(details["dtype"]).kind not in _PLAIN_KINDS
    ]
    if problems:
        raise ModelUnreadableError(place, "; ".join(problems), "Export the model again with plain tensors.")
    order = [details["index"] for details in (*plain_inputs, *plain_outputs)]
    input_numbers = _in_order(inputs, order)
    output_numbers = _in_order(outputs, order)
    try:
        signature = Signature(
            inputs=tuple(_read_spec(name, inputs[name]) for name in input_numbers),
            outputs=tuple(_read_spec(name, outputs[name]) for name in output_numbers),
        )
    except InvalidSettingError as error:
        raise ModelUnreadableError(place, one_line(error), "Export the model again.") from error
    return NumberedSignature(signature=signature, input_numbers=input_numbers, output_numbers=output_numbers)


def _in_order(details: Mapping[str, TensorDetails], order: list[int]) -> dict[str, int]:
    """Name -> tensor number, in the order of the graph: the engine sorts a signature by name."""
    numbers = {name: int(one["index"]) for name, one in details.items()}
    return dict(sorted(numbers.items(), key=lambda item: order.index(item[1]) if item[1] in order else len(order)))


def _read_spec(name: str, details: TensorDetails) -> TensorSpec:
    shape = tuple(int(length) for length in details["shape"])
    return TensorSpec(name=name, shape=shape, dtype=np.dtype(details["dtype"]).name)
