import numpy as np
import pytest

from condmix.runtime.bench.inputs import RANDOM_INPUTS, feeds_of_images, random_feeds
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.signature import Signature, TensorSpec

IMAGES = np.random.default_rng(0).random((3, 2, 4, 5)).astype(np.float32)


def signature(*specs: TensorSpec) -> Signature:
    return Signature(inputs=specs, outputs=(TensorSpec(name="y", shape=(1,), dtype="float32"),))


def spec(*shape: int | str, name: str = "x", dtype: str = "float32") -> TensorSpec:
    return TensorSpec(name=name, shape=shape, dtype=dtype)


@pytest.mark.parametrize(
    ("fixed", "batch", "rows"),
    [
        ("n", None, [[0], [1], [2]]),
        (1, None, [[0], [1], [2]]),
        ("n", 2, [[0, 1], [2, 0]]),
        (2, None, [[0, 1], [2, 0]]),
        ("n", 3, [[0, 1, 2]]),
        (7, 7, [[0, 1, 2, 0, 1, 2, 0]]),
    ],
)
def test_images_are_stacked_and_every_one_is_fed(fixed: int | str, batch: int | None, rows: list[list[int]]):
    feeds = feeds_of_images({"x": IMAGES}, signature(spec(fixed, 2, 4, 5)), source="reference", batch=batch)
    assert feeds.image_of_row.tolist() == rows
    assert feeds.count == len(rows)
    assert feeds.shapes() == {"x": (len(rows[0]), 2, 4, 5)}
    np.testing.assert_array_equal(feeds.arrays["x"], IMAGES[np.array(rows)])


def test_an_image_is_turned_to_the_layout_of_the_file():
    feeds = feeds_of_images({"x": IMAGES}, signature(spec(1, 4, 5, 2)), source="given")
    np.testing.assert_array_equal(feeds.arrays["x"][1, 0], IMAGES[1].transpose(1, 2, 0))


def test_the_only_input_may_have_another_name():
    feeds = feeds_of_images({"image": IMAGES}, signature(spec(1, 2, 4, 5)), source="reference")
    assert set(feeds.arrays) == {"x"}


def test_a_file_of_integers_gets_them_rounded_to_its_scale():
    whole = signature(spec(1, 2, 4, 5, dtype="int8"))
    feeds = feeds_of_images({"x": 300 * IMAGES - 150}, whole, source="reference", scales={"x": (1.0, 3)})
    expected = np.clip(np.rint(300 * IMAGES.astype(np.float32) - 150) + 3, -128, 127)
    np.testing.assert_array_equal(feeds.arrays["x"][:, 0], expected)
    assert feeds.arrays["x"].dtype == np.int8
    with pytest.raises(InvalidSettingError, match="'x' takes int8, the images are float32, and no scale is known"):
        feeds_of_images({"x": IMAGES}, whole, source="reference")


def test_an_input_without_a_batch_is_fed_as_it_is():
    two = signature(spec(1, 2, 4, 5), spec(3, name="size"))
    feeds = feeds_of_images({"x": IMAGES, "size": np.ones((3, 3), np.float32)}, two, source="given")
    assert feeds.shapes() == {"x": (1, 2, 4, 5), "size": (3,)}


@pytest.mark.parametrize(
    ("images", "batch", "expected"),
    [
        ({"x": IMAGES[:, :1]}, None, "an image of 'x' is 1x4x5, the file takes 2x4x5"),
        ({"x": IMAGES}, 4, "batch is 4, but 'x' takes 1 at a time, fixed in the file"),
        ({"x": IMAGES[:0]}, None, "all inputs must have the same number of images, at least one: 'x' has 0"),
        ({"x": IMAGES, "z": IMAGES}, None, "unknown name 'z'"),
        ({}, None, "there is no array for the input 'x'"),
    ],
)
def test_what_does_not_fit_is_named(images: dict[str, np.ndarray], batch: int | None, expected: str):
    with pytest.raises(InvalidSettingError) as caught:
        feeds_of_images(images, signature(spec(1, 2, 4, 5)), source="given", batch=batch)
    assert expected in str(caught.value)


def test_inputs_with_different_batches():
    both = signature(spec(1, 4), spec(2, 4, name="z"))
    with pytest.raises(InvalidSettingError, match="inputs take different numbers of images"):
        feeds_of_images({name: IMAGES[:, 0, 0, :4] for name in "xz"}, both, source="given")


def test_random_inputs_are_the_same_for_the_same_seed():
    first, again, other = (random_feeds(signature(spec("n", 4)), seed=seed, batch=5) for seed in (1, 1, 9))
    assert first.count == RANDOM_INPUTS
    assert first.shapes() == {"x": (5, 4)}
    np.testing.assert_array_equal(first.arrays["x"], again.arrays["x"])
    assert not np.array_equal(first.arrays["x"], other.arrays["x"])
    assert len(np.unique(first.arrays["x"].reshape(RANDOM_INPUTS, -1), axis=0)) == RANDOM_INPUTS


def test_free_axes_need_a_shape():
    with pytest.raises(InvalidSettingError, match="the shape of 'x' is nx3xh in the file: give one that fits"):
        random_feeds(signature(spec("n", 3, "h")), seed=0)
    feeds = random_feeds(signature(spec("n", 3, "h")), seed=0, shapes={"x": (2, 3, 6)})
    assert feeds.shapes() == {"x": (2, 3, 6)}
