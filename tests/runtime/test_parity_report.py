import json
import math

import pytest

from condmix.runtime.parity_report import (
    ElementError,
    OutputParity,
    ParityReport,
    Verdict,
    json_number,
    ratio_or_infinity,
)
from condmix.runtime.tolerance import Tolerance

FLOAT32 = Tolerance.for_precision("float32")


def element(absolute: float, scale: float = 1.0) -> ElementError:
    return ElementError(index=(3, 17), absolute=absolute, scale=scale, limit_absolute=2e-5 * scale + 1e-7)


def output(name: str = "logits", **changes: object) -> OutputParity:
    settings: dict[str, object] = {
        "reference_shape": (4, 20),
        "actual_shape": (4, 20),
        "reference_nonfinite_count": 0,
        "actual_nonfinite_count": 0,
        "tolerance": FLOAT32,
        "worst": element(3.1e-6),
        "share_outside": 0.0,
        "worst_cosine": 1.0,
        "top1_agreement": 1.0,
    }
    return OutputParity(name=name, **{**settings, **changes})


FAILING = {"worst": element(3e-2), "share_outside": 0.125}
ILL = {"ill_conditioned": True, "own_relative": 4e-3, "worst": element(5e-3), "share_outside": 0.5}
NAN = {"actual_nonfinite_count": 2, "worst": None, "share_outside": None}
SHAPE = {"actual_shape": (4, 19), "worst": None, "share_outside": None}


def report(*outputs: OutputParity, missing: tuple[str, ...] = (), extra: tuple[str, ...] = ()) -> ParityReport:
    return ParityReport(
        outputs=outputs,
        missing_outputs=missing,
        unexpected_outputs=extra,
        tolerance=FLOAT32,
        context=(("stage", "onnx"),),
    )


@pytest.mark.parametrize(
    ("changes", "verdict", "sentence"),
    [
        ({}, Verdict.PASS, "max|d| 3.1e-06 of the largest value, limit 2.0e-05"),
        (
            FAILING,
            Verdict.FAIL,
            "max|d| 3.0e-02 of the largest value, limit 2.0e-05, at [3, 17]; 12.50% of the elements outside",
        ),
        (
            ILL,
            Verdict.ILL_CONDITIONED,
            "ill-conditioned: PyTorch's own float32 error is 4.0e-03 of the largest value (above 1.0e-03), "
            "so the limit was not widened; max|d| 5.0e-03 of the largest value, limit 2.0e-05",
        ),
        (NAN, Verdict.NOT_FINITE, "values that are not finite: 0 in the reference, 2 in the result"),
        (SHAPE, Verdict.SHAPE_MISMATCH, "shape [4, 20] expected, found [4, 19]"),
        (
            {"worst": element(0.5, scale=0.0), "share_outside": 1.0},
            Verdict.FAIL,
            "max|d| 5.0e-01 where all is 0, limit 1.0e-07, at [3, 17]; 100.00% of the elements outside",
        ),
    ],
)
def test_verdict_and_sentence_follow_from_the_numbers(changes: dict, verdict: Verdict, sentence: str):
    single = report(output(**changes))
    assert single.verdict is verdict
    assert single.passed is (verdict is Verdict.PASS)
    assert single.sentence() == sentence


def test_the_worst_output_decides_and_is_named():
    many = [output("a"), output("b", **ILL), output("c", **FAILING), output("d", **NAN), output("e", **SHAPE)]
    order = [Verdict.PASS, Verdict.ILL_CONDITIONED, Verdict.FAIL, Verdict.NOT_FINITE, Verdict.SHAPE_MISMATCH]
    for count, verdict in enumerate(order, start=1):
        for outputs in (many[:count], many[:count][::-1]):
            assert report(*outputs).verdict is verdict
    assert report(*many[:3]).sentence().startswith("c: max|d| 3.0e-02")


def test_among_passing_outputs_the_one_furthest_out_is_named():
    close = output("close", worst=element(1e-7))
    far = output("far", worst=element(1.9e-5))
    assert report(far, close).sentence() == "far: max|d| 1.9e-05 of the largest value, limit 2.0e-05"


def test_names_come_before_everything():
    wrong = report(output(**NAN), missing=("probabilities",), extra=("probs",))
    assert wrong.verdict is Verdict.NAME_MISMATCH
    assert wrong.sentence() == "outputs differ by name: missing 'probabilities'; unexpected 'probs'"


def test_a_report_without_outputs_is_no_pass():
    assert report().verdict is Verdict.NAME_MISMATCH
    assert report().sentence() == "outputs differ by name: missing none; unexpected none"


def test_an_output_that_was_not_measured_is_no_pass():
    assert output(share_outside=None).verdict is Verdict.FAIL


def test_a_share_that_is_nan_is_no_pass():
    assert output(share_outside=math.nan).verdict is Verdict.FAIL


def test_the_outlier_fraction_is_obeyed():
    lenient = Tolerance(relative=2e-5, absolute=0.0, own_error_multiple=4.0, outlier_fraction=0.125)
    assert output(tolerance=lenient, **FAILING).verdict is Verdict.PASS
    assert output(tolerance=lenient, **{**FAILING, "share_outside": 0.1251}).verdict is Verdict.FAIL


def test_the_record_is_strict_json_and_complete():
    infinite = output(**FAILING, own_float32=element(1.0, scale=0.0), own_relative=math.inf, ill_conditioned=True)
    data = json.loads(json.dumps(report(infinite).to_dict(), allow_nan=False))
    assert data["schema_version"] == 1
    assert data["verdict"] == "ill_conditioned"
    assert data["tolerance"] == FLOAT32.to_dict()
    assert data["context"] == {"stage": "onnx"}
    (record,) = data["outputs"]
    assert record["own_relative"] == "inf"
    assert record["own_float32"]["relative"] == "inf"
    assert record["worst"] == {
        "index": [3, 17],
        "absolute": 3e-2,
        "relative": 3e-2,
        "scale": 1.0,
        "limit_absolute": 2e-5 + 1e-7,
        "limit_relative": 2e-5 + 1e-7,
    }
    assert (record["share_outside"], record["worst_cosine"], record["top1_agreement"]) == (0.125, 1.0, 1.0)


def test_numbers_and_quotients_without_a_value():
    assert [json_number(value) for value in (1.5, math.inf, math.nan)] == [1.5, "inf", "nan"]
    assert [ratio_or_infinity(*pair) for pair in ((1, 2), (0, 0), (1, 0))] == [0.5, 0.0, math.inf]
