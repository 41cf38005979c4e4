"""Tests of condmix.models.preprocessing."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from condmix.models import timm_source
from condmix.models.errors import SettingsError
from condmix.models.preprocessing import Preprocessing


def picture(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize(
    ("size_hw", "target_hw"),
    [((300, 451), (224, 224)), ((451, 300), (224, 224)), ((100, 90), (224, 224)), ((257, 300), (96, 160))],
)
@pytest.mark.parametrize("crop_mode", ["center", "squash"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_it_is_timm_s_evaluation_transform(size_hw, target_hw, crop_mode, interpolation):
    timm_source.check("mixnet_s")
    from timm.data import create_transform

    image = picture(*size_hw, 3)
    chosen = Preprocessing(
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        interpolation=interpolation,
        crop_fraction=0.882,
        crop_mode=crop_mode,
    )
    transform = create_transform(
        input_size=(3, *target_hw),
        interpolation=interpolation,
        mean=chosen.mean,
        std=chosen.std,
        crop_pct=0.882,
        crop_mode=crop_mode,
    )

    ours = chosen.apply(image, input_size=(3, *target_hw))

    assert ours.dtype == np.float32
    assert ours.shape == (3, *target_hw)
    theirs = transform(Image.fromarray(image))
    # Eight-bit pixels are alike; only the order of two float32 roundings differs.
    torch.testing.assert_close(torch.from_numpy(ours), theirs, rtol=0, atol=1e-6)


def test_without_resizing_it_is_the_formula():
    image = picture(4, 6, 1)
    ours = Preprocessing(mean=(0.25,), std=(0.5,)).apply(image, input_size=(1, 4, 6))
    expected = (image.transpose(2, 0, 1).astype(np.float32) / 255 - 0.25) / 0.5
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)


def test_more_channels_than_a_picture_has_are_each_done_alone():
    image = picture(20, 20, 5)
    five = Preprocessing(mean=(0.5,) * 5, std=(0.5,) * 5).apply(image, input_size=(5, 8, 8))
    for channel in range(5):
        one = Preprocessing.default(1).apply(image[..., channel : channel + 1], input_size=(1, 8, 8))
        np.testing.assert_array_equal(five[channel], one[0])


def test_grey_is_repeated_and_colour_is_weighted():
    grey, colour = picture(8, 8, 1), picture(8, 8, 3)
    repeated = Preprocessing(mean=(0.0,) * 3, std=(1.0,) * 3).apply(grey, input_size=(3, 8, 8))
    np.testing.assert_array_equal(repeated[0], repeated[2])
    weighted = Preprocessing(mean=(0.0,), std=(1.0,)).apply(colour, input_size=(1, 8, 8))
    luma = colour @ np.array([0.299, 0.587, 0.114]) / 255
    # Pillow rounds to eight bits.
    np.testing.assert_allclose(weighted[0], luma, rtol=0, atol=1 / 255)


@given(
    mean=st.lists(st.floats(-2, 2), min_size=1, max_size=4),
    interpolation=st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]),
    crop_fraction=st.floats(0.01, 1),
    crop_mode=st.sampled_from(["center", "squash"]),
    scale=st.floats(1e-6, 10),
)
def test_a_round_trip_through_plain_data_changes_nothing(mean, interpolation, crop_fraction, crop_mode, scale):
    chosen = Preprocessing(
        mean=tuple(mean),
        std=tuple(abs(value) + 0.1 for value in mean),
        interpolation=interpolation,
        crop_fraction=crop_fraction,
        crop_mode=crop_mode,
        scale=scale,
    )
    assert Preprocessing.from_dict(chosen.to_dict()) == chosen


def test_from_dict_names_every_unknown_and_absent_field():
    with pytest.raises(SettingsError) as caught:
        Preprocessing.from_dict({"mean": [0.5], "crop_fracton": 0.9, "zzz": 1})
    assert str(caught.value) == (
        "preprocessing: unknown field 'crop_fracton' (nearest: crop_fraction); unknown field 'zzz' (valid: mean, "
        "std, interpolation, crop_fraction, crop_mode, scale); field 'std' is absent"
    )


def test_construction_names_every_problem():
    with pytest.raises(SettingsError) as caught:
        Preprocessing(
            mean=(), std=("a",), interpolation="area", crop_fraction=1.5, crop_mode="border", scale=float("nan")
        )
    assert caught.value.problems == (
        "mean is (), expected finite numbers, one a channel",
        "std is ('a',), expected finite numbers, one a channel",
        "interpolation is 'area', expected one of nearest, box, bilinear, hamming, bicubic, lanczos",
        "crop_mode is 'border', expected one of center, squash",
        "crop_fraction is 1.5, expected above 0, at most 1",
        "scale is nan, expected above 0",
    )


@pytest.mark.parametrize(
    ("mean", "std", "problem"),
    [
        ((0.5,), (0.5, 0.5), "mean has 1 channels, std has 2: they must agree"),
        ((0.5, 0.5), (0.5, 0.0), "std is (0.5, 0.0), expected above 0"),
        ((float("inf"),), (0.5,), "mean is (inf,), expected finite numbers, one a channel"),
    ],
)
def test_mean_and_std_must_agree(mean, std, problem):
    with pytest.raises(SettingsError) as caught:
        Preprocessing(mean=mean, std=std)
    assert caught.value.problems == (problem,)


def test_pictures_that_do_not_fit_are_refused():
    three = Preprocessing.default(3)
    with pytest.raises(SettingsError) as caught:
        three.apply(picture(8, 8, 2), input_size=(4, 8, 8))
    assert caught.value.problems == (
        "the picture has 2 channels, the network takes 4",
        "mean and std have 3 channels, the network takes 4",
    )
    with pytest.raises(SettingsError) as caught:
        three.apply(np.zeros((8, 8), np.float32), input_size=(3, 8, 8))
    assert caught.value.problems == (
        "the picture is float32 of shape (8, 8), expected uint8 (height, width, channels)",
    )
