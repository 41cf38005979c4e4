"""The second opinion, from stand-ins for tflite-runtime that are right, wrong in several ways, or not there."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.second_runtime import SecondOpinion, second_opinion, tolerance_met
from condmix.exporters.tflite.build import TfliteBuild
from condmix.exporters.verify.evidence import Evidence
from condmix.exporters.verify.records import Verification
from condmix.exporters.verify.tflite import in_layout
from condmix.runtime import tflite_environment
from tests.deploy.conftest import FLOAT32
from tests.runtime.tflite_sites import STAND_IN, make_stand_in

WRONG = (
    STAND_IN
    + """
    def get_tensor(self, number):
        return super().get_tensor(number) * {factor}
"""
)
REFUSING = (
    STAND_IN
    + """
    def allocate_tensors(self):
        raise RuntimeError("Didn't find op for builtin opcode 'BATCH_MATMUL' version '4'")
"""
)
ONLY_BUILTIN_IS_WRONG = (
    STAND_IN
    + """
    def __init__(self, **choices):
        self._wrong = choices["experimental_op_resolver_type"] is not OpResolverType.BUILTIN
        super().__init__(**choices)

    def get_tensor(self, number):
        return super().get_tensor(number) * (2 if self._wrong else 1)
"""
)


@pytest.fixture(autouse=True)
def _any_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in runs in whatever Python runs the tests."""
    newest = max(tflite_environment.NEWEST_PYTHON, sys.version_info[:2])
    monkeypatch.setattr(tflite_environment, "NEWEST_PYTHON", newest)


@pytest.fixture
def images(evidence: Evidence) -> np.ndarray:
    """The images of the proof, as the file takes them."""
    return in_layout(evidence.images.array_nchw, "nhwc")


def _ask(build: TfliteBuild, images: np.ndarray, site: Path) -> SecondOpinion:
    return second_opinion(build.content, images, batch=1, tolerance=FLOAT32, site=site)


def test_a_runtime_that_computes_the_same_is_compatible(
    tflite_built: TfliteBuild, images: np.ndarray, tmp_path: Path
) -> None:
    found = _ask(tflite_built, images, make_stand_in(tmp_path / "site"))
    assert found.compatible is True
    assert found.sentence() == f"tflite-runtime 2.14.0: compatible: {found.said}"
    assert found.said == "against LiteRT max|d| 0.0e+00 of the largest value, limit 2.0e-05"
    assert found.largest_difference == 0
    assert found.limit == pytest.approx(2e-5, rel=0.1)


@pytest.mark.parametrize(("factor", "compatible"), [("1.000005", True), ("1.0001", False)])
def test_the_limit_is_the_files_own(
    tflite_built: TfliteBuild, images: np.ndarray, tmp_path: Path, factor: str, compatible: bool
) -> None:
    site = make_stand_in(tmp_path / "site", WRONG.replace("{factor}", factor))
    found = _ask(tflite_built, images, site)
    assert found.compatible is compatible
    assert found.largest_difference == pytest.approx(float(factor) - 1, rel=0.1)


def test_one_that_is_wrong_without_the_delegate_only_is_found(
    tflite_built: TfliteBuild, images: np.ndarray, tmp_path: Path
) -> None:
    found = _ask(tflite_built, images, make_stand_in(tmp_path / "site", ONLY_BUILTIN_IS_WRONG))
    assert found.compatible is False
    assert found.sentence().startswith("tflite-runtime 2.14.0: INCOMPATIBLE, do not run this file there: against ")


def test_values_that_are_not_finite_are_incompatible(
    tflite_built: TfliteBuild, images: np.ndarray, tmp_path: Path
) -> None:
    found = _ask(tflite_built, images, make_stand_in(tmp_path / "site", WRONG.replace("{factor}", "float('nan')")))
    assert found.compatible is False
    assert "values that are not finite: 0 in the reference" in found.said
    assert found.to_dict()["largest_difference"] is None


def test_one_that_refuses_the_file_is_incompatible_in_its_own_words(
    tflite_built: TfliteBuild, images: np.ndarray, tmp_path: Path
) -> None:
    found = _ask(tflite_built, images, make_stand_in(tmp_path / "site", REFUSING))
    assert found.compatible is False
    assert "Didn't find op for builtin opcode 'BATCH_MATMUL' version '4'" in found.sentence()


def test_without_one_it_was_not_checked_and_how_to_get_it(
    tflite_built: TfliteBuild, images: np.ndarray, tmp_path: Path
) -> None:
    found = _ask(tflite_built, images, tmp_path / "absent")
    assert found.compatible is None
    assert found.sentence() == (
        "tflite-runtime: not checked: it is not prepared on this machine; condmix doctor --prepare tflite-runtime "
        "does that"
    )


def test_a_damaged_one_was_not_checked_and_says_why(
    tflite_built: TfliteBuild, images: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    found = _ask(tflite_built, images, tmp_path / "site")
    assert found.compatible is None
    assert "tflite-runtime is not in " in found.said


def test_where_rounding_is_amplified_the_limit_is_as_wide_as_the_files_own(tflite_verified: Verification) -> None:
    report = tflite_verified.final
    assert tolerance_met(FLOAT32, report) == FLOAT32
    amplified = dataclasses.replace(
        report, outputs=tuple(dataclasses.replace(output, own_relative=1e-4) for output in report.outputs)
    )
    assert tolerance_met(FLOAT32, amplified).relative == pytest.approx(4e-4)


def test_what_json_has_no_number_for_is_a_word() -> None:
    opinion = SecondOpinion(compatible=False, said="x", largest_difference=math.inf, limit=math.inf)
    assert (opinion.to_dict()["largest_difference"], opinion.to_dict()["limit"]) == ("inf", "inf")
