"""Tests of condmix.models.training. The full runs are marked slow: each takes about half a minute."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from condmix.models import digits, training, zoo
from condmix.models.condconv import Routing
from condmix.models.digits import ImageData
from condmix.models.epochs import TrainingProgress
from condmix.models.errors import SettingsError, TrainingError
from condmix.models.training import TrainingResult, TrainingSettings, train

FEW = 448


@pytest.fixture(scope="module")
def data() -> ImageData:
    return digits.load(seed=0)


@pytest.fixture
def few(data) -> ImageData:
    return dataclasses.replace(data, train_images=data.train_images[:FEW], train_labels=data.train_labels[:FEW])


@pytest.fixture
def very_few(few) -> ImageData:
    """Two batches to train on and one to measure on: enough to see every draw of a seed."""
    return dataclasses.replace(
        few,
        train_images=few.train_images[:128],
        train_labels=few.train_labels[:128],
        held_out_images=few.held_out_images[:64],
        held_out_labels=few.held_out_labels[:64],
    )


def fresh(name: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return zoo.build(name)


def run(name: str, data: ImageData, **changes: int) -> tuple[nn.Module, TrainingResult, list[TrainingProgress]]:
    module, progress = fresh(name), []
    result = train(module, data, TrainingSettings(**{"epochs": 2, **changes}), progress.append)
    return module, result, progress


def gates(module: nn.Module, images: Tensor) -> list[Tensor]:
    """The gates (images, experts) of each routing in the network."""
    found: list[Tensor] = []
    routings = [part for part in module.modules() if isinstance(part, Routing)]
    hooks = [part.register_forward_hook(lambda _m, _i, output: found.append(output)) for part in routings]
    with torch.no_grad():
        module(images)
    for hook in hooks:
        hook.remove()
    assert len(found) == len(routings) > 0
    return found


@pytest.mark.parametrize("name", ["condconv_digits", "mixnet_digits"])
def test_the_loss_falls(name, few):
    module, result, progress = run(name, few)
    assert result.epoch_losses[1] < 0.9 * result.epoch_losses[0]
    assert result.held_out_accuracy == training.measure_accuracy(module, few)
    assert result.held_out_count == 360
    assert not module.training
    assert [(entry.epoch, entry.epochs, entry.loss) for entry in progress] == [
        (1, 2, result.epoch_losses[0]),
        (2, 2, result.epoch_losses[1]),
    ]
    assert 0 < progress[0].seconds < progress[1].seconds < result.seconds


@pytest.mark.parametrize("name", ["condconv_digits", "mixnet_digits"])
def test_the_same_seed_gives_the_same_network_and_another_another(name, very_few):
    (first, result, _), (again, same, _), (_, other, _) = (run(name, very_few, seed=seed) for seed in (0, 0, 1))
    assert same.epoch_losses == result.epoch_losses
    assert same.held_out_accuracy == result.held_out_accuracy
    state, expected = again.state_dict(), first.state_dict()
    assert all(torch.equal(state[key], expected[key]) for key in expected)
    assert other.epoch_losses[0] != result.epoch_losses[0]


def test_it_prints_nothing_and_leaves_torch_s_generator_alone(few, capfd):
    before = torch.random.get_rng_state()
    run("mixnet_digits", dataclasses.replace(few, train_images=few.train_images[:64]), epochs=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert capfd.readouterr() == ("", "")


def test_accuracy_is_the_share_named_rightly(data):
    class Always(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            scores = torch.zeros(len(images), 10)
            scores[:, 3] = 1
            return scores

    share = float(np.mean(data.held_out_labels == 3))
    assert training.measure_accuracy(Always(), data) == pytest.approx(share, rel=1e-6)


def test_every_setting_out_of_range_is_named():
    with pytest.raises(SettingsError) as caught:
        TrainingSettings(
            epochs=0,
            batch_size=1,
            learning_rate=float("nan"),
            weight_decay=-1.0,
            routing_rate=0.0,
            warm_up=1.0,
            label_smoothing=1.0,
            seed=-1,
        )
    assert str(caught.value) == (
        "training: epochs is 0, expected at least 1; batch_size is 1, expected at least 2, as batch norm needs; "
        "learning_rate is nan, expected above 0; weight_decay is -1.0, expected 0 or more; routing_rate is 0.0, "
        "expected above 0; warm_up is 1.0, expected between 0 and 1; label_smoothing is 1.0, expected from 0 to below "
        "1; seed is -1, expected 0 or more"
    )


def refusal(module: nn.Module, data: ImageData, **changes: float) -> str:
    with pytest.raises(TrainingError) as caught:
        train(module, data, TrainingSettings(**{"epochs": 1, **changes}), lambda _: None)
    return str(caught.value)


def test_data_and_network_must_fit(few):
    assert refusal(zoo.build("mixnet_digits", {"num_classes": 4}), few) == (
        "training: the network gives scores of shape (4,), expected (10,), one a class; build it with that num_classes"
    )
    assert refusal(zoo.build("mixnet_digits", {"in_channels": 3}), few).startswith(
        "training: the network does not run on pictures of (channels, height, width) = (1, 32, 32): "
    )
    assert refusal(fresh("mixnet_digits"), few, batch_size=449) == (
        "training: 448 pictures are fewer than batch_size = 449; lower it"
    )


def test_a_loss_that_is_no_number_stops(few):
    poisoned = few.train_images.copy()
    poisoned[:] = np.nan
    module = nn.Sequential(nn.Flatten(), nn.Linear(1024, 10))
    assert refusal(module, dataclasses.replace(few, train_images=poisoned)) == (
        "training: the loss became nan in epoch 1; lower learning_rate"
    )


@pytest.mark.slow
def test_ten_epochs_reach_97_percent_and_gates_that_tell_pictures_apart(data):
    module = fresh("condconv_digits")
    assert train(module, data, TrainingSettings(epochs=10), lambda _: None).held_out_accuracy >= 0.97
    # An export that mixes one kernel for all pictures, or the experts in another order, cannot pass for right on this
    # network.
    for gate in gates(module, torch.from_numpy(data.held_out_images)):
        assert gate.std(dim=0).min() > 0.02
        assert (gate.max(dim=0).values - gate.min(dim=0).values).min() > 0.1


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["condconv_digits", "mixnet_digits"])
def test_the_standard_settings_reach_97_percent(name, data):
    assert train(fresh(name), data, TrainingSettings(), lambda _: None).held_out_accuracy >= 0.97
