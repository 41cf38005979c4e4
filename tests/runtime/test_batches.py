from dataclasses import replace

import numpy as np
import pytest
from onnx import helper

from condmix.runtime.batch_report import BatchProperty, BatchReport, BatchVerdict
from condmix.runtime.batches import check_batches
from condmix.runtime.errors import ComparisonImpossibleError, SessionFailedError
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.parity_report import Verdict
from condmix.runtime.signature import Signature, TensorSpec
from condmix.runtime.tolerance import Tolerance
from tests.runtime.batch_faults import depends_on_the_position, mixes_neighbours, reverses_the_batch

FLOAT32 = Tolerance.for_precision("float32")
SIZES = (1, 2, 3, 5, 8)


def check(conv_net, model: bytes, **changes: object) -> BatchReport:
    settings: dict[str, object] = {
        "images": conv_net.images_nchw,
        "expected": conv_net.expected(conv_net.images_nchw),
        "tolerance": FLOAT32,
        "own_float32": None,
    }
    return check_batches(OnnxRuntimeBackend().open(model, threads=1), **{**settings, **changes})


def verdicts(report: BatchReport) -> dict[tuple[str, int], Verdict]:
    return {(str(case.batch_property), case.batch_size): case.verdict for case in report.cases}


ALL_CASES = {("reference", size) for size in SIZES} | {
    (name, size) for name in ("neighbours", "order") for size in SIZES[1:]
}


def test_a_right_model_holds_everywhere(conv_net):
    report = check(conv_net, conv_net.to_onnx())
    assert report.verdict is BatchVerdict.PASS
    assert set(verdicts(report)) == ALL_CASES
    assert report.sentence() == "13 cases at batch sizes 1, 2, 3, 5, 8 hold"
    # All nine images are in every case, though nine is no multiple of the sizes.
    assert all(
        case.parity is not None and case.parity.outputs[0].reference_shape[0] >= len(conv_net.images_nchw)
        for case in report.cases
    )


@pytest.mark.parametrize("fault", [mixes_neighbours, depends_on_the_position, reverses_the_batch])
def test_faults_that_batch_1_does_not_show(conv_net, fault):
    report = check(conv_net, conv_net.to_onnx(**fault()))
    assert report.verdict is BatchVerdict.FAIL
    found = verdicts(report)
    assert found.pop(("reference", 1)) is Verdict.PASS
    assert found[("reference", 2)] is Verdict.FAIL
    assert found[("neighbours", 2)] is Verdict.FAIL


def test_order_fails_where_the_position_matters_and_holds_where_only_neighbours_do(conv_net):
    by_position = verdicts(check(conv_net, conv_net.to_onnx(**depends_on_the_position())))
    by_neighbours = verdicts(check(conv_net, conv_net.to_onnx(**mixes_neighbours())))
    for size in SIZES[1:]:
        assert by_position[("order", size)] is Verdict.FAIL
        assert by_neighbours[("order", size)] is Verdict.PASS
        assert by_neighbours[("neighbours", size)] is Verdict.FAIL


def test_a_baked_batch_size_is_a_failed_case_with_the_engine_s_words(conv_net):
    model = conv_net.to_onnx(
        fault=[helper.make_node("Reshape", ["right", "shape"], ["logits"])],
        constants={"shape": np.array([1, 5], np.int64)},
    )
    report = check(conv_net, model, sizes=(1, 3))
    assert report.verdict is BatchVerdict.FAIL
    failed = [case for case in report.cases if case.failure]
    assert [(case.batch_property, case.batch_size) for case in failed] == [
        (BatchProperty.REFERENCE, 3),
        (BatchProperty.NEIGHBOURS, 3),
        (BatchProperty.ORDER, 3),
    ]
    assert "Reshape" in failed[0].sentence()


def test_rows_folded_together_are_a_failed_case(conv_net):
    model = conv_net.to_onnx(
        fault=[helper.make_node("Reshape", ["right", "shape"], ["logits"])],
        constants={"shape": np.array([1, -1], np.int64)},
    )
    report = check(conv_net, model, sizes=(1, 2))
    failed = [case for case in report.cases if case.failure]
    assert [case.batch_size for case in failed] == [2, 2, 2]
    assert failed[0].failure == "output 'logits' has shape [1, 10], expected 2 rows"


def test_images_that_cannot_be_told_apart_make_it_inconclusive(conv_net):
    images = conv_net.images_nchw.copy()
    images[6] = images[1]
    images[4] = images[3] * np.float32(1 + 1e-6)
    report = check(conv_net, conv_net.to_onnx(), images=images, expected=conv_net.expected(images))
    assert report.verdict is BatchVerdict.INCONCLUSIVE
    assert report.indistinct_pairs == ((1, 6), (3, 4))


def test_an_output_that_is_not_finite_fails(conv_net):
    model = conv_net.to_onnx(
        fault=[helper.make_node("Div", ["right", "zero"], ["logits"])],
        constants={"zero": np.array(0, np.float32)},
    )
    report = check(conv_net, model)
    assert report.verdict is BatchVerdict.FAIL
    assert {case.verdict for case in report.cases} == {Verdict.NOT_FINITE}


