"""The operators of written files, compared with the listings in tests/golden.

After a change that is meant, `make golden` (or CONDMIX_UPDATE_GOLDEN=1 pytest tests/conformance -k golden) writes the
listings anew; the difference in version control is what there is to review.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from condmix.exporters.build import build_from
from condmix.exporters.capture import Captured, capture
from tests.conformance.case import ANY_BATCH, ONE_IMAGE
from tests.conformance.cases import CASES
from tests.conformance.listing import differences, listing

FOLDER = Path(__file__).parents[1] / "golden"
UPDATE = "CONDMIX_UPDATE_GOLDEN"
NAMES = (
    "flat_bank",
    "five_axis_bank",
    "expert_bias",
    "split_dict",
    "split_dict_same",
    "grouped_pointwise",
    "condconv_digits",
    "mixnet_digits",
)
QUICK = ("split_dict_same",)
BATCHES = {"batch_1": ONE_IMAGE, "batch_dynamic": ANY_BATCH}


@cache
def captured(name: str) -> Captured:
    case = next(case for case in CASES if case.name == name)
    return capture(case.build(), case.input_size)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in NAMES]
)
def test_a_golden_listing_is_what_is_written(name: str) -> None:
    wrong: list[str] = []
    for suffix, options in BATCHES.items():
        found = listing(build_from(captured(name), options, {}, lambda _: None).final.proto)
        path = FOLDER / f"{name}.{suffix}.txt"
        if os.environ.get(UPDATE):
            path.write_text(found, encoding="utf-8")
        expected = path.read_text(encoding="utf-8") if path.is_file() else ""
        if lines := differences(found, expected):
            wrong += [f"{path.name} differs from what is written now ({UPDATE}=1 writes it anew):", *lines]
    assert not wrong, "\n".join(wrong)


def test_every_golden_listing_belongs_to_a_case() -> None:
    expected = {f"{name}.{suffix}.txt" for name in NAMES for suffix in BATCHES}
    assert {path.name for path in FOLDER.glob("*.batch_*.txt")} == expected
