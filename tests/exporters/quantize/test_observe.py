"""Any function from an image to values can be observed; floats only, image by image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from condmix.exporters.quantize.observe import observe


def test_every_float_value_gets_its_histogram_over_all_images() -> None:
    images = [np.full((1, 2, 2), number, np.float32) for number in (1.0, -3.0, 2.0)]
    found = observe(lambda image: {"x": image, "half": image.astype(np.float16) / 2, "n": np.arange(3)}, images)
    assert set(found) == {"x", "half"}
    assert (found["x"].low, found["x"].high, found["x"].arrays, found["x"].count) == (-3.0, 2.0, 3, 12)
    assert (found["half"].low, found["half"].high) == (-1.5, 1.0)


def test_images_are_asked_for_one_at_a_time_and_progress_is_told() -> None:
    asked, told = [], []

    def images() -> Iterator[np.ndarray]:
        for index in range(3):
            asked.append(index)
            yield np.zeros((1, 1, 1), np.float32)

    def progress(done: int) -> None:
        assert len(asked) == done
        told.append(done)

    observe(lambda image: {"x": image}, images(), progress)
    assert told == [1, 2, 3]


def test_without_images_nothing_is_observed() -> None:
    assert observe(lambda image: {"x": image}, []) == {}