def test_the_own_error_widens_all_three_properties(conv_net):
    expected = conv_net.expected(conv_net.images_nchw)
    noise = np.random.default_rng(5).uniform(-1, 1, expected["logits"].shape)
    scale = np.abs(expected["logits"]).max(axis=1, keepdims=True)
    fault = mixes_neighbours()
    fault["constants"]["small"] = np.array(1e-4, np.float32)
    model = conv_net.to_onnx(**fault)
    assert check(conv_net, model).verdict is BatchVerdict.FAIL
    own = {"logits": expected["logits"] + 5e-4 * noise * scale}
    assert check(conv_net, model, own_float32=own).verdict is BatchVerdict.PASS
    too_much = {"logits": expected["logits"] + 5e-3 * noise * scale}
    assert check(conv_net, model, own_float32=too_much).verdict is BatchVerdict.ILL_CONDITIONED


class Echo:
    """Gives each image back as its row; remembers the batches, and fails at the given batch sizes."""

    def __init__(self, fails_at: tuple[int, ...] = ()) -> None:
        self.batches: list[list[float]] = []
        self.fails_at = fails_at
        spec = TensorSpec(name="x", shape=("n", 2), dtype="float32")
        self.signature = Signature(inputs=(spec,), outputs=(replace(spec, name="y"),))

    def run(self, feeds):
        self.batches.append(feeds["x"][:, 0].tolist())
        if len(feeds["x"]) in self.fails_at:
            engine, reason = "echo", f"batch {len(feeds['x'])}"
            raise SessionFailedError(engine, "'x.onnx'", reason)
        return {"y": feeds["x"]}


def echoed(first_column: list[float]) -> dict:
    images = np.stack([first_column, np.zeros(len(first_column))], axis=1)
    return {
        "images": images.astype(np.float32),
        "expected": {"y": images.astype(np.float32).astype(np.float64)},
        "tolerance": Tolerance(relative=0.5, absolute=0.0, own_error_multiple=0.0),
        "own_float32": None,
    }


def test_every_image_meets_other_neighbours_and_other_places():
    echo = Echo()
    check_batches(echo, **echoed([10.0**exponent for exponent in range(8)]), sizes=(4,))
    alone, in_batches = echo.batches[:8], echo.batches[8:]
    assert [len(batch) for batch in alone] == [1] * 8
    reference, neighbours, order = in_batches[:2], in_batches[2:4], in_batches[4:]
    assert {frozenset(batch) for batch in reference}.isdisjoint(frozenset(batch) for batch in neighbours)
    for batch, turned in zip(reference, order, strict=True):
        assert turned == [batch[-1], *batch[:-1]]


def test_images_are_indistinct_only_if_a_swap_passes_in_both_rows():
    # 1.8 is outside the limit of 1 (0.5 around 1) though 1 is inside that of 1.8 (0.9 around 1.8).
    assert check_batches(Echo(), **echoed([1.0, 1.8]), sizes=(2,)).indistinct_pairs == ()
    assert check_batches(Echo(), **echoed([1.0, 1.4]), sizes=(2,)).indistinct_pairs == ((0, 1),)


def test_a_session_that_fails_alone_has_no_baseline():
    report = check_batches(Echo(fails_at=(1,)), **echoed([1.0, 10.0]), sizes=(1, 2))
    failures = {(str(case.batch_property), case.batch_size): case.failure for case in report.cases}
    text = "echo failed while running 'x.onnx': batch 1"
    assert failures == {
        ("reference", 1): text, ("reference", 2): None, ("neighbours", 2): text, ("order", 2): None,
    }  # fmt: skip


def test_the_same_seed_gives_the_same_report(conv_net):
    assert check(conv_net, conv_net.to_onnx(), seed=4) == check(conv_net, conv_net.to_onnx(), seed=4)


def test_checks_that_would_show_nothing_are_refused_with_all_reasons(conv_net):
    expected = conv_net.expected(conv_net.images_nchw)
    with pytest.raises(ComparisonImpossibleError) as caught:
        check(
            conv_net,
            conv_net.to_onnx(batch=1),
            images=conv_net.images_nchw[:4],
            expected={"logits": expected["logits"].astype(np.float32)},
            own_float32={},
            sizes=(1, 8),
        )
    assert caught.value.problems == (
        "the batch axis of 'images' is fixed ([1, 3, 6, 6]): export it as free",
        "expected 'logits' must be float64 with one row for each of 4 images, found float32 [9, 5]",
        "own_float32 must hold 'logits' in the shape [9, 5]",
        "sizes [1, 8] must lie between 1 and the number of images, 4",
    )
    with pytest.raises(ComparisonImpossibleError, match="a single image has no neighbours"):
        check(conv_net, conv_net.to_onnx(), sizes=(1,))
    with pytest.raises(ComparisonImpossibleError, match="expected has no outputs"):
        check(conv_net, conv_net.to_onnx(), expected={})


def test_a_model_of_two_inputs_is_refused(conv_net, build_onnx):
    model = build_onnx(
        [helper.make_node("Add", ["a", "b"], ["y"])],
        inputs={"a": ["n"], "b": ["n"]},
        outputs={"y": ["n"]},
        constants={},
    )
    with pytest.raises(ComparisonImpossibleError, match=r"the model must have one input, found \['a', 'b'\]"):
        check(conv_net, model)
