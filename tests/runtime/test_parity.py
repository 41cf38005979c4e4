import copy
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.runtime.errors import ComparisonImpossibleError
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.parity import compare
from condmix.runtime.parity_report import ParityReport, Verdict
from condmix.runtime.tolerance import Tolerance

FLOAT32 = Tolerance.for_precision("float32")


def check(reference, actual, *, tolerance=FLOAT32, own=None, context=None) -> ParityReport:
    return compare(reference, actual, tolerance=tolerance, own_float32=own, context=context or {})


def logits(seed: int = 0, shape: tuple[int, ...] = (4, 10)) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_a_right_model_passes(conv_net):
    session = OnnxRuntimeBackend().open(conv_net.to_onnx(), threads=1)
    report = check(
        conv_net.expected(conv_net.images_nchw),
        session.run({"images": conv_net.images_nchw}),
        context={"stage": "onnx", "inputs": "noise"},
    )
    assert report.verdict is Verdict.PASS
    assert report.context == (("inputs", "noise"), ("stage", "onnx"))
    (output,) = report.outputs
    assert output.worst is not None
    assert 0 < output.worst.relative < 2e-6
    assert output.worst_cosine == pytest.approx(1.0, abs=1e-9)
    assert output.top1_agreement == 1.0


@pytest.mark.parametrize("fault", ["one weight off by 1e-3", "kernel transposed", "classes swapped"])
def test_a_wrong_model_fails(conv_net, fault: str):
    wrong = copy.deepcopy(conv_net)
    if fault == "one weight off by 1e-3":
        wrong.kernel_oihw[2, 1, 0, 2] += 1e-3
    elif fault == "kernel transposed":
        wrong.kernel_oihw = np.ascontiguousarray(wrong.kernel_oihw.transpose(0, 1, 3, 2))
    else:
        wrong.dense_io[:, [0, 1]] = wrong.dense_io[:, [1, 0]]
    session = OnnxRuntimeBackend().open(wrong.to_onnx(), threads=1)
    report = check(conv_net.expected(conv_net.images_nchw), session.run({"images": conv_net.images_nchw}))
    assert report.verdict is Verdict.FAIL


@given(st.integers(0, 3), st.integers(0, 9), st.sampled_from([-1, 1]), st.floats(1e-6, 1e6))
def test_one_element_decides_wherever_it_is(row: int, column: int, sign: int, scale: float):
    reference = logits() * scale
    limit = FLOAT32.limits(reference, None).limit[row]
    for factor, verdict in ((0.99, Verdict.PASS), (1.01, Verdict.FAIL)):
        actual = reference.copy()
        actual[row, column] += sign * factor * limit
        report = check({"y": reference}, {"y": actual})
        assert report.verdict is verdict
        worst = report.outputs[0].worst
        assert worst is not None
        assert worst.index == (row, column)
        assert worst.absolute == pytest.approx(factor * limit, rel=1e-6)
        assert worst.limit_absolute == limit
        assert report.outputs[0].share_outside == (0.0 if verdict is Verdict.PASS else 1 / 40)


def test_a_small_row_is_not_hidden_by_a_large_one():
    reference = np.array([[1000.0, 1.0], [0.001, 0.0005]])
    actual = reference + np.array([[0.0, 0.0], [1e-6, 0.0]])  # 1e-9 of the largest value, 1e-3 of its row
    report = check({"y": reference}, {"y": actual})
    assert report.verdict is Verdict.FAIL
    assert report.outputs[0].worst is not None
    assert report.outputs[0].worst.relative == pytest.approx(1e-3, rel=1e-6)


def test_swapped_rows_fail():
    reference = logits()
    report = check({"y": reference}, {"y": reference[[1, 0, 2, 3]]})
    assert report.verdict is Verdict.FAIL
    assert report.outputs[0].worst_cosine is not None
    assert report.outputs[0].worst_cosine < 0.9


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", ["reference", "actual", "both"])
def test_a_value_that_is_not_finite_is_a_failure_on_either_side(value: float, side: str):
    arrays = {"reference": logits(), "actual": logits()}
    for name in arrays:
        if side in (name, "both"):
            arrays[name][2, 3] = value
    report = check({"y": arrays["reference"]}, {"y": arrays["actual"]})
    assert report.verdict is Verdict.NOT_FINITE
    (output,) = report.outputs
    assert (output.reference_nonfinite_count, output.actual_nonfinite_count) == (
        int(side != "actual"),
        int(side != "reference"),
    )
    assert output.worst is None
    json.dumps(report.to_dict(), allow_nan=False)


