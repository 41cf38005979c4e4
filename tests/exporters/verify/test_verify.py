"""The whole proof: right builds pass at every batch, and a fault at any stage fails with the module to blame."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import pytest
from torch import nn

from condmix.exporters.build import Build, build
from condmix.exporters.capture import Captured
from condmix.exporters.options import ExportOptions
from condmix.exporters.verify import verify
from condmix.exporters.verify.records import Verification
from condmix.exporters.verify.verify import as_rows, run_in_batches
from condmix.runtime.batch_report import BatchVerdict
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.parity_report import Verdict
from condmix.runtime.session import Session
from condmix.runtime.tolerance import Tolerance
from tests.exporters.networks import INPUT_SIZE, IllConditioned, NotFinite, Squeezed, settled
from tests.exporters.verify.faulty_builds import (
    Change,
    built_with,
    not_a_number,
    one_element_off,
    reversed_experts,
    with_constant,
    with_stage,
)

verify_module = sys.modules["condmix.exporters.verify.verify"]
"""The file: the folder gives its name to the function."""

FLOAT32 = Tolerance.for_precision("float32")


def verified(
    built: Build, module: nn.Module, *, batch: int | None = 1, images: np.ndarray | None = None
) -> Verification:
    return verify(
        built,
        module,
        INPUT_SIZE,
        batch=batch,
        tolerance=FLOAT32,
        images=images,
        report_progress=lambda _stage: None,
    )


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_a_right_build_passes_at_its_batch(captured: Captured, network: nn.Module, batch: int) -> None:
    result = verified(built_with(captured, batch=batch), network, batch=batch)
    assert result.passed
    assert [(stage.stage, stage.threads) for stage in result.stages] == [
        ("captured", 1),
        ("named", 1),
        ("rewritten", 1),
        ("final", 1),
        ("final", 2),
    ]
    assert (result.blame, result.batches, result.warnings) == (None, None, ())
    # Each image is run twice, in both orders.
    (logits,) = result.final.outputs
    assert logits.actual_shape == (2 * result.images.count, 5)


def test_a_right_build_passes_at_any_batch(captured: Captured, network: nn.Module) -> None:
    result = verified(built_with(captured, batch=None), network, batch=None)
    assert result.passed
    assert result.batches is not None
    assert result.batches.verdict is BatchVerdict.PASS
    assert {case.batch_size for case in result.batches.cases} == {1, 2, 3, 5, 8}
    assert {case.threads for case in result.batches.cases} == {1, 2}


def test_the_last_stage_runs_the_images_forwards_and_then_backwards(
    captured: Captured, network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A runtime once kept the kernel of the image before: every image gets another one in front."""
    seen: list[np.ndarray] = []

    def spying(session: Session, images_nchw: np.ndarray, batch: int) -> dict[str, np.ndarray]:
        seen.append(images_nchw)
        return run_in_batches(session, images_nchw, batch)

    monkeypatch.setattr(verify_module, "run_in_batches", spying)
    given = np.random.default_rng(0).standard_normal((3, *INPUT_SIZE)).astype(np.float32)
    verified(built_with(captured), network, images=given)
    assert len(seen) == 5
    *others, final, final_on_two_threads = seen
    for images in others:
        np.testing.assert_array_equal(images, given)
    for images in (final, final_on_two_threads):
        np.testing.assert_array_equal(images, given[[0, 1, 2, 2, 1, 0]])


def test_progress_names_every_comparison(captured: Captured, network: nn.Module) -> None:
    seen: list[str] = []
    verify(
        built_with(captured, batch=None),
        network,
        INPUT_SIZE,
        batch=None,
        tolerance=FLOAT32,
        images=None,
        report_progress=seen.append,
    )
    assert seen == [
        "choose images",
        "run PyTorch",
        "compare captured",
        "compare named",
        "compare rewritten",
        "compare final",
        "compare batches",
    ]


@pytest.mark.parametrize(
    ("stage", "initializer", "change", "module"),
    [
        ("captured", "classifier.weight", one_element_off, "classifier"),
        ("named", "cond/experts", reversed_experts, "cond"),
        ("rewritten", "mix/bias_0_2", one_element_off, "mix_norm"),
        ("final", "depthwise/expert_2", one_element_off, "depthwise"),
    ],
)
def test_a_fault_fails_at_its_stage_and_names_the_module(
    captured: Captured, network: nn.Module, stage: str, initializer: str, change: Change, module: str
) -> None:
    result = verified(with_constant(built_with(captured), stage, initializer, change), network)
    assert not result.passed
    assert result.final.verdict is Verdict.FAIL
    # Later stages are not compared: they would only repeat it.
    assert result.stages[-1].stage == stage
    assert all(item.report.passed for item in result.stages if item.stage != stage)
    assert result.blame is not None
    assert (result.blame.stage, result.blame.module_path) == (stage, module)


def test_a_value_that_is_not_finite_fails(captured: Captured, network: nn.Module) -> None:
    result = verified(with_constant(built_with(captured), "final", "classifier.bias", not_a_number), network)
    assert result.final.verdict is Verdict.NOT_FINITE
    assert result.blame is not None
    assert result.blame.module_path == "classifier"


def routing_of_the_first_image(proto: onnx.ModelProto) -> None:
    """The gates of every image of a batch become those of its first."""
    (sigmoid,) = (node for node in proto.graph.node if node.name == "routing/Sigmoid")
    gates = sigmoid.output[0]
    sigmoid.output[0] = "own gates"
    position = list(proto.graph.node).index(sigmoid) + 1
    for name, numbers in (("first", [0]), ("of images", [0])):
        proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array(numbers), name))
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1]), "one image"))
    first = onnx.helper.make_node("Slice", ["own gates", "first", "one image", "of images"], ["gates of first"])
    zeros = onnx.helper.make_node("Sub", ["own gates", "own gates"], ["zeros"])
    shared = onnx.helper.make_node("Add", ["zeros", "gates of first"], [gates])
    for offset, node in enumerate((first, zeros, shared)):
        proto.graph.node.insert(position + offset, node)


