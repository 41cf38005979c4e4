"""From what was typed about a weights file to its network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from condmix.deploy.errors import PlanError
from condmix.deploy.input_size import parse_input_size
from condmix.deploy.loading import Loading, load_network
from condmix.models.errors import InputSizeError
from condmix.models.network import LoadedNetwork


def test_contradictions_are_told_together() -> None:
    with pytest.raises(PlanError) as caught:
        Loading(model=Path("a.pt"), architecture="mixnet_s", factory="a:b", settings={"experts": 2})
    assert len(caught.value.problems) == 2
    assert "--arch and --factory" in caught.value.problems[0]
    assert "--set" in caught.value.problems[1]


def test_the_size_of_the_file_is_taken_without_another(network: LoadedNetwork) -> None:
    assert network.input_size == (1, 32, 32)


@pytest.mark.parametrize("text", ["48", "48x40", "1x48x40"])
def test_a_size_without_channels_takes_the_networks_own(weights: Path, text: str) -> None:
    loaded = load_network(Loading(model=weights, input_size=parse_input_size(text)))
    assert loaded.input_size == (1, 48, 40 if "40" in text else 48)


def test_a_size_that_does_not_fit_is_refused(
    weights: Path, network: LoadedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_image: torch.Tensor) -> None:
        message = "sizes do not agree"
        raise RuntimeError(message)

    # The networks of the zoo take any height and width; one that does not answers as torch does.
    monkeypatch.setattr(network.module, "forward", refuse)
    monkeypatch.setattr("condmix.models.checkpoint.load", lambda *_arguments, **_options: network)
    with pytest.raises(
        InputSizeError, match=r"\(1, 1, 31, 31\): RuntimeError: sizes do not agree; give the right --input-"
    ):
        load_network(Loading(model=weights, input_size=parse_input_size("31")))
