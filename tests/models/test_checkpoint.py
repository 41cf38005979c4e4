"""Tests of condmix.models.checkpoint: whole files in, networks out, and back."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from condmix.models import checkpoint, digits, timm_source, zoo
from condmix.models.errors import (
    CheckpointError,
    InputSizeError,
    KeyMismatchError,
    ModelError,
    NonFiniteWeightsError,
    NotACheckpointError,
    PickleRefusedError,
    SettingsError,
    UnknownArchitectureError,
)
from condmix.models.network import TorchNetwork
from condmix.models.preprocessing import Preprocessing
from tests.models.checkpoints import save, trained


def outputs(module: nn.Module, size: tuple[int, int, int]) -> Tensor:
    images = torch.rand((3, *size), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        scores: Tensor = module(images)
    return scores


def refusal(error: type[ModelError], path: Path, **options: Any) -> str:
    """The text of the error without the path that it starts with."""
    with pytest.raises(error) as caught:
        checkpoint.load(path, **options)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def test_what_is_saved_comes_back_whole(tmp_path):
    path, module = tmp_path / "a.pt", trained(num_classes=10, width=1.5)
    save(path, module, settings={"width": 1.5}, remarks=("trained for a test",))
    assert module.training

    network = checkpoint.load(path)

    assert torch.equal(outputs(network.module, (1, 32, 32)), outputs(module.eval(), (1, 32, 32)))
    assert not any(part.training for part in network.module.modules())
    assert not any(parameter.requires_grad for parameter in network.module.parameters())
    assert {parameter.dtype for parameter in network.module.parameters()} == {torch.float32}
    assert network == TorchNetwork(
        module=network.module,
        architecture="condconv_digits",
        settings={"width": 1.5},
        input_size=(1, 32, 32),
        preprocessing=digits.PREPROCESSING,
        class_names=digits.CLASS_NAMES,
        source=path,
        source_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        notes=("trained for a test",),
    )


def test_the_saved_file_is_tensors_and_plain_data(tmp_path):
    save(tmp_path / "a.pt", trained())
    content = torch.load(tmp_path / "a.pt", weights_only=True)
    assert (content["format"], content["version"]) == ("condmix-checkpoint", 1)
    assert torch.serialization.get_unsafe_globals_in_checkpoint(tmp_path / "a.pt") == []


def test_a_timm_network_can_be_saved_too(tmp_path):
    module = timm_source.build("mixnet_s", 4, 1).eval()
    options = {"architecture": "timm:mixnet_s", "settings": {"num_classes": 4, "in_channels": 1}}
    save(tmp_path / "a.pt", module, **options, input_size=(1, 64, 64), class_names=None)
    network = checkpoint.load(tmp_path / "a.pt")
    assert (network.architecture, network.input_size, network.class_names) == ("timm:mixnet_s", (1, 64, 64), None)
    assert torch.equal(outputs(network.module, (1, 64, 64)), outputs(module, (1, 64, 64)))


def test_lists_and_tuples_in_settings_are_the_same(tmp_path):
    module = trained(condconv_blocks=(3, 4))
    save(tmp_path / "a.pt", module, settings={"condconv_blocks": (3, 4)})
    network = checkpoint.load(tmp_path / "a.pt", settings={"condconv_blocks": (3, 4)})
    assert network.settings == {"condconv_blocks": [3, 4]}


@pytest.mark.parametrize("wrap", ["bare", "state_dict", "model", "state_dict_ema", "legacy", "safetensors"])
def test_foreign_files_with_the_architecture_given(tmp_path, wrap):
    module, path = trained(), tmp_path / "a.pth"
    state = module.state_dict()
    if wrap == "safetensors":
        save_file(state, path)
    elif wrap in ("bare", "legacy"):
        torch.save(state, path, _use_new_zipfile_serialization=wrap == "bare")
    else:
        torch.save({wrap: {f"module.{name}": tensor for name, tensor in state.items()}, "epoch": 3}, path)
    network = checkpoint.load(str(path), architecture="condconv_digits")
    assert torch.equal(outputs(network.module, (1, 32, 32)), outputs(module.eval(), (1, 32, 32)))
    assert (network.source, network.class_names) == (path, None)


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_a_file_that_names_its_architecture_needs_nothing(tmp_path, kind):
    module, path = timm_source.build("mixnet_s", 7).eval(), tmp_path / f"a.{kind}"
    if kind == "pt":
        torch.save({"arch": "mixnet_s", "state_dict": module.state_dict()}, path)
    else:
        save_file(module.state_dict(), path, {"architecture": "mixnet_s"})
    network = checkpoint.load(path, input_size=(3, 64, 64))
    assert (network.architecture, network.settings) == ("timm:mixnet_s", {"num_classes": 7})
    assert torch.equal(outputs(network.module, (3, 64, 64)), outputs(module, (3, 64, 64)))


def test_one_of_several_entries_can_be_chosen(tmp_path):
    first, second = trained(), zoo.build("condconv_digits")
    torch.save({"state_dict": first.state_dict(), "model_ema": second.state_dict()}, tmp_path / "a.pt")
    for entry, module in ((None, second), ("model_ema", second), ("state_dict", first)):
        network = checkpoint.load(tmp_path / "a.pt", architecture="condconv_digits", entry=entry)
        assert torch.equal(outputs(network.module, (1, 32, 32)), outputs(module.eval(), (1, 32, 32)))


@pytest.fixture
def factory(tmp_path, monkeypatch) -> str:
    code = (
        "from torch import nn\n"
        "class Small(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    )
    (tmp_path / "checkpoint_factory.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    return "checkpoint_factory:Small"


@pytest.fixture
def small(tmp_path) -> Path:
    """Weights for the factory's network."""
    torch.save({"0.weight": torch.rand(4, 3, 3, 3), "0.bias": torch.rand(4)}, tmp_path / "small.pt")
    return tmp_path / "small.pt"


