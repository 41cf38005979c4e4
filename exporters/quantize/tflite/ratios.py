"""Scales kept within the ratios that XNNPACK computes with: beyond them it refuses a file, or ends the process.

Scales are only ever made coarser, and only where a tensor is so much smaller than its neighbour that its own steps
would not be seen in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from condmix.exporters.quantize.parameters import INT8_SYMMETRIC, Affine
from condmix.exporters.quantize.tflite.plan import Arithmetic, Plan
from condmix.exporters.quantize.tflite.roles import FILTER, data_inputs, has_stored_filter, moves_only
from condmix.exporters.quantize.tflite.ties import Ties
from condmix.exporters.quantize.tflite.weights import whole_filter
from condmix.exporters.tflite.model import Operation, TfliteModel
from condmix.exporters.tflite.schema import Operator

SUM_RATIOS = (2.0**-10, 2.0**8)
"""Input scale over output scale of ADD and SUB (XNNPACK, xnn_create_add_nd_qs8)."""
PRODUCT_RATIOS = (2.0**-16, 2.0**8)
"""Product of the input scales over the output scale of MUL; of convolutions the upper one."""
RESCALE_RATIOS = (2.0**-8, 2.0**7)
"""Input scale over output scale of whatever has one input."""
MARGIN = 2.0
MOST_ROUNDS = 20


def within_ratios(
    model: TfliteModel, plan: Plan, ties: Ties[int], fixed: frozenset[int], scales: Mapping[int, Affine]
) -> dict[int, Affine]:
    """Scales by group, coarser where they have to be. Groups in `fixed` keep theirs."""
    found = dict(scales)
    operations = [
        operation
        for index, operation in enumerate(model.operations)
        if plan.arithmetic(index) is Arithmetic.INTEGER and not moves_only(operation)
    ]
    for _ in range(MOST_ROUNDS):
        before = dict(found)
        for operation in operations:
            _keep(operation, ties, fixed, found)
        if found == before:
            break
    return found


def _keep(operation: Operation, ties: Ties[int], fixed: frozenset[int], found: dict[int, Affine]) -> None:
    output = ties.group(id(operation.outputs[0]))
    inputs = [ties.group(id(item)) for item in data_inputs(operation) if item.data is None]
    stored = [_stored_scale(item.data) for item in data_inputs(operation) if item.data is not None]
    if has_stored_filter(operation):
        weight = operation.inputs[FILTER]
        assert weight is not None
        stored.append(_stored_scale(whole_filter(weight)))
    if operation.operator in (Operator.ADD, Operator.SUB):
        for item in inputs:
            _bound(found[item].scale, SUM_RATIOS, item, output, fixed, found)
    elif operation.operator in (Operator.LOGISTIC, Operator.TANH):
        return
    elif len(inputs) + len(stored) > 1:
        product = math.prod([*(found[item].scale for item in inputs), *stored])
        low = PRODUCT_RATIOS[0] if operation.operator is Operator.MUL else 0.0
        _bound(product, (low, PRODUCT_RATIOS[1]), inputs[0], output, fixed, found)
    else:
        _bound(found[inputs[0]].scale, RESCALE_RATIOS, inputs[0], output, fixed, found)


def _stored_scale(data: np.ndarray) -> float:
    return float(np.abs(data).max(initial=0.0)) / INT8_SYMMETRIC.high


def _bound(
    own: float, ratios: tuple[float, float], item: int, output: int, fixed: frozenset[int], found: dict[int, Affine]
) -> None:
    low, high = ratios
    ratio = own / found[output].scale
    if ratio >= high / MARGIN and output not in fixed:
        found[output] = _coarser(found[output], ratio / (high / MARGIN) * MARGIN)
    elif 0 < ratio < low * MARGIN and item not in fixed:
        found[item] = _coarser(found[item], low * MARGIN / ratio * MARGIN)


def _coarser(affine: Affine, factor: float) -> Affine:
    return replace(affine, scale=float(np.float32(affine.scale * factor)))
