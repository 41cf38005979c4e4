"""A routing waits for an image behind a builtin kernel, and for no other; its numbers stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.late_mixing import awaiting
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import Operator, TensorType
from condmix.runtime.delegate_coverage import delegated_operators
from tests.exporters.condconv_cases import CondConvCase, condconv_case
from tests.exporters.graphs import with_batch
from tests.exporters.tflite.running import assert_file_gives, open_file, written

CHANNELS, EXPERTS = 4, 3


def given(images: int = 1) -> tuple[Tensor, Tensor]:
    x = Tensor(name="x", shape=(images, 5, 5, CHANNELS), type=TensorType.FLOAT32)
    return x, Tensor(name="r", shape=(images, EXPERTS), type=TensorType.FLOAT32)


def with_kernel(emitter: Emitter, x: Tensor, kernel: Tensor) -> Tensor:
    """A depthwise convolution with that kernel, plain enough for any."""
    return emitter.emit(Operator.DEPTHWISE_CONV_2D, [x, kernel, None], x.shape)


def computed_kernel(emitter: Emitter, routing: Tensor) -> Tensor:
    bank = emitter.constant(np.ones((CHANNELS, EXPERTS), np.float32), "bank")
    return emitter.reshape(emitter.fully_connected(routing, bank, None), (1, 1, 1, CHANNELS))


@pytest.mark.parametrize("images", [1, 2])
def test_a_routing_waits_for_an_image_behind_a_computed_kernel(images: int) -> None:
    emitter = Emitter()
    x, routing = given(images)
    one = emitter.slice(routing, (0, 0), (1, EXPERTS))
    y = with_kernel(emitter, x, computed_kernel(emitter, one))
    before = len(emitter.operations)
    late = awaiting(emitter, routing, y)
    assert late.shape == routing.shape
    assert [item.operator.name for item in emitter.operations[before:]] == [
        "SLICE",
        "RESHAPE",
        "CONCATENATION",
        "SLICE",
    ]


def test_it_does_not_wait_where_nothing_is_outside_or_it_waits_already() -> None:
    emitter = Emitter()
    x, routing = given()
    stored = emitter.constant(np.ones((1, 1, 1, CHANNELS), np.float32), "stored")
    assert awaiting(emitter, routing, with_kernel(emitter, x, stored)) is routing
    y = with_kernel(emitter, x, computed_kernel(emitter, routing))
    bank = emitter.constant(np.ones((EXPERTS, CHANNELS), np.float32), "weight")
    next_routing = emitter.fully_connected(
        emitter.reshape(emitter.slice(y, (0,) * 4, (1, 1, 1, 4)), (1, 4)), bank, None
    )
    assert awaiting(emitter, next_routing, y) is next_routing


def two_layers(images: int) -> tuple[CondConvCase, CondConvCase]:
    """A depthwise CondConv, and a 1x1 one of the same experts and routing that reads its result."""
    first = condconv_case(images=images, in_channels=CHANNELS, out_channels=CHANNELS, group=CHANNELS)
    second = condconv_case(images=images, in_channels=CHANNELS, out_channels=6, kernel=(1, 1))
    return first, replace(second, images_nchw=first.expected().astype(np.float32), routing_ne=first.routing_ne)


@pytest.mark.parametrize("images", [1, 3])
def test_a_kernel_is_mixed_behind_the_builtin_kernel_with_the_same_numbers(images: int) -> None:
    first, second = two_layers(images)
    sketch = first.sketch()
    second.add_to(sketch, "y", "routing", "z")
    model = sketch.model("z")
    with_batch(model, images)
    content = written(model)
    assert_file_gives(content, first.feeds, {"z": second.expected()})
    session = open_file(content)
    operators = [node for node in session.nodes() if not node.is_delegate]
    partitions = [node for node in session.nodes() if node.is_delegate]
    mixing = [place for place, node in enumerate(operators) if node.operator == "FULLY_CONNECTED"]
    assert len(mixing) == 2
    assert [place in delegated_operators(operators, partitions[:1]) for place in mixing] == [True, False]
    assert [place in delegated_operators(operators, partitions[1:]) for place in mixing] == [False, True]
