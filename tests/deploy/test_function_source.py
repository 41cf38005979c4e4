"""A function of the user's own gives images; what it does wrong is told in a sentence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from condmix.deploy.errors import ImagesError
from condmix.deploy.function_source import FunctionSource
from condmix.models.network import LoadedNetwork

CODE = """
import numpy as np
import torch

IMAGES = np.random.default_rng(0).standard_normal((6, 1, 32, 32)).astype(np.float32)

def singly():
    yield from IMAGES

def in_batches():
    yield IMAGES[:4]
    yield IMAGES[4:]

def whole():
    return IMAGES

def with_labels():
    for number, image in enumerate(IMAGES):
        yield image, number

def from_a_loader():
    dataset = torch.utils.data.TensorDataset(torch.from_numpy(IMAGES), torch.arange(6))
    return torch.utils.data.DataLoader(dataset, batch_size=4)

def sized(input_size):
    return np.ones((2, *input_size), np.float32) * np.arange(2).reshape(2, 1, 1, 1)

def optional(size=None):
    assert size is None
    yield IMAGES[0]

def endless():
    while True:
        yield IMAGES[0]

def one():
    return IMAGES[0]

def two(a, b):
    return IMAGES

def raises():
    raise OSError("no such bucket")

def breaks():
    yield IMAGES[0]
    raise KeyError("label")

def stops():
    raise SystemExit

def number():
    return 3

def odd():
    yield IMAGES[0]
    yield "a picture"
    yield IMAGES[0][0]
    yield np.zeros((1, 8, 8), np.float32)
    yield IMAGES[1], 12
    yield IMAGES[:2], [1]

constant = 3
"""


@pytest.fixture
def source(user_code: Callable[[str], str], network: LoadedNetwork) -> Callable[..., FunctionSource]:
    module = user_code(CODE)
    return lambda name, **choices: FunctionSource(f"{module}:{name}", network, 10, **choices)


def images() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((6, 1, 32, 32)).astype(np.float32)


@pytest.mark.parametrize("name", ["singly", "in_batches", "whole", "with_labels", "from_a_loader"])
def test_images_come_singly_or_in_batches_as_often_as_wanted(source: Callable[..., FunctionSource], name: str) -> None:
    opened = source(name)
    assert opened.count is None
    for _ in range(2):
        items = list(opened.items((0, 3, 5)))
        assert [item.name for item in items] == ["image 0", "image 3", "image 5"]
        assert np.array_equal([item.found for item in items], images()[[0, 3, 5]])


@pytest.mark.parametrize("name", ["with_labels", "from_a_loader"])
def test_labels_come_in_pairs_with_images(source: Callable[..., FunctionSource], name: str) -> None:
    assert [item.label for item in source(name).items(range(6))] == list(range(6))
    assert [item.label for item in source(name, use_labels=False).items(range(6))] == [None] * 6


def test_the_input_size_is_given_to_who_asks_for_it(source: Callable[..., FunctionSource]) -> None:
    assert len(list(source("sized").items(range(9)))) == 2
    assert len(list(source("optional").items(range(9)))) == 1
    assert len(list(source("one").items(range(9)))) == 1


def test_no_more_is_asked_for_than_is_needed(source: Callable[..., FunctionSource]) -> None:
    assert len(list(source("endless").items(range(7)))) == 7


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("raises", "calling it failed with OSError: no such bucket"),
        ("stops", "calling it failed with SystemExit"),
        ("breaks", "failed with KeyError: 'label'"),
        ("number", "gave a int: expected arrays, one after the other"),
        ("two", r"takes \(a, b\): expected no arguments, or one, the input size \(channels, height, width\)"),
        ("constant", "is a int: expected a function"),
        ("absent", "has no absent; "),
    ],
)
def test_what_the_function_does_wrong_is_told(source: Callable[..., FunctionSource], name: str, problem: str) -> None:
    with pytest.raises(ImagesError, match=f"cannot be used for calibration\n  - .*{problem}"):
        list(source(name).items(range(9)))


@pytest.mark.parametrize("name", ["no_module_of_that_name:images", "a path:x"])
def test_a_name_that_leads_nowhere_is_told(network: LoadedNetwork, name: str) -> None:
    with pytest.raises(ImagesError, match=r"there is no module|expected package\.module:function"):
        FunctionSource(name, network, 10)


def test_every_item_that_is_no_image_says_why(source: Callable[..., FunctionSource]) -> None:
    found = [item.found for item in source("odd").items(range(9))]
    assert isinstance(found[0], np.ndarray)
    assert [text if isinstance(text, str) else "" for text in found[1:]] == [
        "is <U9 of shape (): expected (channels, height, width), or a batch of them",
        "is float32 of shape (32, 32): expected (channels, height, width), or a batch of them",
        "has images of shape (1, 8, 8): expected (1, 32, 32); preprocess them to that size, or export for theirs with "
        "--input-size",
        "labels 12 are no classes of the network: expected 0 to 9",
        *["labels are int64 of shape (1,): expected whole numbers of shape (2,)"] * 2,
    ]
