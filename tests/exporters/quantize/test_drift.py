"""The drift of routing is a plain difference, block by block."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.errors import VerificationError
from condmix.exporters.quantize.drift import RoutingDrift, drift

FLOAT = np.array([[0.1, 0.9], [0.6, 0.4], [0.5, 0.2], [0.3, 0.4]])


def test_a_block_that_did_not_move_has_none() -> None:
    assert drift({"r": FLOAT}, {"r": FLOAT.copy()}) == (
        RoutingDrift(block="r", largest=0.0, mean=0.0, changed_share=0.0, image_count=4),
    )


def test_the_largest_the_mean_and_the_changed_images() -> None:
    moved = FLOAT + np.array([[0.0, -0.1], [0.0, 0.3], [0.0, 0.0], [0.0, 0.0]])
    (found,) = drift({"r": FLOAT}, {"r": moved})
    assert found.largest == pytest.approx(0.3)
    assert found.mean == pytest.approx(0.4 / 8)
    assert found.changed_share == 0.25
    assert found.to_dict()["block"] == "r"


def test_two_experts_that_become_equal_are_no_change() -> None:
    (found,) = drift({"r": np.array([[0.4, 0.5]])}, {"r": np.array([[0.45, 0.45]])})
    assert found.changed_share == 0.0


def test_blocks_keep_the_order_of_the_network() -> None:
    found = drift({"b": FLOAT, "a": FLOAT}, {"a": FLOAT, "b": FLOAT})
    assert [item.block for item in found] == ["b", "a"]


def test_all_that_cannot_be_compared_is_named() -> None:
    spoilt = FLOAT.copy()
    spoilt[0, 0] = np.nan
    with pytest.raises(VerificationError) as caught:
        drift({"a": FLOAT, "b": FLOAT, "c": FLOAT}, {"b": FLOAT[:2], "c": spoilt, "d": FLOAT})
    assert str(caught.value).splitlines() == [
        "routing cannot be compared:",
        "  - block 'a' has no int8 routing",
        "  - block 'b' has shapes (4, 2) and (2, 2): expected (images, experts)",
        "  - block 'c' holds NaN or infinity",
        "  - block 'd' has no float routing",
    ]
