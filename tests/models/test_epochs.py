"""Epochs one after another; what cannot go on says so."""

import math

import pytest

from condmix.models.epochs import TrainingProgress, full_batches, run_epochs
from condmix.models.errors import TrainingError


def test_epochs_are_counted_from_one_and_reported():
    seen: list[TrainingProgress] = []
    assert run_epochs(lambda epoch: 1 / epoch, 4, seen.append) == (1, 1 / 2, 1 / 3, 1 / 4)
    assert [(one.epoch, one.epochs, one.loss) for one in seen] == [(n, 4, 1 / n) for n in (1, 2, 3, 4)]
    assert 0 <= seen[0].seconds <= seen[-1].seconds


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_it(loss: float):
    seen: list[TrainingProgress] = []
    asked: list[int] = []

    def one_epoch(epoch: int) -> float:
        asked.append(epoch)
        return loss if epoch == 2 else 1.0

    with pytest.raises(TrainingError, match=f"^training: the loss became {loss} in epoch 2; lower learning_rate$"):
        run_epochs(one_epoch, 5, seen.append)
    assert asked == [1, 2]
    assert [one.epoch for one in seen] == [1]


@pytest.mark.parametrize(("pictures", "batches"), [(8, 1), (15, 1), (16, 2)])
def test_a_short_last_batch_is_left_out(pictures: int, batches: int):
    assert full_batches(pictures, 8) == batches


def test_fewer_pictures_than_a_batch_are_refused():
    with pytest.raises(TrainingError, match=r"^training: 7 pictures are fewer than batch_size = 8; lower it$"):
        full_batches(7, 8)
