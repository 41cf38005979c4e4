"""Random networks export in every form and both formats and compute what PyTorch computes."""

from __future__ import annotations

import dataclasses

import onnx_ir as ir
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, reject, seed, settings

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.lower import condconv_kernel
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.kernel_mixing import mix_kernels
from condmix.exporters.named.condconv import CondConvLayer
from tests.random_networks import plan as plan_module
from tests.random_networks.int8 import int8_faults
from tests.random_networks.kept import KEPT
from tests.random_networks.modules import network_of, shape_after
from tests.random_networks.plan import CondConv, Convolution, MixConv, NetworkPlan, Shape, Window
from tests.random_networks.proof import prove
from tests.random_networks.strategies import plans

EXAMPLES = 10
IN_EVERY_RUN = 10
NIGHTLY = 200
"""Parts of `EXAMPLES` networks each, with the part's number as seed: a failure comes again in every run."""

PARTS = [pytest.param(part, marks=pytest.mark.slow) for part in range(IN_EVERY_RUN)] + [
    pytest.param(part, marks=pytest.mark.nightly) for part in range(IN_EVERY_RUN, NIGHTLY)
]

INT8_IN_EVERY_RUN = 3
INT8_PARTS = [pytest.param(0, marks=pytest.mark.slow)] + [
    pytest.param(part, marks=pytest.mark.nightly) for part in range(1, NIGHTLY // 5 + 1)
]

DRAWN = settings(
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
)


@pytest.mark.parametrize("part", PARTS)
def test_every_file_computes_what_pytorch_computes(part: int) -> None:
    compared = 0

    @seed(part)
    @settings(DRAWN, max_examples=EXAMPLES)
    @given(plans())
    def check(plan: NetworkPlan) -> None:
        nonlocal compared
        outcome = prove(plan)
        if outcome.unfit:
            reject()
        compared += outcome.compared
        assert outcome.faults == []

    check()
    # One image, any batch and two TFLite files at the least.
    assert compared >= 4 * EXAMPLES


@pytest.mark.parametrize("part", INT8_PARTS)
def test_int8_files_compute_what_they_say(part: int) -> None:
    """One in five of the nightly number; a few in every run."""
    proven = 0

    @seed(1000 + part)
    @settings(DRAWN, max_examples=EXAMPLES if part else INT8_IN_EVERY_RUN)
    @given(plans())
    def check(plan: NetworkPlan) -> None:
        nonlocal proven
        faults = int8_faults(plan)
        if faults is None:
            reject()
        proven += 1
        assert faults == []

    check()
    assert proven >= INT8_IN_EVERY_RUN


@pytest.mark.slow
@pytest.mark.parametrize("plan", [pytest.param(plan, id=name) for name, plan in KEPT])
def test_what_failed_once_still_holds(plan: NetworkPlan) -> None:
    assert prove(plan).faults == []


@pytest.mark.slow
def test_a_wrong_form_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiled(builder: NodeBuilder, layer: CondConvLayer, batch: BatchAxis) -> ir.Value:
        experts = layer.experts_eoihw.copy()
        experts[0] *= 1.01
        return mix_kernels(builder, dataclasses.replace(layer, experts_eoihw=experts), batch)

    monkeypatch.setattr(condconv_kernel, "mix_kernels", spoiled)
    faults = prove(dict(KEPT)["smallest"]).faults
    assert any(fault.startswith("onnx --batch 1 --condconv auto") for fault in faults), faults
    assert not any(fault.startswith("tflite") for fault in faults), faults


@given(plans())
@settings(max_examples=50, database=None, suppress_health_check=(HealthCheck.too_slow,))
def test_a_plan_is_built_again_from_what_is_printed(plan: NetworkPlan) -> None:
    assert eval(repr(plan), vars(plan_module)) == plan


def test_the_same_plan_is_the_same_network() -> None:
    plan = KEPT[0][1]
    first, second = network_of(plan).state_dict(), network_of(plan).state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("layer", "problem"),
    [
        (Convolution(channels=4, window=Window(), groups=3), "3 groups of 4 to 4 channels"),
        (CondConv(channels=4, window=Window(kernel=(9, 9), padding="valid")), "is too small for"),
        (MixConv(shares=(1, 2), kernels=(3, 5)), "for kernels"),
    ],
)
def test_a_plan_that_does_not_fit_together_is_refused(layer: Convolution | CondConv | MixConv, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        shape_after(layer, Shape(channels=4, height=6, width=6))


@pytest.mark.parametrize(
    ("window", "padded"),
    [
        (Window(kernel=(3, 5)), ((1, 1), (2, 2))),
        (Window(kernel=(3, 3), stride=(2, 2), padding="same"), ((0, 1), (1, 1))),
        (Window(kernel=(3, 3), dilation=(2, 2), padding="valid"), ((0, 0), (0, 0))),
    ],
)
def test_zeros_around_a_map(window: Window, padded: tuple[tuple[int, int], tuple[int, int]]) -> None:
    assert window.padded((6, 7)) == padded