def test_a_factory_with_the_input_size_given(small, factory):
    network = checkpoint.load(small, factory=factory, input_size=(3, 20, 24))
    assert outputs(network.module, network.input_size).shape == (3, 4)
    assert network.preprocessing == Preprocessing.default(3)
    assert network.notes == (
        f"factory:{factory} does not say its preprocessing: assumed mean (0.485, 0.456, 0.406), std (0.229, 0.224, "
        "0.225), bicubic, crop 0.875",
    )


def test_a_preprocessing_given_is_taken_and_nothing_assumed(small, factory):
    given = Preprocessing(mean=(0.1, 0.2, 0.3), std=(1, 1, 1))
    network = checkpoint.load(small, factory=factory, input_size=(3, 20, 24), preprocessing=given)
    assert (network.preprocessing, network.notes) == (given, ())


def test_an_input_size_that_nobody_says(small, factory):
    assert refusal(InputSizeError, small, factory=factory) == (
        f"nothing says the input size of factory:{factory}; give --input-size CHANNELS,HEIGHT,WIDTH"
    )


def test_an_input_the_network_does_not_take(small, factory):
    text = refusal(InputSizeError, small, factory=factory, input_size=(1, 8, 8))
    assert text.startswith(
        "the network does not run on an input of (batch, channels, height, width) = (1, 1, 8, 8): RuntimeError: "
    )
    assert text.endswith("; give the right --input-size")


@pytest.mark.usefixtures("factory")
def test_an_input_behind_the_image_is_fed_where_it_is_told_of(small, tmp_path):
    (tmp_path / "checkpoint_told.py").write_text(
        "import checkpoint_factory\n"
        "class Told(checkpoint_factory.Small):\n"
        "    def forward(self, image, context):\n"
        "        return super().forward(image) * context\n"
    )
    told = "checkpoint_told:Told"
    network = checkpoint.load(small, factory=told, input_size=(3, 8, 8), more_inputs={"context": (4,)})
    assert network.input_size == (3, 8, 8)
    text = refusal(InputSizeError, small, factory=told, input_size=(3, 8, 8))
    assert "missing 1 required positional argument: 'context'" in text
    assert text.endswith("is told with --extra-input (export, inspect)")


