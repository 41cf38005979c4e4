"""Tests of condmix.models.augmentation."""

import pytest
import torch
from torch import Tensor

from condmix.models.augmentation import Augmentation
from condmix.models.errors import SettingsError

NOTHING = {"rotate_degrees": 0.0, "scale": 0.0, "shift": 0.0, "noise": 0.0}


def varied(images: Tensor, seed: int = 0, **changes: float) -> Tensor:
    return Augmentation(**{**NOTHING, **changes}).apply(images, torch.Generator().manual_seed(seed))


def spot(row: int, column: int, count: int = 64) -> Tensor:
    """Pictures of 33x33 pixels with one bright spot of 3x3 pixels."""
    images = torch.zeros(count, 1, 33, 33)
    images[..., row - 1 : row + 2, column - 1 : column + 2] = 1
    return images


def centres(images: Tensor) -> Tensor:
    """Row and column of the centre of brightness of each picture: (count, 2)."""
    positions = torch.arange(33.0)
    weight = images.sum(dim=(1, 2, 3))
    rows = (images.sum(dim=(1, 3)) * positions).sum(1) / weight
    columns = (images.sum(dim=(1, 2)) * positions).sum(1) / weight
    return torch.stack((rows, columns), 1)


def test_no_change_asked_for_is_no_change():
    images = torch.rand(4, 2, 9, 7, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(varied(images), images, rtol=0, atol=1e-5)


def test_shifts_stay_within_their_share_and_use_it():
    moved = centres(varied(spot(16, 16), shift=0.25)) - 16
    assert moved.abs().max() <= 0.25 * 33 + 0.1
    assert moved.abs().max() > 0.8 * 0.25 * 33
    assert moved.min() < -4
    assert moved.max() > 4


def test_rotation_keeps_the_distance_from_the_middle():
    turned = centres(varied(spot(16, 26), rotate_degrees=30.0)) - 16
    torch.testing.assert_close(turned.norm(dim=1), torch.full((64,), 10.0), rtol=0, atol=0.2)
    degrees = torch.rad2deg(torch.atan2(turned[:, 0], turned[:, 1]))
    assert degrees.abs().max() <= 31
    assert degrees.min() < -20
    assert degrees.max() > 20


def test_scale_changes_the_distance_from_the_middle_alone():
    scaled = centres(varied(spot(16, 26), scale=0.3)) - 16
    assert scaled[:, 0].abs().max() < 0.1
    assert 10 * 0.7 - 0.2 <= scaled[:, 1].min() < 8
    assert 12 < scaled[:, 1].max() <= 10 * 1.3 + 0.2


def test_noise_has_its_standard_deviation():
    noise = varied(torch.zeros(64, 1, 33, 33), noise=0.5)
    assert noise.std().item() == pytest.approx(0.5, rel=0.02)
    assert abs(noise.mean().item()) < 0.01


def test_the_generator_decides_and_torch_s_own_is_left_alone():
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    before = torch.random.get_rng_state()
    one, same, other = (Augmentation().apply(images, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_every_value_out_of_range_is_named():
    with pytest.raises(SettingsError) as caught:
        Augmentation(rotate_degrees=-1.0, scale=1.0, shift=2.0, noise=float("nan"))
    assert str(caught.value) == (
        "augmentation: rotate_degrees is -1.0, expected from 0 to 180; scale is 1.0, expected from 0 to 0.9; shift is "
        "2.0, expected from 0 to 1; noise is nan, expected from 0 to 10"
    )
