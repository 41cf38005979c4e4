"""Every network of the zoo, some of timm and of other people's styles in int8, in both formats."""

from __future__ import annotations

import pytest

from tests.conformance.case import ConformanceCase
from tests.conformance.cases import CASES, QUICK
from tests.conformance.int8_proof import prove_int8

QUICK_IN_INT8 = ("shared_kernel", "uneven_pointwise")
MORE = ("transposed_mix", "omni_depthwise", "timm:tf_efficientnet_cc_b0_4e", "timm:mixnet_s", "timm:tf_mixnet_s")
CHOSEN = tuple(case for case in CASES if case.source == "zoo" or case.name in (*QUICK, *MORE))

NIGHTLY_IN_INT8 = (
    "mixnet_m",
    "mixnet_l",
    "mixnet_xl",
    "condconv_efficientnet_b0_8e",
    "condconv_efficientnet_b0_depth_8e",
    "efficientnet_b0_depth",
    "efficientnet_b0",
    "mnasnet_a1",
    "resnet50",
    "timm:tf_mixnet_s",
    "timm:mixnet_s",
    "timm:tf_efficientnet_cc_b0_4e",
)
"""Larger copies of networks that are cases themselves, those of timm that are here too, and networks without
CondConv or MixConv but for two."""


def _marks(name: str) -> tuple[pytest.MarkDecorator, ...]:
    if name in NIGHTLY_IN_INT8:
        return (pytest.mark.nightly,)
    return () if name in QUICK_IN_INT8 else (pytest.mark.slow,)


def test_the_chosen_cases_are_there() -> None:
    names = {case.name for case in CHOSEN}
    assert set(QUICK_IN_INT8) < names
    assert set(MORE) < names
    assert set(NIGHTLY_IN_INT8) < names
    assert len(names) == 32


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=_marks(case.name)) for case in CHOSEN],
)
def test_both_files_compute_what_their_numbers_say(case: ConformanceCase) -> None:
    assert prove_int8(case).faults() == []
