"""Settings: frozen, checked at once, with texts that say what to write instead."""

import dataclasses

import pytest

from condmix.models.errors import ModelError, SettingsError
from condmix.models.settings import NetworkSettings, with_changes


def test_every_problem_is_in_one_error() -> None:
    with pytest.raises(SettingsError) as caught:
        NetworkSettings(
            num_classes=0,
            in_channels=-1,
            input_size=0,
            width=0.0,
            dropout=1.0,
            batch_norm_epsilon=0.0,
            batch_norm_momentum=2.0,
        )
    assert str(caught.value) == (
        "NetworkSettings: num_classes is 0, expected at least 1; in_channels is -1, expected at least 1; "
        "input_size is 0, expected at least 1; width is 0.0, expected a finite number above 0; "
        "dropout is 1.0, expected from 0 to below 1; batch_norm_epsilon is 0.0, expected between 0 and 1; "
        "batch_norm_momentum is 2.0, expected above 0, at most 1"
    )
    assert isinstance(caught.value, ModelError)


@pytest.mark.parametrize("width", [float("nan"), float("inf"), -1.0])
def test_a_width_that_is_no_size_is_an_error(width: float) -> None:
    with pytest.raises(SettingsError, match=r"width is .*, expected a finite number above 0"):
        NetworkSettings(width=width)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("num_classes", "10", "num_classes is '10', expected a whole number"),
        ("num_classes", 10.0, "num_classes is 10.0, expected a whole number"),
        ("num_classes", True, "num_classes is True, expected a whole number"),
        ("width", "wide", "width is 'wide', expected a number"),
        ("width", None, "width is None, expected a number"),
        ("dropout", [0.1], "dropout is (0.1,), expected a number"),
    ],
)
def test_a_value_of_the_wrong_type_is_an_error(key: str, value: object, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        with_changes(NetworkSettings(), {key: value}, "settings of a network")
    assert caught.value.problems == (sentence,)


def test_whole_numbers_serve_as_numbers() -> None:
    changed = with_changes(NetworkSettings(), {"width": 2}, "settings of a network")
    assert changed.width == 2.0
    assert type(changed.width) is float


def test_all_unknown_keys_are_named_with_the_nearest() -> None:
    with pytest.raises(SettingsError) as caught:
        with_changes(
            NetworkSettings(),
            {"num_class": 3, "zzz": 1, "width": 0.0, "drop_out": 0.1},
            "settings of a network",
        )
    assert caught.value.place == "settings of a network"
    assert caught.value.problems == (
        "unknown setting 'num_class' (nearest: num_classes)",
        "unknown setting 'zzz' (valid: num_classes, in_channels, input_size, width, dropout, "
        "batch_norm_epsilon, batch_norm_momentum)",
        "unknown setting 'drop_out' (nearest: dropout)",
        "width is 0.0, expected a finite number above 0",
    )


def test_settings_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        NetworkSettings().width = 2.0  # type: ignore[misc]
