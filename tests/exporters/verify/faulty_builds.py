"""Builds with a fault put into one stage, for the tests of verification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx

from condmix.exporters.build import Build, build_from
from condmix.exporters.capture import Captured
from condmix.exporters.options import ExportOptions

Change = Callable[[np.ndarray], np.ndarray]


def built_with(captured: Captured, **choices: object) -> Build:
    return build_from(captured, ExportOptions(**choices), {}, lambda _stage: None)  # type: ignore[arg-type]


def with_stage(build: Build, name: str, change: Callable[[onnx.ModelProto], None]) -> Build:
    """The build with a changed copy of one stage."""
    stages = []
    for stage in build.stages:
        proto = onnx.ModelProto()
        proto.CopyFrom(stage.proto)
        if stage.name == name:
            change(proto)
        stages.append(replace(stage, proto=proto))
    return replace(build, stages=tuple(stages))


def with_constant(build: Build, stage: str, initializer: str, change: Change) -> Build:
    """The build with one stored array changed in one stage."""

    def edit(proto: onnx.ModelProto) -> None:
        (tensor,) = (item for item in proto.graph.initializer if item.name == initializer)
        array = change(onnx.numpy_helper.to_array(tensor).copy())
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, initializer))

    return with_stage(build, stage, edit)


def reversed_experts(array: np.ndarray) -> np.ndarray:
    return array[::-1].copy()


def one_element_off(array: np.ndarray) -> np.ndarray:
    array.flat[0] += np.abs(array).max()
    return array


def not_a_number(array: np.ndarray) -> np.ndarray:
    array.flat[0] = np.nan
    return array
