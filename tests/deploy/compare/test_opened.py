"""A network of several inputs, a .pt2 and a TorchScript file are compared like weights; the stock file is torch's."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from condmix.deploy.compare.opened import open_network
from condmix.deploy.input_size import RequestedSize
from condmix.deploy.loading import Loading
from condmix.exporters.errors import OnnxInputError
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.deploy.conftest import Run

SIZE, MORE = (3, 8, 8), {"context": (4,)}
ASKED = RequestedSize(channels=3, height=8, width=8)


class Routed(nn.Module):
    """An image and a context that scales its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        y = torch.relu(self.conv(x)).mean((2, 3))
        return self.head(y if context is None else y * torch.sigmoid(self.gate(context)))  # type: ignore[no-any-return]


def build() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Routed().eval()


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((1, *SIZE)).astype(np.float32)


def test_weights_with_a_second_input(tmp_path: Path, images: np.ndarray) -> None:
    path = tmp_path / "net.pt"
    torch.save(build().state_dict(), path)
    factory = f"{__name__}:build"
    opened = open_network(Loading(model=path, factory=factory, input_size=ASKED, more_inputs=MORE))
    assert opened.network.input_shapes == {"input": SIZE, **MORE}
    context = np.ones((1, 4), np.float32)
    session = OnnxRuntimeBackend().open(opened.stock(), threads=1)
    (found,) = session.run({"input": images, "context": context}).values()
    with torch.no_grad():
        expected = build()(torch.from_numpy(images), torch.from_numpy(context))
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("kind", ["exported", "traced"])
def test_programs(kind: str, tmp_path: Path, images: np.ndarray) -> None:
    paths = {count: tmp_path / f"{kind}_{count}.{'pt2' if kind == 'exported' else 'pt'}" for count in (1, 3)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for count, path in paths.items():
            example = torch.zeros(count, *SIZE)
            if kind == "exported":
                torch.export.save(torch.export.export(build(), (example,)), path)
            else:
                torch.jit.save(torch.jit.trace(build(), example), path)
        opened = {count: open_network(Loading(model=path, input_size=ASKED)) for count, path in paths.items()}
        (found,) = OnnxRuntimeBackend().open(opened[1].stock(), threads=1).run({"input": images}).values()
        with torch.no_grad():
            np.testing.assert_allclose(found, build()(torch.from_numpy(images)).numpy(), atol=1e-6)
        if kind == "exported":
            with pytest.raises(OnnxInputError, match="it is for 3 images a call, the comparison for one"):
                opened[3].stock()


@pytest.mark.slow
def test_the_command_takes_a_program(condmix: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(build(), (torch.zeros(1, *SIZE),)), path)
    ran = condmix("compare", path, "-o", tmp_path / "out", "--runs", 2, "--seconds", 0.0, "--json", "-q")
    assert ran.code == 0, ran.err
    names = [row["name"] for row in json.loads(ran.out)["rows"]]
    assert names == ["stock ONNX", "condmix ONNX", "condmix TFLite"]
    assert onnx.load(tmp_path / "out" / "net_stock.onnx").producer_name == "pytorch"
