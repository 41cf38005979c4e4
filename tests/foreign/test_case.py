"""A record of a foreign network cannot contradict itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from torch import nn

from tests.foreign.case import ForeignCase

record: Callable[..., ForeignCase] = partial(
    ForeignCase, name="some", build=nn.Identity, input_size=(3, 24, 24), notes="any"
)


def test_a_record_that_contradicts_itself_is_refused_with_all_its_faults() -> None:
    with pytest.raises(ValueError, match="case 'some'") as caught:
        record(
            notes=" ",
            input_size=(3, 0, 24),
            condconv_layers=("blocks.0",),
            mixconv_layers=("blocks.0",),
            refused=(("blocks.1", ""),),
        )
    text = str(caught.value)
    for part in (
        "notes is empty",
        "input_size (3, 0, 24) is not three positive sizes",
        "stand twice among condconv_layers, mixconv_layers and refused: ['blocks.0']",
        "refused has a layer without a word for its reason",
    ):
        assert part in text


def test_a_record_without_fault_is_accepted() -> None:
    assert record(condconv_layers=("blocks.0",), refused=(("blocks.1", "linear"),)).batch_safe
