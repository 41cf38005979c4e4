"""Norms without statistics are refused by name; files whose norms were folded or never tracked are explained."""

import pytest
import torch
from torch import nn

from condmix.models import checkpoint
from condmix.models.batch_statistics import explain, refuse_batch_statistics
from condmix.models.errors import BatchStatisticsError, KeyMismatchError


def untracked() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten(), nn.LazyBatchNorm1d()
    )


class FrozenBatchNorm2d(nn.Module):
    """As detection code freezes norms: four buffers, no counter."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((channels,), value))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale = self.weight / (self.running_var + 1e-5).sqrt()
        return x * scale[:, None, None] + (self.bias - self.running_mean * scale)[:, None, None]


def test_norms_that_measure_every_batch_are_named():
    with pytest.raises(BatchStatisticsError) as caught:
        refuse_batch_statistics("net.pt", nn.ModuleList([untracked()[:2], nn.BatchNorm2d(4)]))
    assert caught.value.norms == ("0.1",)
    assert str(caught.value).startswith("net.pt: 1 batch norms have no running statistics (0.1): ")
    assert "track_running_stats=False" in str(caught.value)
    assert "an image's result depends on its neighbours" in str(caught.value)


def test_other_norms_pass():
    refuse_batch_statistics(
        "net.pt", nn.ModuleList([nn.BatchNorm2d(4), nn.InstanceNorm2d(4), FrozenBatchNorm2d(4), nn.GroupNorm(2, 4)])
    )


def network(*, norm: bool = True) -> nn.Module:
    conv = nn.Conv2d(3, 4, 3, bias=not norm)
    middle = [nn.BatchNorm2d(4)] if norm else [nn.Identity()]
    return nn.Sequential(conv, *middle, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()


def frozen() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), FrozenBatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    ).eval()


@pytest.fixture
def factories(tmp_path, monkeypatch):
    """A module in the working directory that builds the networks above."""
    (tmp_path / "some_networks.py").write_text(
        "import importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('norms_here', {__file__!r})\n"
        "found = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(found)\n"
        "plain, frozen, untracked = found.network, found.frozen, lambda: found.untracked()[:2]\n"
        "fused = lambda: found.network(norm=False)\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(folder, weights, name):
    torch.save(weights, folder / "net.pt")
    return checkpoint.load(folder / "net.pt", factory=f"some_networks:{name}", input_size=(3, 8, 8))


def test_a_factory_without_statistics_is_refused(factories):
    with pytest.raises(BatchStatisticsError, match="1 batch norms have no running statistics"):
        load(factories, untracked()[:2].state_dict(), "untracked")


def test_folded_norms_need_a_factory_without_them(factories):
    weights = network(norm=False).state_dict()
    with pytest.raises(KeyMismatchError, match=r"seem to be folded into the convolutions already .* --factory"):
        load(factories, weights, "plain")
    assert load(factories, weights, "fused").module is not None


def test_weights_without_statistics_are_explained(factories):
    weights = {name: tensor for name, tensor in network().state_dict().items() if "running" not in name}
    with pytest.raises(KeyMismatchError, match="1 batch norms without running statistics: trained with track_running"):
        load(factories, weights, "plain")


def test_frozen_norms_are_ordinary_ones(factories):
    trained = network()
    trained[1].running_mean.uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
    weights = {name: tensor for name, tensor in trained.state_dict().items() if "tracked" not in name}
    image = torch.ones(1, 3, 8, 8)
    results = [load(factories, weights, name).module(image) for name in ("plain", "frozen")]
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-6)


def test_another_mismatch_is_not_about_norms():
    assert explain(("head.weight",), {"a": torch.ones(1)}, ("head.bias",)) is None