def constant_routing(proto: onnx.ModelProto) -> None:
    """The gates are the same whatever the image: what a runtime did that kept its first kernel."""
    (sigmoid,) = (node for node in proto.graph.node if node.name == "routing/Sigmoid")
    gates = sigmoid.output[0]
    sigmoid.output[0] = "own gates"
    position = list(proto.graph.node).index(sigmoid) + 1
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.full((1, 3), 0.5, np.float32), "half"))
    proto.graph.node.insert(position, onnx.helper.make_node("Sub", ["own gates", "own gates"], ["zeros"]))
    proto.graph.node.insert(position + 1, onnx.helper.make_node("Add", ["zeros", "half"], [gates]))


def test_gates_that_do_not_follow_the_image_fail(captured: Captured, network: nn.Module) -> None:
    result = verified(with_stage(built_with(captured), "final", constant_routing), network)
    assert not result.passed
    assert result.blame is not None
    assert result.blame.module_path == "routing"


def test_gates_of_a_neighbour_fail_at_a_fixed_batch(captured: Captured, network: nn.Module) -> None:
    built = with_stage(built_with(captured, batch=3), "final", routing_of_the_first_image)
    result = verified(built, network, batch=3)
    assert not result.passed
    assert result.stages[-1].stage == "final"
    # Modules are looked at one image at a time: a file for several cannot be taken apart that way.
    assert result.blame is None


def test_gates_of_a_neighbour_fail_at_any_batch(captured: Captured, network: nn.Module) -> None:
    built = with_stage(built_with(captured, batch=None), "final", routing_of_the_first_image)
    result = verified(built, network, batch=None)
    # One image at a time it is right: only the batches show it.
    assert all(stage.report.passed for stage in result.stages)
    assert result.batches is not None
    assert result.batches.verdict is BatchVerdict.FAIL
    assert not result.passed


def test_images_that_route_alike_would_not_notice_it(captured: Captured, network: nn.Module) -> None:
    """Why images are chosen: on equal ones the fault above is invisible, and the warning says so."""
    same = np.repeat(np.random.default_rng(0).standard_normal((1, *INPUT_SIZE)), 3, axis=0)
    built = with_stage(built_with(captured, batch=3), "final", routing_of_the_first_image)
    result = verified(built, network, batch=3, images=same)
    assert result.passed
    assert result.warnings[0].startswith("the routing of 1 CondConv blocks does not move")


def test_images_chosen_route_further_apart_than_those_given(captured: Captured, network: nn.Module) -> None:
    given = 0.01 * np.random.default_rng(0).standard_normal((2, *INPUT_SIZE))
    chosen, own = (verified(built_with(captured), network, images=images) for images in (None, given))
    assert own.passed
    assert own.images.sources == ("given 0", "given 1")
    least, most = own.images.routing.smallest, chosen.images.routing.smallest
    assert least is not None
    assert most is not None
    assert most > 10 * least


def test_a_network_that_loses_its_digits_is_reported_as_such() -> None:
    module = settled(IllConditioned())
    built = build(module, INPUT_SIZE, ExportOptions(), {}, lambda _stage: None)
    result = verified(built, module)
    assert not result.passed
    assert result.final.verdict is Verdict.ILL_CONDITIONED
    assert result.final.sentence().startswith("ill-conditioned: PyTorch's own float32 error is ")


def test_a_network_that_is_not_finite_itself_fails() -> None:
    module = settled(NotFinite())
    built = build(module, INPUT_SIZE, ExportOptions(), {}, lambda _stage: None)
    result = verified(built, module)
    assert result.final.verdict is Verdict.NOT_FINITE


@pytest.mark.parametrize("batch", [1, 2, None])
def test_a_squeezed_result_is_compared_row_by_row(batch: int | None) -> None:
    module = settled(Squeezed())
    built = build(module, INPUT_SIZE, ExportOptions(batch=batch), {}, lambda _stage: None)
    assert verified(built, module, batch=batch).passed


@pytest.mark.parametrize(("count", "batch"), [(5, 1), (5, 3), (6, 3), (2, 7), (1, 4)])
def test_every_image_is_run_once_and_in_order(
    plain_captured: Captured, plain_network: nn.Module, count: int, batch: int
) -> None:
    del plain_network
    built = built_with(plain_captured, batch=batch)
    session = OnnxRuntimeBackend().open(built.final.proto.SerializeToString(), threads=1)
    single = OnnxRuntimeBackend().open(built.stages[0].proto.SerializeToString(), threads=1)
    images = np.random.default_rng(0).standard_normal((count, *INPUT_SIZE)).astype(np.float32)
    together = run_in_batches(session, images, batch)["logits"]
    alone = np.concatenate([single.run({"input": image[None]})["logits"] for image in images])
    assert together.shape == (count, 5)
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_rows_take_the_shape_of_the_result_where_only_ones_differ() -> None:
    rows = np.arange(6.0).reshape(2, 3)
    assert as_rows(rows, np.zeros((4, 3, 1, 1))).shape == (2, 3, 1, 1)
    assert as_rows(rows, np.zeros((2, 3))) is rows
    assert as_rows(rows, None) is rows
    assert as_rows(rows, np.zeros((2, 4))) is rows