def test_one_finite_output_does_not_hide_another():
    reference = {"a": logits(), "b": logits(1)}
    report = check(reference, {"a": reference["a"], "b": np.full((4, 10), np.nan)})
    assert report.verdict is Verdict.NOT_FINITE
    assert [output.verdict for output in report.outputs] == [Verdict.PASS, Verdict.NOT_FINITE]


def test_names_then_shapes_then_numbers():
    reference = {"a": logits(), "b": logits(1)}
    by_name = check(reference, {"a": logits(5, (4, 9)), "c": logits(1)})
    assert by_name.verdict is Verdict.NAME_MISMATCH
    assert (by_name.missing_outputs, by_name.unexpected_outputs) == (("b",), ("c",))
    assert [output.verdict for output in by_name.outputs] == [Verdict.SHAPE_MISMATCH]
    by_shape = check(reference, {"b": logits(1), "a": np.full((4, 9), np.nan)})
    assert by_shape.verdict is Verdict.SHAPE_MISMATCH
    assert by_shape.sentence() == "a: shape [4, 10] expected, found [4, 9]"


@pytest.mark.parametrize("shape", [(40,), (4, 10, 1), (10, 4), (0, 10), ()])
def test_no_shape_is_broadcast_or_flattened_to_fit(shape: tuple[int, ...]):
    assert check({"y": logits()}, {"y": np.ones(shape)}).verdict is Verdict.SHAPE_MISMATCH


def test_a_reference_of_zeros():
    zeros = np.zeros((2, 3))
    assert check({"y": zeros}, {"y": zeros}).verdict is Verdict.PASS
    within = check({"y": zeros}, {"y": np.full((2, 3), 0.9e-7)})
    assert within.verdict is Verdict.PASS
    assert within.sentence() == "max|d| 9.0e-08 where all is 0, limit 1.0e-07"
    beyond = check({"y": zeros}, {"y": np.full((2, 3), 1.1e-7)})
    assert beyond.verdict is Verdict.FAIL
    assert beyond.outputs[0].worst is not None
    assert beyond.outputs[0].worst.relative == math.inf
    assert beyond.outputs[0].worst_cosine == 0.0


def test_the_exact_tolerance_allows_nothing():
    reference = logits()
    assert check({"y": reference}, {"y": reference.copy()}, tolerance=Tolerance.exact()).verdict is Verdict.PASS
    actual = reference.copy()
    actual[2, 3] = np.nextafter(actual[2, 3], np.inf)
    report = check({"y": reference}, {"y": actual}, tolerance=Tolerance.exact())
    assert report.verdict is Verdict.FAIL
    assert report.outputs[0].worst is not None
    assert report.outputs[0].worst.index == (2, 3)


def test_errors_too_large_for_a_number_are_failures_not_warnings():
    reference = np.full((1, 2), 1.7e308)
    report = check({"y": reference}, {"y": -reference})
    assert report.verdict is Verdict.FAIL
    json.dumps(report.to_dict(), allow_nan=False)


def test_pytorch_s_own_error_widens_the_limit_and_both_are_on_record():
    reference = logits()
    scale = np.abs(reference).max(axis=1, keepdims=True)
    own, actual = reference + 5e-5 * scale, reference + 1.5e-4 * scale
    assert check({"y": reference}, {"y": actual}).verdict is Verdict.FAIL
    report = check({"y": reference}, {"y": actual}, own={"y": own})
    assert report.verdict is Verdict.PASS
    (output,) = report.outputs
    assert output.worst is not None
    assert output.own_float32 is not None
    assert output.worst.relative == pytest.approx(1.5e-4, rel=1e-6)
    assert output.worst.limit_relative == pytest.approx(2e-4, rel=1e-6)
    assert output.own_float32.relative == pytest.approx(5e-5, rel=1e-6)
    assert output.own_relative == pytest.approx(5e-5, rel=1e-6)
    further = check({"y": reference}, {"y": reference + 2.1e-4 * scale}, own={"y": own})
    assert further.verdict is Verdict.FAIL


