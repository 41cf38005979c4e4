"""Tests of condmix.models.assembly: weights reach the network they belong to, from every kind of source."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from condmix.models import assembly, state_dict, timm_source, zoo
from condmix.models.checkpoint_format import CheckpointContents
from condmix.models.errors import ArchitectureNeededError, KeyMismatchError, NonFiniteWeightsError
from condmix.models.preprocessing import Preprocessing


def trained(name: str = "condconv_digits", **settings: object) -> nn.Module:
    """A network whose every number has been moved, counters included: fresh ones would pass unseen."""
    module = zoo.build(name, settings)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
            else:
                tensor.fill_(17)
    return module


def same(module: nn.Module, expected: dict[str, Tensor]) -> bool:
    state = module.state_dict()
    return state.keys() == expected.keys() and all(torch.equal(state[name], expected[name]) for name in state)


def contents(module: nn.Module, **changes: Any) -> CheckpointContents:
    fields: dict[str, Any] = {
        "architecture": "condconv_digits",
        "settings": {},
        "state_dict": module.state_dict(),
        "input_size": (1, 32, 32),
        "preprocessing": Preprocessing.default(1),
        "class_names": tuple("0123456789"),
        "remarks": ("remark",),
    }
    return CheckpointContents(**{**fields, **changes})


def test_our_own_format_says_everything():
    module = trained()
    built = assembly.from_own_format("a.pt", contents(module))
    assert same(built.module, module.state_dict())
    assert built.class_names == tuple("0123456789")
    assert (built.input_size, built.notes) == ((1, 32, 32), ("remark",))


def test_our_own_format_with_other_settings_than_its_tensors():
    with pytest.raises(KeyMismatchError, match="The file contradicts itself: save it again from the network"):
        assembly.from_own_format("a.pt", contents(trained(), settings={"num_classes": 3}))


def test_an_architecture_takes_sizes_and_prefix_from_the_file():
    module = trained(num_classes=4, in_channels=2)
    wrapped = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    built = assembly.from_architecture("a.pt", state_dict.find("a.pt", wrapped), "condconv_digits", None)
    assert same(built.module, module.state_dict())
    assert built.settings == {"num_classes": 4, "in_channels": 2}
    assert built.input_size == (2, 32, 32)
    assert built.notes[:3] == (
        "the prefix 'module.' was taken off all names",
        "4 classes, as the file's tensors have, not 10",
        "2 input channels, as the file's tensors have, not 1",
    )


def test_the_network_within_a_lightning_module_is_taken_and_the_rest_named():
    module = trained()
    state = {f"model.{name}": tensor for name, tensor in module.state_dict().items()}
    found = state_dict.find("a.pt", {"state_dict": {**state, "loss.weight": torch.ones(3)}, "hyper_parameters": {}})
    built = assembly.from_architecture("a.pt", found, "condconv_digits", None)
    assert same(built.module, module.state_dict())
    assert "the network under 'model.' was taken; 1 other tensors were left: loss" in built.notes


def test_averaged_weights_within_go_before_trained_ones():
    module, averaged = trained(), trained()
    with torch.no_grad():
        averaged.classifier.output.bias.add_(1)
    state = {f"model.{name}": tensor for name, tensor in module.state_dict().items()}
    state |= {f"ema_model.module.{name}": tensor for name, tensor in averaged.state_dict().items()}
    built = assembly.from_architecture("a.pt", state_dict.find("a.pt", state), "condconv_digits", None)
    assert same(built.module, averaged.state_dict())
    assert any(note.startswith("the network under 'ema_model.module.' was taken") for note in built.notes)


def test_a_part_that_is_not_the_whole_network_is_not_taken(monkeypatch):
    monkeypatch.setattr("condmix.models.architecture_choice.fitting", lambda _: ())
    state = {f"model.{name}": tensor for name, tensor in list(trained().state_dict().items())[:-1]}
    found = state_dict.find("a.pt", {**state, "loss.weight": torch.ones(3)})
    with pytest.raises(KeyMismatchError):
        assembly.from_architecture("a.pt", found, "condconv_digits", None)


def test_sizes_set_by_hand_are_held_against_the_file(monkeypatch):
    monkeypatch.setattr("condmix.models.architecture_choice.fitting", lambda _: ())
    found = state_dict.find("a.pt", trained(num_classes=4).state_dict())
    with pytest.raises(KeyMismatchError) as caught:
        assembly.from_architecture("a.pt", found, "condconv_digits", {"num_classes": 10})
    assert all(name.startswith("classifier") for name in caught.value.misshapen)


def test_a_file_from_before_step_counters_loads():
    module = trained()
    old = {name: tensor for name, tensor in module.state_dict().items() if "num_batches_tracked" not in name}
    built = assembly.from_architecture("a.pt", state_dict.find("a.pt", old), "condconv_digits", None)
    state = built.module.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in old.items())
    assert all(state[name] == 0 for name in state if "num_batches_tracked" in name)


def test_half_precision_weights_become_float32():
    module = trained().half()
    found = state_dict.find("a.pt", module.state_dict())
    built = assembly.from_architecture("a.pt", found, "condconv_digits", None)
    assert same(built.module, {name: t.float() if t.is_floating_point() else t for name, t in found.tensors.items()})
    assert any(note.endswith("converted from float16 to float32") for note in built.notes)


def test_nothing_is_loaded_where_a_tensor_is_missing_or_too_much(monkeypatch):
    monkeypatch.setattr("condmix.models.architecture_choice.fitting", lambda _: ())
    state = trained().state_dict()
    name = next(iter(state))
    missing = {key: tensor for key, tensor in state.items() if key != name}
    for held in (missing, {**state, "extra": torch.ones(1)}):
        with pytest.raises(KeyMismatchError, match=r"Nothing was loaded\. Give --arch NAME"):
            assembly.from_architecture("a.pt", state_dict.find("a.pt", held), "condconv_digits", None)


def test_weights_that_nobody_names(monkeypatch):
    monkeypatch.setattr("condmix.models.architecture_choice.fitting", lambda _: ())
    with pytest.raises(ArchitectureNeededError, match="does not say of which network"):
        assembly.from_architecture("a.pt", state_dict.find("a.pt", {"w": torch.ones(1)}), None, None)


def test_a_name_beside_the_weights_of_timm():
    source = timm_source.build("mixnet_s", 5)
    content = {"arch": "mixnet_s", "state_dict": source.state_dict()}
    built = assembly.from_architecture("a.pt", state_dict.find("a.pt", content), None, None)
    assert (built.architecture, built.settings) == ("timm:mixnet_s", {"num_classes": 5})
    assert same(built.module, source.state_dict())
    assert built.preprocessing is not None
    assert built.preprocessing.interpolation == "bicubic"


def test_features_take_their_part_of_the_whole_network_s_weights():
    source = timm_source.build("mixnet_s", 5)
    found = state_dict.find("a.pt", source.state_dict())
    built = assembly.from_architecture("a.pt", found, "timm:mixnet_s", {"num_classes": 0})
    assert built.notes[0] == "2 tensors that the features do not need were left: classifier"
    assert torch.equal(built.module.conv_head.weight, source.conv_head.weight)
    with pytest.raises(KeyMismatchError):
        assembly.from_architecture("a.pt", found, "timm:mixnet_m", {"num_classes": 0})


@pytest.fixture
def factory_module(tmp_path, monkeypatch) -> None:
    code = (
        "from torch import nn\n"
        "def plain(): return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()).half()\n"
        "def described():\n"
        "    network = plain()\n"
        "    network.pretrained_cfg = dict(input_size=(1, 9, 8), mean=(0.1,), std=(0.2,), crop_pct=0.9)\n"
        "    return network\n"
    )
    (tmp_path / "assembly_factory.py").write_text(code)
    monkeypatch.chdir(tmp_path)


def convolution(prefix: str = "") -> dict[str, Tensor]:
    return {f"{prefix}0.weight": torch.rand(2, 1, 3, 3), f"{prefix}0.bias": torch.rand(2)}


@pytest.mark.usefixtures("factory_module")
def test_a_factory_s_network_takes_the_weights():
    weights = convolution()
    found = state_dict.find("a.pt", {f"model.{name}": tensor for name, tensor in weights.items()})
    built = assembly.from_factory("a.pt", found, "assembly_factory:plain")
    assert same(built.module, weights)
    assert built.architecture == "factory:assembly_factory:plain"
    assert (built.input_size, built.preprocessing) == (None, None)
    assert built.notes == ("the prefix 'model.' was taken off all names",)


@pytest.mark.usefixtures("factory_module")
def test_a_network_that_describes_its_input_as_timm_s_do():
    built = assembly.from_factory("a.pt", state_dict.find("a.pt", convolution()), "assembly_factory:described")
    assert built.input_size == (1, 9, 8)
    assert built.preprocessing is not None
    assert (built.preprocessing.mean, built.preprocessing.crop_fraction) == ((0.1,), 0.9)


@pytest.mark.usefixtures("factory_module")
def test_weights_that_do_not_fit_the_factory_s_network():
    found = state_dict.find("a.pt", {"0.weight": torch.ones(2, 1, 3, 3)})
    with pytest.raises(KeyMismatchError) as caught:
        assembly.from_factory("a.pt", found, "assembly_factory:plain")
    assert str(caught.value).startswith("a.pt: the tensors do not fit the network of assembly_factory:plain: of the 2")
    assert str(caught.value).endswith(
        "Nothing was loaded. Let assembly_factory:plain build the network these weights were trained in"
    )


def test_a_pickled_module_is_taken_whole():
    module = nn.Sequential(nn.Linear(2, 3).double())
    expected = module[0].weight.detach().float()
    built = assembly.from_pickled_module("a.pt", module, ("note",))
    assert torch.equal(built.module.state_dict()["0.weight"], expected)
    assert built.architecture == "pickle:torch.nn.modules.container.Sequential"
    assert built.notes == ("note", "2 tensors were converted from float64 to float32")


@pytest.mark.usefixtures("factory_module")
def test_every_source_refuses_weights_that_are_no_numbers():
    module = trained()
    with torch.no_grad():
        next(module.parameters()).fill_(float("nan"))
    held = {**convolution(), "0.bias": torch.tensor([1.0, float("inf")])}
    for load in (
        lambda: assembly.from_own_format("a.pt", contents(module)),
        lambda: assembly.from_architecture("a.pt", state_dict.find("a.pt", module), "condconv_digits", None),
        lambda: assembly.from_pickled_module("a.pt", module, ()),
        lambda: assembly.from_factory("a.pt", state_dict.find("a.pt", held), "assembly_factory:plain"),
    ):
        with pytest.raises(NonFiniteWeightsError, match="hold NaN or infinity"):
            load()
