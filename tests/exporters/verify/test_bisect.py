"""The first module beyond the tolerance is the one whose numbers are wrong, wherever the fault is put."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from torch import nn

from condmix.exporters.build import Build
from condmix.exporters.capture import Captured, Tap
from condmix.exporters.verify.bisect import first_module_beyond
from condmix.exporters.verify.records import Blame
from condmix.runtime.parity_report import Verdict
from condmix.runtime.tolerance import Tolerance
from tests.exporters.networks import INPUT_SIZE
from tests.exporters.verify.faulty_builds import (
    Change,
    built_with,
    not_a_number,
    one_element_off,
    reversed_experts,
    with_constant,
    with_stage,
)

IMAGE = np.random.default_rng(0).standard_normal(INPUT_SIZE).astype(np.float32)


def blame(build: Build, stage: str, network: nn.Module) -> Blame | None:
    proto = next(item.proto for item in build.stages if item.name == stage)
    return first_module_beyond(stage, proto, build.taps, network, IMAGE, Tolerance.for_precision("float32"))


@pytest.mark.parametrize("stage", ["captured", "named", "rewritten", "final"])
def test_nobody_is_blamed_for_a_right_stage(captured: Captured, network: nn.Module, stage: str) -> None:
    assert blame(built_with(captured), stage, network) is None


@pytest.mark.parametrize(
    ("stage", "initializer", "change", "module"),
    [
        # The norm of the stem is folded at capture: the value behind it is the first there is.
        ("captured", "stem.0.weight", one_element_off, "stem.1"),
        ("captured", "routing.linear.bias", one_element_off, "routing.linear"),
        ("captured", "mix.branches.1.weight", one_element_off, "mix.branches.1"),
        ("named", "cond/experts", reversed_experts, "cond"),
        ("named", "cond_norm.running_mean", one_element_off, "cond_norm"),
        ("named", "mix/weight_1", one_element_off, "mix"),
        # By now the norms are in the layers in front, whose own values are gone.
        ("rewritten", "cond/experts_2", reversed_experts, "cond_norm"),
        ("rewritten", "depthwise/expert_bias", reversed_experts, "depthwise"),
        ("rewritten", "project/weight", one_element_off, "project"),
        ("final", "depthwise/expert_1", one_element_off, "depthwise"),
        ("final", "mix/expand_weight_1", one_element_off, "mix_norm"),
        ("final", "classifier.weight", one_element_off, "classifier"),
        ("final", "cond/experts", not_a_number, "cond_norm"),
    ],
)
def test_the_module_whose_numbers_are_wrong_is_named(
    captured: Captured, network: nn.Module, stage: str, initializer: str, change: Change, module: str
) -> None:
    found = blame(with_constant(built_with(captured), stage, initializer, change), stage, network)
    assert found is not None
    assert (found.stage, found.module_path) == (stage, module)
    assert not found.report.passed
    assert dict(found.report.context) == {"stage": stage, "module": module}
    assert found.value_name in {tap.value_name for tap in captured.taps}
    expected = Verdict.NOT_FINITE if change is not_a_number else Verdict.FAIL
    assert found.report.verdict is expected


def test_a_fault_behind_all_modules_names_none(captured: Captured, network: nn.Module) -> None:
    def double(proto: onnx.ModelProto) -> None:
        output = proto.graph.output[0].name
        proto.graph.node[-1].output[0] = "before"
        proto.graph.node.append(onnx.helper.make_node("Add", ["before", "before"], [output]))

    changed = with_stage(built_with(captured), "final", double)
    inner = tuple(tap for tap in changed.taps if tap.module_path != "classifier")
    proto = changed.final.proto
    assert first_module_beyond("final", proto, inner, network, IMAGE, Tolerance.for_precision("float32")) is None


def test_without_a_tap_in_the_stage_nobody_can_be_named(captured: Captured, network: nn.Module) -> None:
    built = with_constant(built_with(captured), "final", "classifier.weight", one_element_off)
    taps = (Tap(value_name="not in this graph", module_path="classifier"),)
    proto = built.final.proto
    assert first_module_beyond("final", proto, taps, network, IMAGE, Tolerance.for_precision("float32")) is None