@pytest.mark.parametrize("actual_error", [0.0, 1e-5, 3e-3])
def test_an_ill_conditioned_network_is_reported_whatever_the_result(actual_error: float):
    reference = np.ones((2, 3))
    report = check({"y": reference}, {"y": reference + actual_error}, own={"y": reference + 2e-3})
    assert report.verdict is Verdict.ILL_CONDITIONED
    assert not report.passed
    assert report.outputs[0].worst is not None
    assert report.outputs[0].worst.limit_relative == pytest.approx(2.01e-5)


def test_an_own_result_that_is_not_finite_is_ill_conditioned():
    reference = np.ones((1, 2))
    report = check({"y": reference}, {"y": reference}, own={"y": np.array([[1, np.inf]], np.float32)})
    assert report.verdict is Verdict.ILL_CONDITIONED
    assert report.outputs[0].own_float32 is None
    assert report.to_dict()["outputs"][0]["own_relative"] == "inf"


@given(st.integers(0, 2**32 - 1))
def test_inputs_are_never_changed(seed: int):
    generator = np.random.default_rng(seed)
    reference = {"y": generator.standard_normal((3, 4))}
    actual = {"y": generator.standard_normal((3, 4)).astype(np.float32)}
    actual["y"][1, 1] = generator.choice(np.array([0, np.nan, np.inf], np.float32))
    own = {"y": reference["y"].astype(np.float32)}
    before = copy.deepcopy((reference, actual, own))
    for arrays in (reference, actual, own):
        arrays["y"].flags.writeable = False
    check(reference, actual, own=own)
    for arrays, kept in zip((reference, actual, own), before, strict=True):
        np.testing.assert_array_equal(arrays["y"], kept["y"])


def test_top1_agreement_is_the_share_of_rows():
    reference = np.array([[3.0, 1.0], [1.0, 3.0], [2.0, 1.0], [0.0, 1.0]])
    actual = reference.copy()
    actual[2] = [1.0, 2.0]
    assert check({"y": reference}, {"y": actual}).outputs[0].top1_agreement == 0.75


@pytest.mark.parametrize("shape", [(), (3,), (3, 1), (3, 2, 2)])
def test_top1_is_for_rows_of_classes_only(shape: tuple[int, ...]):
    reference = np.ones(shape)
    report = check({"y": reference}, {"y": reference})
    assert report.verdict is Verdict.PASS
    assert report.outputs[0].top1_agreement is None
    assert report.outputs[0].worst is not None
    assert report.outputs[0].worst.index == (0,) * len(shape)


def test_the_cosine_is_that_of_the_worst_row():
    reference = np.array([[1.0, 0.0], [3e-300, 4e-300], [0.0, 0.0]])
    actual = np.array([[1.0, 0.0], [4e-300, 3e-300], [0.0, 0.0]])
    assert check({"y": reference}, {"y": actual}).outputs[0].worst_cosine == pytest.approx(0.96)


def test_questions_that_prove_nothing_are_refused_with_all_reasons():
    with pytest.raises(ComparisonImpossibleError) as caught:
        check(
            {"a": np.ones((2, 2), np.float32), "b": np.ones((0, 2)), "c": np.ones((2, 2))},
            {"a": np.ones((2, 2)), "z": np.ones(2, np.complex128)},
            own={"b": np.ones((0, 2)), "c": np.ones((2, 3))},
        )
    assert caught.value.problems == (
        "reference 'a' must be a float64 array, found float32",
        "reference 'b' has no elements (shape [0, 2])",
        "result 'z' must be an array of real numbers, found complex128",
        "own_float32 lacks the output 'a'",
        "own_float32 'c' must have shape [2, 2], found [2, 3]",
    )
    with pytest.raises(ComparisonImpossibleError, match="the reference has no outputs"):
        check({}, {})
    with pytest.raises(ComparisonImpossibleError, match="'y' must be an array of real numbers, found list"):
        check({"y": np.ones(2)}, {"y": [1.0, 1.0]})


def test_integers_and_small_floats_are_compared_as_they_are():
    reference = {"y": np.array([[1.0, 2.0]])}
    for dtype in (np.int8, np.uint8, np.int64, np.float16, np.float32):
        assert check(reference, {"y": np.array([[1, 2]], dtype)}).verdict is Verdict.PASS
        assert check(reference, {"y": np.array([[1, 3]], dtype)}).verdict is Verdict.FAIL
