"""Several inputs as one array: taken, ordered and fed like images."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.joint_inputs import as_batch, feeds, first_part, is_joint, joint, mapped

IMAGES = np.arange(3 * 2 * 4 * 5, dtype=np.float32).reshape(3, 2, 4, 5)
CONTEXT = np.arange(3 * 7, dtype=np.float32).reshape(3, 7)
BOTH = joint({"image": IMAGES, "context": CONTEXT})


def test_one_input_is_itself() -> None:
    assert joint({"image": IMAGES}) is IMAGES
    assert not is_joint(IMAGES)
    assert first_part(IMAGES) is IMAGES
    assert mapped(IMAGES, lambda part: part + 1)[0, 0, 0, 0] == 1
    (found,) = feeds(IMAGES, ["x"]).values()
    assert found is IMAGES


def test_rows_of_several_inputs_stay_together() -> None:
    assert is_joint(BOTH)
    assert BOTH.shape == (3,)
    taken = np.concatenate([BOTH[[2, 0]], BOTH[1:2]])
    fed = feeds(taken, ["image", "context"])
    np.testing.assert_array_equal(fed["image"], IMAGES[[2, 0, 1]])
    np.testing.assert_array_equal(fed["context"], CONTEXT[[2, 0, 1]])
    np.testing.assert_array_equal(first_part(taken), IMAGES[[2, 0, 1]])


def test_one_row_is_a_batch_of_one() -> None:
    for row in (BOTH[1], next(iter(BOTH[1:])), BOTH[1, ...]):
        fed = feeds(as_batch(row), ["image", "context"])
        np.testing.assert_array_equal(fed["context"], CONTEXT[1:2])
        np.testing.assert_array_equal(first_part(row), IMAGES[1])
    np.testing.assert_array_equal(as_batch(IMAGES[0]), IMAGES[:1])


def test_names_are_taken_in_order_and_images_turned() -> None:
    fed = feeds(BOTH, ["a", "b"], channels_last=True)
    np.testing.assert_array_equal(fed["a"], IMAGES.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(fed["b"], CONTEXT)
    # A user may give each the name that the other had.
    np.testing.assert_array_equal(feeds(BOTH, ["context", "image"])["context"], IMAGES)


def test_each_part_is_changed_on_its_own() -> None:
    double = mapped(BOTH, lambda part: part.astype(np.float64) * 2)
    assert double["context"].dtype == np.float64
    np.testing.assert_array_equal(double["image"], 2 * IMAGES)


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(InvalidSettingError, match="'image' has 3, 'context' has 2"):
        joint({"image": IMAGES, "context": CONTEXT[:2]})
    with pytest.raises(InvalidSettingError, match="there is none"):
        joint({})
    with pytest.raises(InvalidSettingError, match=r"1 inputs \(x\), 2 \(image, context\) were given"):
        feeds(BOTH, ["x"])
    with pytest.raises(InvalidSettingError, match=r"2 inputs \(x, y\), 1 \(images alone\)"):
        feeds(IMAGES, ["x", "y"])
