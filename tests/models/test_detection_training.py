"""Training a detector: repeatable, it learns, and what cannot be trained says so."""

import pytest
import torch

from condmix.models import zoo
from condmix.models.detection_data import PREPROCESSING, PictureMaker
from condmix.models.detection_training import DetectionTrainingSettings, train_detector
from condmix.models.errors import SettingsError, TrainingError

SIZE = (3, 64, 64)
QUICK = DetectionTrainingSettings(epochs=3, batch_size=8, pictures=32, learning_rate=0.01)


@pytest.fixture(scope="module")
def pictures():
    return PictureMaker(held_out=False).make(32, side=64, seed=0)


def trained(pictures, settings=QUICK):
    torch.manual_seed(0)
    network = zoo.build("ssd_condconv_shapes", {"width": 0.1, "input_size": 64})
    seen = []
    result = train_detector(network, lambda _epoch: pictures, PREPROCESSING, SIZE, settings, seen.append)
    return network, result, seen


def test_it_learns_and_is_repeatable(pictures):
    network, result, seen = trained(pictures)
    assert result.epoch_losses[-1] < 0.9 * result.epoch_losses[0]
    assert [progress.epoch for progress in seen] == [1, 2, 3]
    assert not network.training
    again, repeated, _ = trained(pictures)
    assert repeated.epoch_losses == result.epoch_losses
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_too_few_pictures_are_an_error(pictures):
    with pytest.raises(TrainingError, match="32 pictures are fewer than batch_size = 64; lower it"):
        trained(pictures, DetectionTrainingSettings(batch_size=64, pictures=64))
    with pytest.raises(SettingsError, match="pictures is 4, expected at least batch_size = 16"):
        DetectionTrainingSettings(pictures=4)


def test_a_loss_that_is_no_number_is_an_error(pictures):
    with pytest.raises(TrainingError, match="the loss became nan in epoch 1; lower learning_rate"):
        trained(pictures, DetectionTrainingSettings(epochs=1, batch_size=8, pictures=32, learning_rate=1e30))
