"""Kernels are stored without boxes of zeros, and come back number for number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.quantize.onnx.packing import PIECE_BYTES, packed, unpacked


def full(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """No number is zero."""
    numbers: np.ndarray = np.random.default_rng(seed).integers(1, 100, shape).astype(np.int8)
    return numbers


def stored_bytes(kernel: np.ndarray) -> int:
    return sum(piece.array.nbytes for piece in packed(kernel))


@given(st.integers(0, 2**32 - 1), st.integers(1, 70), st.sampled_from([(1, 5, 5), (1, 11, 11), (24, 1, 1), (6, 3, 3)]))
def test_what_is_packed_comes_back(seed: int, rows: int, inner: tuple[int, ...]) -> None:
    generator = np.random.default_rng(seed)
    kernel = full((rows, *inner), seed)
    for start in range(0, rows, int(generator.integers(1, 30))):
        low = [int(generator.integers(0, length)) for length in inner]
        high = [int(generator.integers(begin, length + 1)) for begin, length in zip(low, inner, strict=True)]
        kept = kernel[start:, low[0] : high[0], low[1] : high[1], low[2] : high[2]].copy()
        kernel[start:] = 0
        kernel[start:, low[0] : high[0], low[1] : high[1], low[2] : high[2]] = kept
    pieces = packed(kernel)
    np.testing.assert_array_equal(unpacked(pieces), kernel)
    assert sum(piece.array.nbytes + PIECE_BYTES * (len(pieces) > 1) for piece in pieces) <= kernel.nbytes
    assert all(piece.array.dtype == np.int8 and piece.array.size for piece in pieces)


def test_branches_in_one_kernel() -> None:
    """3x3 and 5x5 and 7x7 in a kernel of 7x7: each is stored as large as it is."""
    kernel = full((180, 1, 7, 7))
    for rows, edge in ((slice(0, 60), 2), (slice(60, 120), 1)):
        inner = kernel[rows, :, edge:-edge, edge:-edge].copy()
        kernel[rows] = 0
        kernel[rows, :, edge:-edge, edge:-edge] = inner
    assert [piece.array.shape for piece in packed(kernel)] == [(60, 1, 3, 3), (60, 1, 5, 5), (60, 1, 7, 7)]
    assert stored_bytes(kernel) == 60 * (9 + 25 + 49)


def test_groups_written_out_as_one() -> None:
    kernel = full((80, 40, 1, 1))
    kernel[:40, 20:] = 0
    kernel[40:, :20] = 0
    assert [piece.array.shape for piece in packed(kernel)] == [(40, 20, 1, 1)] * 2
    np.testing.assert_array_equal(unpacked(packed(kernel)), kernel)


def test_a_few_zeros_by_chance_cut_nothing() -> None:
    kernel = full((64, 32, 3, 3))
    kernel[3, 0] = 0
    kernel[10, :, 0] = 0
    (piece,) = packed(kernel)
    assert piece.array is kernel


@pytest.mark.parametrize("shape", [(64, 32, 1, 1), (8, 1, 3, 3)])
def test_nothing_but_zeros(shape: tuple[int, ...]) -> None:
    kernel = np.zeros(shape, np.int8)
    np.testing.assert_array_equal(unpacked(packed(kernel)), kernel)
    assert stored_bytes(kernel) <= kernel.nbytes
