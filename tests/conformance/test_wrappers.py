"""What training scripts wrap around weights, through the command line: the network within is what is exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from condmix.deploy.cli import run
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.exporters.program.programs import SIZE, network

IMAGE = np.random.default_rng(0).standard_normal((1, *SIZE)).astype(np.float32)
FACTORY = "tests.exporters.program.programs:network"


def lightning(module: nn.Module) -> object:
    """A LightningModule's checkpoint, compiled network and loss inside, in bfloat16, with what its trainer saves."""
    state = {f"model._orig_mod.{name}": tensor.to(torch.bfloat16) for name, tensor in module.state_dict().items()}
    return {
        "state_dict": {**state, "loss.weight": torch.ones(5)},
        "hyper_parameters": {"lr": 0.1, "betas": (0.9, 0.99)},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(3.0)}}}],
        "epoch": 4,
    }


def averaged(module: nn.Module) -> object:
    """An average of a DataParallel network, beside the network itself."""
    state = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    other = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    return {"state_dict": other, "ema": {"shadow": state, "decay": 0.999}, "optimizer": {"state": {}}}


@pytest.mark.parametrize(
    ("wrap", "said"),
    [
        (lightning, "the network under 'model._orig_mod.' was taken; 1 other tensors were left: loss"),
        pytest.param(averaged, "the averaged weights in the entry 'ema' were taken", marks=pytest.mark.slow),
    ],
)
def test_the_network_within_is_exported(
    wrap: object, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = network()
    torch.save(wrap(module), tmp_path / "net.pt")  # type: ignore[operator]
    flags = ["--factory", FACTORY, "--input-size", "x".join(map(str, SIZE))]
    assert run(["export", str(tmp_path / "net.pt"), "--quiet", *flags], program="condmix") == 0
    assert said in capsys.readouterr().out
    found = OnnxRuntimeBackend().open(tmp_path / "net.onnx", threads=1).run({"input": IMAGE})
    with torch.no_grad():
        expected = module(torch.from_numpy(IMAGE)).numpy()
    # bfloat16 has rounded the weights that were saved.
    np.testing.assert_allclose(found["logits"], expected, rtol=0.05, atol=0.05)


class ChannelsLast(nn.Module):
    """A network whose weights and activations lie channels last in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = network().to(memory_format=torch.channels_last)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.inner(x.contiguous(memory_format=torch.channels_last))
        return logits


def test_a_channels_last_network_is_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = ChannelsLast()
    torch.save(module.state_dict(), tmp_path / "net.pt")
    flags = ["--factory", "tests.conformance.test_wrappers:ChannelsLast", "--input-size", "x".join(map(str, SIZE))]
    assert run(["export", str(tmp_path / "net.pt"), "--quiet", *flags], program="condmix") == 0, capsys.readouterr()
    with torch.no_grad():
        expected = module(torch.from_numpy(IMAGE)).numpy()
    found = OnnxRuntimeBackend().open(tmp_path / "net.onnx", threads=1).run({"input": IMAGE})
    np.testing.assert_allclose(found["logits"], expected, rtol=1e-4, atol=1e-5)
