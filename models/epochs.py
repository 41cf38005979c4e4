"""What trainings share: full batches, one epoch after another, and a loss that stays a number."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable

from condmix.models.errors import TrainingError


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingProgress:
    """One finished epoch, counted from 1. `loss` is the mean over the epoch's training pictures."""

    epoch: int
    epochs: int
    loss: float
    seconds: float


def full_batches(pictures: int, batch_size: int) -> int:
    """How many an epoch has: a short last batch would weigh its pictures more and upset batch norm.

    Raises `TrainingError` where there is none.
    """
    if pictures < batch_size:
        message = f"training: {pictures} pictures are fewer than batch_size = {batch_size}; lower it"
        raise TrainingError(message)
    return pictures // batch_size


def run_epochs(
    one_epoch: Callable[[int], float], epochs: int, report_progress: Callable[[TrainingProgress], None]
) -> tuple[float, ...]:
    """The mean losses that `one_epoch`, asked with numbers from 1 on, answered with; each is reported.

    Raises `TrainingError` for one that is no number.
    """
    started = time.perf_counter()
    losses: list[float] = []
    for epoch in range(1, epochs + 1):
        loss = one_epoch(epoch)
        if not math.isfinite(loss):
            message = f"training: the loss became {loss} in epoch {epoch}; lower learning_rate"
            raise TrainingError(message)
        losses.append(loss)
        seconds = time.perf_counter() - started
        report_progress(TrainingProgress(epoch=epoch, epochs=epochs, loss=loss, seconds=seconds))
    return tuple(losses)
