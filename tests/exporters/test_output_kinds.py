"""What outputs are: told by the operator at their end, by their names, and by the number of class names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from condmix.exporters.capture import capture
from condmix.exporters.captured import Captured
from condmix.exporters.output_kinds import kinds_of, renamed
from condmix.runtime.output_kind import CLASSES, EMBEDDING, LABELS, METADATA_KEY, VALUES, kind_by_name, kinds_in


class Ending(nn.Module):
    """A convolution, a linear layer, and an end of the test's own."""

    def __init__(self, end: Callable[[Tensor, Tensor], object]) -> None:
        super().__init__()
        self.conv, self.linear, self.end = nn.Conv2d(3, 6, 3), nn.Linear(6, 4), end

    def forward(self, x: Tensor) -> object:
        features = self.conv(x)
        return self.end(features, self.linear(features.relu().mean((2, 3))))


def captured(end: Callable[[Tensor, Tensor], object]) -> Captured:
    torch.manual_seed(0)
    return capture(Ending(end), (3, 6, 6))


@pytest.mark.parametrize(
    ("end", "name", "kind"),
    [
        (lambda _f, y: y, "logits", CLASSES),
        (lambda _f, y: 0.5 * y + 1, "logits", CLASSES),
        (lambda _f, y: y.softmax(1), "probabilities", CLASSES),
        (lambda _f, y: y.sigmoid(), "probabilities", LABELS),
        (lambda f, _y: f.relu().mean((2, 3)), "embedding", EMBEDDING),
        (lambda _f, y: functional.normalize(y), "embedding", EMBEDDING),
        (lambda f, _y: f.mean((2, 3)), "logits", CLASSES),
        (lambda f, _y: f, "output", VALUES),
        (lambda _f, y: y[:, :1], "output", VALUES),
        (lambda _f, y: y.flatten(), "logits", CLASSES),
        (lambda _f, y: {"image_embedding": y}, "image_embedding", EMBEDDING),
        (lambda _f, y: {"boxes": y}, "boxes", VALUES),
    ],
)
def test_a_single_output(end: Callable[[Tensor, Tensor], object], name: str, kind: str) -> None:
    assert captured(end).output_kinds == {name: kind}


def test_as_many_scores_as_class_names_are_classes() -> None:
    graph = captured(lambda f, _y: f.relu().mean((2, 3))).model.graph
    assert kinds_of(graph, 6) == {"embedding": CLASSES}
    assert kinds_of(graph, 7) == {"embedding": EMBEDDING}


def test_new_names_tell_more_than_operators() -> None:
    kinds = {"a": CLASSES, "b": LABELS, "c": VALUES}
    found = renamed(kinds, {"a": "embedding", "b": "features"})
    assert found == {"embedding": EMBEDDING, "features": LABELS, "c": VALUES}


def test_metadata_that_is_unsound_tells_nothing() -> None:
    assert kinds_in({METADATA_KEY: '{"a": "labels", "b": "nonsense"}'}) == {"a": LABELS}
    assert kinds_in({METADATA_KEY: "[1"}) == {}
    assert kinds_in({METADATA_KEY: "[1]"}) == {}
    assert kinds_in({}) == {}


def test_names_tell_kinds() -> None:
    assert [kind_by_name(name) for name in ("Features_0", "box_offsets", "scores")] == [EMBEDDING, VALUES, None]
