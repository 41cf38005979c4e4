"""The record of a case refuses contradictions, and names an export as a user would type it."""

from __future__ import annotations

import pytest
from torch import nn

from condmix.exporters.options import ExportOptions
from tests.conformance.case import ANY_BATCH, ONE_IMAGE, ConformanceCase, Export, exports


def record(**changes: object) -> ConformanceCase:
    fields: dict[str, object] = {
        "name": "film",
        "source": "here",
        "style": "none",
        "build": nn.Identity,
        "input_size": (3, 8, 8),
        "exports": exports(),
    }
    return ConformanceCase(**{**fields, **changes})  # type: ignore[arg-type]


def test_every_case_begins_with_one_image_and_any_batch() -> None:
    assert [export.options for export in record().exports] == [ONE_IMAGE, ANY_BATCH]


def test_contradictions_are_named_all_at_once() -> None:
    again = Export(options=ANY_BATCH)
    with pytest.raises(ValueError, match="case 'film'") as caught:
        record(exports=(again, again), paths=frozenset(["CondConv a"]), mixconv_layers=1)
    for part in (
        "the first two exports are not one image and any batch",
        "an export stands there twice",
        "paths and numbers of layers disagree",
    ):
        assert part in str(caught.value)


def test_an_export_at_batch_1_may_not_be_expected_to_be_refused() -> None:
    first, second = exports()
    with pytest.raises(ValueError, match="an export at batch 1 is never refused"):
        record(exports=(Export(options=first.options, refused=("why",)), second))


@pytest.mark.parametrize(
    ("options", "label"),
    [
        (ONE_IMAGE, "--batch 1"),
        (ANY_BATCH, "--batch dynamic"),
        (ExportOptions(batch=3, condconv="grouped", opset=17), "--batch 3 --condconv grouped --opset 17"),
        (ExportOptions(mixconv="merged"), "--batch 1 --mixconv merged"),
    ],
)
def test_a_label_is_what_a_user_would_type(options: ExportOptions, label: str) -> None:
    assert Export(options=options).label == label
