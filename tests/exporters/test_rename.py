"""Names of the user's own: everywhere at once, or all that is wrong with them at once and nothing renamed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from condmix.exporters.capture import capture
from condmix.exporters.captured import Captured
from condmix.exporters.errors import OptionsError
from condmix.exporters.rename import with_names
from condmix.exporters.verify.oracle import Oracle, oracle_of
from tests.exporters.graphs import run

IMAGES = np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype(np.float32)


class Heads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.linear = nn.Conv2d(3, 6, 3), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.conv(x).relu()
        return {"scores": self.linear(features.mean((2, 3))), "map": features}


def source() -> tuple[Captured, Oracle]:
    torch.manual_seed(0)
    network = Heads().eval()
    return capture(network, (3, 6, 6)), oracle_of(network)


def test_names_reach_graph_kinds_taps_and_yardstick() -> None:
    captured, oracle = source()
    old = oracle.reference(IMAGES, ["scores", "map"])
    renamed, known = with_names(captured, oracle, ["photo"], ["map", "scores"])
    graph = renamed.model.graph
    assert [value.name for value in graph.inputs] == ["photo"]
    assert [value.name for value in graph.outputs] == ["map", "scores"]
    assert renamed.output_kinds == {"map": "classes", "scores": "values"}
    assert known.name == oracle.name
    found = known.reference(IMAGES, ["map", "scores"])
    np.testing.assert_array_equal(found.float64["map"], old.float64["scores"])
    np.testing.assert_array_equal(known.float64(IMAGES, ["map", "scores"])["scores"], old.float64["map"])
    inner = known.inner(renamed.taps, IMAGES[0])
    assert set(inner.float64) == {tap.value_name for tap in renamed.taps} >= {"map"}
    result = run(renamed.model, {"photo": IMAGES[:1]})
    np.testing.assert_allclose(result["map"], old.float64["scores"][:1], atol=1e-5)


def test_nothing_asked_nothing_changed() -> None:
    captured, oracle = source()
    assert with_names(captured, oracle, None, None) == (captured, oracle)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    captured, oracle = source()
    inner = captured.model.graph.node(0).outputs[0].name
    with pytest.raises(OptionsError) as caught:
        with_names(captured, oracle, ["a"], ["a", "a", "1st", str(inner)])
    assert str(caught.value).splitlines() == [
        "these names cannot be given:",
        "  - --output-names gives 4: expected 2, one for each of 'scores', 'map', in that order",
        "  - --output-names gives 'a' twice: each name is for one output",
        "  - --output-names gives '1st': expected letters, digits and _ . - / : after a first letter",
        f"  - --output-names gives '{inner}', which is a value inside the network: choose another name",
        "  - 'a' would be an input and an output: choose another name for one of them",
    ]
    assert [value.name for value in captured.model.graph.outputs] == ["scores", "map"]
