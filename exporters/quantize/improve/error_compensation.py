"""Rounding a weight so that the layer's output moves least: column by column, each error made up for by the rest.

Frantar, Singh and Alistarh 2022, Optimal Brain Compression (arXiv 2208.11580), in the fixed order and Cholesky form
of Frantar et al. 2022, GPTQ (arXiv 2210.17323): with H = X^T X over inputs X and inv(H) = U^T U, rounding column j by
an error e costs e^2 / U_jj^2, and moves the later columns by -e U_j,later / U_jj.
"""

from __future__ import annotations

import numpy as np

from condmix.exporters.quantize.parameters import Grid, stored

DAMPING = 0.01
"""Of the mean diagonal of H, added to it: inputs that calibration hardly saw count a little too."""
COLUMNS_AT_ONCE = 64


def compensated(
    weight_gok: np.ndarray, hessian_gkk: np.ndarray, scale_go: np.ndarray, grid: Grid, kept_gok: np.ndarray
) -> np.ndarray:
    """The numbers on the grid, (groups, out / group, columns) in float64, for weights of that shape.

    A weight marked in `kept_gok` gets its nearest number. A row for which the nearest numbers are the better ones,
    judged by H, gets those: the result is never worse than plain rounding.
    """
    weight = weight_gok.astype(np.float64)
    scale = scale_go.astype(np.float64)[:, :, None]
    nearest = stored(weight, scale, 0, grid).astype(np.float64)
    # Inputs that vary most first: their errors find the most columns to make up for them.
    order = np.argsort(-np.diagonal(hessian_gkk, axis1=1, axis2=2), axis=1, kind="stable")
    factor = _inverse_factor(hessian_gkk, order)
    rest = np.take_along_axis(weight, order[:, None], axis=2)
    fixed = np.take_along_axis(np.where(kept_gok, nearest, np.nan), order[:, None], axis=2)
    numbers = np.empty_like(rest)
    columns = rest.shape[2]
    for first in range(0, columns, COLUMNS_AT_ONCE):
        last = min(first + COLUMNS_AT_ONCE, columns)
        errors = np.empty((*rest.shape[:2], last - first))
        for column in range(first, last):
            rounded = stored(rest[:, :, column], scale[:, :, 0], 0, grid).astype(np.float64)
            numbers[:, :, column] = np.where(np.isnan(fixed[:, :, column]), rounded, fixed[:, :, column])
            error = rest[:, :, column] - numbers[:, :, column] * scale[:, :, 0]
            error = error / factor[:, column, column][:, None]
            rest[:, :, column:last] -= error[:, :, None] * factor[:, None, column, column:last]
            errors[:, :, column - first] = error
        rest[:, :, last:] -= errors @ factor[:, first:last, last:]
    back = np.argsort(order, axis=1)
    found = np.take_along_axis(numbers, back[:, None], axis=2)
    better = output_error(found * scale - weight, hessian_gkk) < output_error(nearest * scale - weight, hessian_gkk)
    return np.where(better[:, :, None], found, nearest)


def output_error(change_gok: np.ndarray, hessian_gkk: np.ndarray) -> np.ndarray:
    """The sum of squares by which a change of weights moves each output channel, (groups, out / group)."""
    error: np.ndarray = ((change_gok @ hessian_gkk) * change_gok).sum(axis=2)
    return error


def _inverse_factor(hessian_gkk: np.ndarray, order_gk: np.ndarray) -> np.ndarray:
    """U, upper triangular, with inv(H) = U^T U for the damped and reordered H.

    From H = R R^T with R upper triangular it follows that U = inv(R); R comes from the Cholesky factor of H reversed.
    """
    reversed_order = order_gk[:, ::-1]
    rows = np.take_along_axis(hessian_gkk.astype(np.float64), reversed_order[:, :, None], axis=1)
    reordered = np.take_along_axis(rows, reversed_order[:, None, :], axis=2)
    size = reordered.shape[1]
    diagonal = np.arange(size)
    damping = DAMPING * reordered[:, diagonal, diagonal].mean(axis=1)
    reordered[:, diagonal, diagonal] += np.where(damping > 0, damping, 1.0)[:, None]
    lower = np.linalg.cholesky(reordered)
    inverse: np.ndarray = np.linalg.inv(lower)
    return inverse[:, ::-1, ::-1]
