"""Tests of condmix.models.architecture_choice."""

import sys

import pytest
import torch
from torch import Tensor

from condmix.models import architecture_choice, timm_source, zoo
from condmix.models.errors import ArchitectureNeededError
from condmix.models.weightless import needed_tensors


def tensors(name: str, settings: dict[str, object] | None = None, prefix: str = "") -> dict[str, Tensor]:
    state = needed_tensors(name, tuple((settings or {}).items()))
    return {f"{prefix}{key}": tensor for key, tensor in state.items()}


@pytest.fixture
def few_names(monkeypatch):
    """Only three networks to try: the rule is the same and the tests are quick."""
    monkeypatch.setattr(zoo, "names", lambda: ("condconv_digits", "mixnet_digits"))
    monkeypatch.setattr(architecture_choice, "_TIMM_PATTERNS", ("tf_mixnet_s",))


@pytest.mark.parametrize("name", ["condconv_digits", "mixnet_digits", "timm:tf_mixnet_s"])
@pytest.mark.parametrize("prefix", ["", "module._orig_mod."])
@pytest.mark.usefixtures("few_names")
def test_the_network_with_the_same_tensors_is_found(name, prefix):
    assert architecture_choice.fitting(tensors(name, prefix=prefix)) == (name,)


@pytest.mark.usefixtures("few_names")
def test_other_sizes_are_no_hindrance_and_other_shapes_are():
    assert architecture_choice.fitting(tensors("mixnet_digits", {"num_classes": 3, "in_channels": 2})) == (
        "mixnet_digits",
    )
    assert architecture_choice.fitting(tensors("mixnet_digits", {"width": 2.0})) == ()
    assert architecture_choice.fitting({"weight": torch.ones(1)}) == ()


@pytest.mark.slow
def test_all_candidates_are_tried_and_twins_are_told_apart_by_nobody():
    assert architecture_choice.fitting(tensors("timm:mixnet_s")) == ("timm:mixnet_s", "timm:tf_mixnet_s")


@pytest.mark.usefixtures("few_names")
def test_weights_without_a_name_get_the_fitting_one_as_the_next_step():
    error = architecture_choice.needed("a.pt", tensors("condconv_digits"))
    count = len(tensors("condconv_digits"))
    assert str(error) == (
        f"a.pt: holds {count} tensors and does not say of which network. Their names and shapes fit condconv_digits: "
        "give --arch condconv_digits"
    )
    assert error.fitting == ("condconv_digits",)


@pytest.mark.usefixtures("few_names")
def test_several_that_fit_are_all_named(monkeypatch):
    monkeypatch.setattr(architecture_choice, "_TIMM_PATTERNS", ("*mixnet_s",))
    assert architecture_choice.next_step(tensors("timm:mixnet_s"), "mixnet_digits") == (
        "Their names and shapes fit timm:mixnet_s, timm:tf_mixnet_s, which differ in what tensors do not show "
        "(padding, epsilon): give --arch with the one they were trained with"
    )


@pytest.mark.usefixtures("few_names")
def test_nothing_that_fits_leaves_the_three_ways():
    ways = "Give --arch NAME, --arch timm:NAME, or --factory package.module:function for code of your own"
    assert architecture_choice.next_step({"weight": torch.ones(1)}, "mixnet_digits") == ways
    # What was tried already is no advice.
    assert architecture_choice.next_step(tensors("mixnet_digits"), "mixnet_digits") == ways


def named(name: str, held: dict[str, Tensor]) -> str:
    return architecture_choice.named_in_file("a.pt", name, held, None).architecture


def test_a_name_that_one_of_them_has():
    assert named("condconv_digits", {}) == "condconv_digits"
    assert named("tf_mixnet_s.in1k", {}) == "timm:tf_mixnet_s.in1k"
    assert named("timm:tf_mixnet_s", {}) == "timm:tf_mixnet_s"


def test_a_name_that_both_have_goes_to_the_one_with_the_tensors():
    assert "mixnet_s" in zoo.names()
    assert timm_source.knows("mixnet_s")
    assert named("mixnet_s", tensors("timm:mixnet_s", prefix="module.")) == "timm:mixnet_s"
    assert named("mixnet_s", tensors("mixnet_s", prefix="module.")) == "mixnet_s"


@pytest.mark.usefixtures("few_names")
def test_a_name_that_neither_has():
    with pytest.raises(ArchitectureNeededError) as caught:
        named("my_net", tensors("mixnet_digits"))
    assert str(caught.value) == (
        "a.pt: says it holds weights of 'my_net', which neither the zoo nor timm has. Their names and shapes fit "
        "mixnet_digits: give --arch mixnet_digits"
    )
    assert caught.value.fitting == ("mixnet_digits",)


@pytest.mark.usefixtures("few_names")
def test_a_name_that_timm_might_have(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ArchitectureNeededError) as caught:
        named("tf_mixnet_s", {"weight": torch.ones(1)})
    assert str(caught.value) == (
        "a.pt: says it holds weights of 'tf_mixnet_s', which neither the zoo nor timm has (timm, which is not "
        "installed, may: pip install 'condmix[timm]'). Give --arch NAME, --arch timm:NAME, or --factory "
        "package.module:function for code of your own"
    )
