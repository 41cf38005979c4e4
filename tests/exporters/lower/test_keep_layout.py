"""A MixNet keeps the runtime's blocked layout: no Split, no change of layout between its first and last convolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from condmix.exporters.build import build_prepared, prepare
from condmix.exporters.capture import capture
from condmix.exporters.lower.keep_layout import has_mixconv
from condmix.exporters.machine.graft import BLOCKED_DOMAIN, optimised
from condmix.exporters.options import ExportOptions
from condmix.models import zoo
from tests.exporters.graphs import assert_same, run

SIZE = 64


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return zoo.build("mixnet_s", {}).eval()


def test_a_whole_mixnet_is_laid_out_a_few_times_and_computes_the_same(network: torch.nn.Module) -> None:
    prepared = prepare(capture(network, (3, SIZE, SIZE)), ExportOptions(), {}, lambda _stage: None)
    assert has_mixconv(prepared.model.graph)
    built = build_prepared(prepared, ExportOptions(), {}, lambda _stage: None)
    assert {"activate_branches", "whole_blocks", "gate_images"} <= {step.rule for step in built.steps}
    images = np.random.default_rng(0).standard_normal((1, 3, SIZE, SIZE)).astype(np.float32)
    rewritten = next(stage.proto for stage in built.stages if stage.name == "rewritten")
    (expected,) = run(rewritten, {rewritten.graph.input[0].name: images}).values()
    (found,) = run(built.final.proto, {rewritten.graph.input[0].name: images}).values()
    assert_same(expected, found)
    nodes = optimised(built.final.proto).graph.node
    if not any(node.domain == BLOCKED_DOMAIN for node in nodes):
        pytest.skip("this build of ONNX Runtime has no blocked layout for this CPU")
    operators = [node.op_type for node in nodes]
    # Before these rules it was laid out 62 times.
    assert operators.count("ReorderInput") + operators.count("ReorderOutput") <= LAID_OUT
    assert operators.count("Upsample") == 13


LAID_OUT = 30
"""How often on a machine with AVX-512: two stages of few channels, and groups that a Split takes apart."""
