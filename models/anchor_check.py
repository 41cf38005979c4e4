"""Whether a detector of anybody's code gives anchors and heads that `box_coding` can decode."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from condmix.models.box_coding import GivesAnchors
from condmix.models.errors import ModelError

NUMBERS_A_BOX = 4


class AnchorsError(ModelError):
    """A network has a method `anchors` that does not fit its outputs."""


def checked_anchors(module: nn.Module, input_size: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """The anchors (count, 4), float32, of a network that says them; it was run once on an image of zeros.

    Raises AnchorsError saying what they or the outputs are instead: `anchors` fails or gives another shape, the result
    is no dictionary of `boxes` (1, count, 4) and `scores` (1, count, classes).
    """
    assert isinstance(module, GivesAnchors)
    try:
        given = np.asarray(module.anchors(*input_size[1:]))
    except Exception as error:  # somebody's code
        first = (str(error) or type(error).__name__).splitlines()[0]
        message = f"its anchors({input_size[1]}, {input_size[2]}) fails: {first}"
        raise AnchorsError(message) from error
    if given.ndim != 2 or given.shape[1] != NUMBERS_A_BOX or given.dtype.kind != "f" or not np.isfinite(given).all():
        message = f"its anchors are {given.dtype} of shape {list(given.shape)}: expected finite floats (count, 4)"
        raise AnchorsError(message)
    found = _heads(module, input_size)
    if isinstance(found, str):
        message = f"its result is {found}: expected a dictionary with tensors boxes and scores"
        raise AnchorsError(message)
    shapes = {name: list(tensor.shape) for name, tensor in found.items()}
    boxes, scores = shapes["boxes"], shapes["scores"]
    if boxes != [1, len(given), NUMBERS_A_BOX] or len(scores) != 3 or scores[:2] != [1, len(given)]:
        message = (
            f"it gives {len(given)} anchors, boxes {boxes} and scores {scores}: expected boxes [1, {len(given)}, 4] "
            f"and scores [1, {len(given)}, classes]"
        )
        raise AnchorsError(message)
    return given.astype(np.float32)


def _heads(module: nn.Module, input_size: tuple[int, int, int]) -> dict[str, torch.Tensor] | str:
    """The two heads for an image of zeros, or what the result is instead."""
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            result = module(torch.zeros(1, *input_size))
    except Exception as error:  # noqa: BLE001 - somebody's code; capturing it says more
        return f"not known: it fails on an image of zeros ({(str(error) or type(error).__name__).splitlines()[0]})"
    finally:
        module.train(was_training)
    if not isinstance(result, dict):
        return f"a {type(result).__name__}"
    heads = {name: result.get(name) for name in ("boxes", "scores")}
    if any(not isinstance(tensor, torch.Tensor) for tensor in heads.values()):
        return f"a dictionary of {sorted(map(str, result))}"
    return {name: tensor for name, tensor in heads.items() if isinstance(tensor, torch.Tensor)}