@pytest.mark.parametrize("size", [(3, 8), (3, 0, 8), (3, 8.0, 8), (3, 8, True)])
def test_an_input_size_that_is_none(small, factory, size):
    assert refusal(InputSizeError, small, factory=factory, input_size=size) == (
        f"input_size is {size!r}, expected channels, height, width: whole numbers above 0"
    )


def test_a_preprocessing_for_other_channels(small, factory):
    given = Preprocessing.default(1)
    assert refusal(InputSizeError, small, factory=factory, input_size=(3, 8, 8), preprocessing=given) == (
        "the preprocessing has 1 channels, the input size (3, 8, 8) has 3; give both alike"
    )


def test_a_pickled_network_only_when_allowed(tmp_path):
    module, path = trained("mixnet_digits").eval(), tmp_path / "a.pt"
    torch.save(module, path)
    kind = f"{type(module).__module__}.{type(module).__qualname__}"
    assert f"wants to import {kind}, " in refusal(PickleRefusedError, path)
    network = checkpoint.load(path, allow_pickle=True, input_size=(1, 32, 32))
    assert network.architecture == f"pickle:{kind}"
    assert network.notes[0] == "the file's pickle was run, as --allow-pickle permits"
    assert torch.equal(outputs(network.module, (1, 32, 32)), outputs(module, (1, 32, 32)))
    # With the architecture given, the weights in it are taken and its code is not.
    network = checkpoint.load(path, allow_pickle=True, architecture="mixnet_digits")
    assert network.architecture == "mixnet_digits"


def test_allowing_a_pickle_runs_nothing_where_it_is_not_needed(tmp_path):
    save(tmp_path / "a.pt", trained())
    assert checkpoint.load(tmp_path / "a.pt", allow_pickle=True).notes == ()


def test_two_answers_to_one_question(tmp_path):
    path = tmp_path / "a.pt"
    assert refusal(CheckpointError, path, architecture="mixnet_s", factory="a:b") == (
        "architecture 'mixnet_s' and factory 'a:b' both say the network; give one"
    )
    assert refusal(CheckpointError, path, factory="a:b", settings={"width": 2}) == (
        "settings (width) change the zoo's networks, and a:b is called without arguments; put them into that function"
    )


def test_our_own_file_is_not_told_what_it_is(tmp_path):
    path = tmp_path / "a.pt"
    save(path, trained())
    assert checkpoint.load(path, architecture="condconv_digits").architecture == "condconv_digits"
    assert refusal(CheckpointError, path, architecture="mixnet_digits", settings={"width": 2.0}, entry="model") == (
        "is a condmix checkpoint and says its network itself; architecture is 'mixnet_digits', the file says "
        "'condconv_digits'; settings are {'width': 2.0}, the file says {}; entry is 'model', the file has one set of "
        "weights; leave it out"
    )
    assert "factory is 'a:b', the file says 'condconv_digits'" in refusal(CheckpointError, path, factory="a:b")


def test_a_file_that_names_other_classes_than_its_network_has(tmp_path):
    path = tmp_path / "a.pt"
    save(path, trained())
    content = torch.load(path, weights_only=True)
    torch.save({**content, "class_names": ["only", "two"]}, path)
    assert refusal(CheckpointError, path) == "names 2 classes, its network gives 10 scores"


def test_errors_on_the_way_keep_their_kind(tmp_path, monkeypatch):
    monkeypatch.setattr("condmix.models.architecture_choice.fitting", lambda _: ())
    path = tmp_path / "a.pt"
    assert refusal(NotACheckpointError, path).startswith("there is no such file")
    torch.save({"weight": torch.ones(1)}, path)
    assert "the tensors do not fit mixnet_digits" in refusal(KeyMismatchError, path, architecture="mixnet_digits")
    with pytest.raises(UnknownArchitectureError):
        checkpoint.load(path, architecture="mixnet_digit")
    with pytest.raises(SettingsError):
        checkpoint.load(path, architecture="mixnet_digits", settings={"widht": 2})
    torch.save({"weight": torch.tensor([float("nan")])}, path)
    assert "weight (1 of 1)" in refusal(NonFiniteWeightsError, path, architecture="mixnet_digits")
