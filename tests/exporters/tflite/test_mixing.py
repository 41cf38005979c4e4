"""Mixing in several rows gives what one row gives, with banks of any kind; and only where it pays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.tflite.mixing import LEAST_ELEMENTS, MOST_WEIGHTS, rows_at_once, stored_bank
from condmix.runtime.delegate_coverage import coverage
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.graphs import with_batch
from tests.exporters.tflite.running import assert_file_gives, counted, open_file, read_back, written


@given(experts=st.integers(1, 40), elements=st.integers(1, 5000), images=st.integers(1, 3))
def test_rows_divide_the_kernel_and_columns_stay_short(experts: int, elements: int, images: int) -> None:
    rows = rows_at_once(images, experts, elements)
    assert 1 <= rows <= 4
    assert elements % rows == 0
    if rows > 1:
        assert images == 1
        assert elements >= LEAST_ELEMENTS
        assert rows * experts <= MOST_WEIGHTS


def test_rows_as_measured() -> None:
    assert rows_at_once(1, 8, 192 * 1152) == 4
    assert rows_at_once(1, 4, 1024) == 4
    assert rows_at_once(1, 4, 1023) == 1
    assert rows_at_once(1, 10, 1152) == 3
    assert rows_at_once(1, 8, 1026) == 3
    assert rows_at_once(1, 16, 1152) == 2
    assert rows_at_once(1, 17, 1152) == 1
    assert rows_at_once(2, 8, 1152) == 1


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_a_spread_routing_times_the_bank_is_the_kernel_in_order(rows: int) -> None:
    generator = np.random.default_rng(0)
    experts_ek, routing = generator.standard_normal((3, 24)).astype(np.float32), generator.standard_normal((1, 3))
    spread = np.kron(np.eye(rows), routing)
    mixed = spread @ stored_bank(experts_ek, rows).T
    np.testing.assert_allclose(mixed.reshape(1, -1), routing @ experts_ek, rtol=1e-12)


@pytest.mark.parametrize("bank", ["float32", "normalised"])
@pytest.mark.parametrize("group", [1, 24])
def test_large_kernels_are_mixed_in_rows(group: int, bank: str) -> None:
    kernel = (3, 3) if group == 1 else (7, 7)
    case = condconv_case(images=1, in_channels=24, out_channels=24, kernel=kernel, group=group, expert_bias=True)
    model = case.sketch().model("y")
    content = written(model, bank=bank)
    # Four rows of the routing, written once; the experts' biases are few, and mixed in one row.
    assert counted(content)["FULLY_CONNECTED"] == 2
    assert len(spread_rows(content)) == 4
    assert_file_gives(content, case.feeds, {"y": case.expected()})
    assert coverage(open_file(content)).complete == (group == 1)


def test_several_images_are_mixed_in_one_row_each() -> None:
    case = condconv_case(images=2, in_channels=24, out_channels=24)
    model = case.sketch().model("y")
    with_batch(model, 2)
    content = written(model)
    assert spread_rows(content) == []
    assert_file_gives(content, case.feeds, {"y": case.expected()})


def spread_rows(content: bytes) -> list[str]:
    graph = read_back(content).subgraphs[0]
    return [tensor.name.decode() for tensor in graph.tensors if tensor.name.decode()[:-1].endswith("/routing_row_")]
