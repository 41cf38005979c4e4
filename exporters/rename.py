"""Inputs and outputs of a captured network under the names that a user gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from condmix.exporters.captured import Captured, Tap
from condmix.exporters.errors import OptionsError
from condmix.exporters.output_kinds import renamed as renamed_kinds
from condmix.exporters.verify.oracle import Oracle, Reference

_SOUND = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-/:]*")


def with_names(
    captured: Captured, oracle: Oracle, inputs: Sequence[str] | None, outputs: Sequence[str] | None
) -> tuple[Captured, Oracle]:
    """The network and its yardstick with these names, in their order; None leaves the names as they are.

    The graph itself is renamed in place. Raises OptionsError with everything that is wrong with the names.
    """
    if inputs is None and outputs is None:
        return captured, oracle
    graph = captured.model.graph
    problems = [
        *_problems("input", graph.inputs, inputs),
        *_problems("output", graph.outputs, outputs),
        *_clashes(graph, inputs, outputs),
    ]
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        message = f"these names cannot be given:\n{listed}"
        raise OptionsError(message)
    names: dict[str, str] = {}
    for values, wanted in ((graph.inputs, inputs), (graph.outputs, outputs)):
        for value, name in zip(values, wanted or (), strict=False):
            names[str(value.name)] = name
    # Two steps: a name that one value gives up may be another's.
    values_of = {name: value for value in (*graph.inputs, *graph.outputs) if (name := str(value.name)) in names}
    for index, value in enumerate(values_of.values()):
        value.name = f"__renamed_{index}"
    for old, value in values_of.items():
        value.name = names[old]
    taps = tuple(replace(tap, value_name=names.get(tap.value_name, tap.value_name)) for tap in captured.taps)
    kinds = renamed_kinds(captured.output_kinds, names)
    return (
        replace(captured, taps=taps, output_kinds=kinds),
        RenamedOracle(oracle=oracle, old_names={new: old for old, new in names.items()}),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class RenamedOracle:
    """Another oracle under new names. Conforms to `condmix.exporters.verify.oracle.Oracle`. old_names: by new one."""

    oracle: Oracle
    old_names: Mapping[str, str]

    @property
    def name(self) -> str:
        """As reports call it."""
        return self.oracle.name

    def reference(self, images_nchw: np.ndarray, output_names: Sequence[str]) -> Reference:
        """The outputs for every image, in both precisions."""
        found = self.oracle.reference(images_nchw, self._old(output_names))
        return Reference(float64=self._new(found.float64, output_names), float32=self._new(found.float32, output_names))

    def float64(self, images_nchw: np.ndarray, output_names: Sequence[str]) -> dict[str, np.ndarray]:
        """The same in float64 alone."""
        return self._new(self.oracle.float64(images_nchw, self._old(output_names)), output_names)

    def inner(self, taps: Sequence[Tap], image_chw: np.ndarray) -> Reference:
        """Inner values for one image, by the tap's value."""
        asked = [replace(tap, value_name=self.old_names.get(tap.value_name, tap.value_name)) for tap in taps]
        found = self.oracle.inner(asked, image_chw)
        back = {old.value_name: new.value_name for old, new in zip(asked, taps, strict=True)}
        return Reference(
            float64={back[name]: rows for name, rows in found.float64.items()},
            float32={back[name]: rows for name, rows in found.float32.items()},
        )

    def _old(self, names: Sequence[str]) -> list[str]:
        return [self.old_names.get(name, name) for name in names]

    def _new(self, rows: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
        return {name: rows[old] for name, old in zip(names, self._old(names), strict=True)}


def _problems(side: str, values: Sequence[ir.Value], names: Sequence[str] | None) -> list[str]:
    if names is None:
        return []
    found = []
    if len(names) != len(values):
        listed = ", ".join(f"'{value.name}'" for value in values)
        found.append(
            f"--{side}-names gives {len(names)}: expected {len(values)}, one for each of {listed}, in that order"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    found += [f"--{side}-names gives '{name}' twice: each name is for one {side}" for name in twice]
    found += [
        f"--{side}-names gives '{name}': expected letters, digits and _ . - / : after a first letter"
        for name in dict.fromkeys(names)
        if not _SOUND.fullmatch(name)
    ]
    return found


def _clashes(graph: ir.Graph, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> list[str]:
    """Names that are taken: by inner values, or by the other side."""
    ends = (*graph.inputs, *graph.outputs)
    computed = (value for node in graph for value in node.outputs)
    inner = {str(value.name) for value in (*computed, *graph.initializers.values()) if value not in ends}
    found = [
        f"--{side}-names gives '{name}', which is a value inside the network: choose another name"
        for side, names in (("input", inputs), ("output", outputs))
        for name in dict.fromkeys(names or ())
        if name in inner
    ]
    final_inputs = set(inputs if inputs is not None else (str(value.name) for value in graph.inputs))
    final_outputs = outputs if outputs is not None else [str(value.name) for value in graph.outputs]
    found += [
        f"'{name}' would be an input and an output: choose another name for one of them"
        for name in dict.fromkeys(final_outputs)
        if name in final_inputs
    ]
    return found
