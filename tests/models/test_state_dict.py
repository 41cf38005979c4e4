"""Tests of condmix.models.state_dict."""

import itertools

import pytest
import torch
from torch import nn

from condmix.models.errors import NotACheckpointError
from condmix.models.state_dict import find, parts, without_prefixes

_ADVICE = "save the weights with torch.save(network.state_dict(), 'weights.pt') and give that file"


def weights(value: float = 1.0) -> dict[str, torch.Tensor]:
    return {"fc.weight": torch.full((2, 2), value)}


def refusal(content: object, entry: str | None = None) -> str:
    with pytest.raises(NotACheckpointError) as caught:
        find("a.pt", content, entry=entry)
    return str(caught.value)


def test_a_bare_state_dict():
    found = find("a.pt", weights())
    assert found.tensors.keys() == weights().keys()
    assert (found.module, found.architecture, found.notes) == (None, None, ())


@pytest.mark.parametrize(
    "key", ["state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights", "params"]
)
@pytest.mark.parametrize("name_key", ["arch", "architecture", "model_name"])
def test_the_usual_entries_and_the_name_beside_them(key, name_key):
    found = find("a.pt", {"epoch": 3, key: weights(), name_key: "mixnet_s", "optimizer": {"lr": 1}})
    assert torch.equal(found.tensors["fc.weight"], weights()["fc.weight"])
    assert found.architecture == "mixnet_s"
    assert found.notes == (f"the weights were taken from the entry {key!r}",)


@pytest.mark.parametrize(
    "averaged",
    ["state_dict_ema", "model_ema", "module_ema", "ema_state_dict", "ema_model", "ema", "params_ema", "shadow"],
)
def test_averaged_weights_go_first_and_it_is_noted(averaged):
    content = {"state_dict": weights(1), averaged: weights(2)}
    found = find("a.pt", content)
    assert found.tensors["fc.weight"][0, 0] == 2
    assert found.notes == (f"the averaged weights in the entry {averaged!r} were taken; also there: 'state_dict'",)
    assert find("a.pt", content, entry="state_dict").tensors["fc.weight"][0, 0] == 1


def test_an_averaged_entry_left_empty_is_no_entry():
    assert find("a.pt", {"state_dict": weights(1), "state_dict_ema": None}).tensors["fc.weight"][0, 0] == 1


def test_an_entry_of_any_name_can_be_chosen():
    assert find("a.pt", {"teacher": weights(5)}, entry="teacher").tensors["fc.weight"][0, 0] == 5


def test_a_chosen_entry_that_is_not_there():
    assert refusal({"model": weights()}, "teacher") == (
        "a.pt: has no weights under 'teacher'; entries with weights: model"
    )
    assert refusal({"model": 3}, "model") == "a.pt: has no weights under 'model'; no entry has weights"


def test_modules_alone_and_in_an_entry():
    module = nn.Linear(2, 2)
    assert find("a.pt", module).module is module
    assert find("a.pt", {"model": module, "arch": "x"}).module is module
    assert find("a.pt", nn.DataParallel(module)).module is module
    assert find("a.pt", module).tensors.keys() == {"weight", "bias"}


def test_what_holds_no_weights_is_told_with_what_it_holds():
    expected = "expected a state_dict or a dict with one"
    assert refusal([1, 2]) == f"a.pt: holds a list, {expected}; {_ADVICE}"
    assert refusal(torch.ones(2, 3)) == f"a.pt: holds one tensor of shape (2, 3), {expected}; {_ADVICE}"
    assert refusal({}) == f"a.pt: holds an empty dict, {expected}; {_ADVICE}"
    assert refusal({"epoch": 3, "optimizer": {}}) == (
        "a.pt: holds no weights that can be found: its entries are 'epoch' (a int), 'optimizer' (a dict); expected "
        "a state_dict under one of state_dict, model_state_dict, model_state, model, module, net, network, weights, "
        "params, state_dict_ema, model_ema, module_ema, ema_state_dict, ema_model, ema, params_ema, shadow; "
        f"{_ADVICE}"
    )
    assert refusal({str(index): index for index in range(10)}).startswith(
        "a.pt: holds no weights that can be found: its entries are '0' (a int), "
    )
    assert "'7' (a int) and 2 more; expected" in refusal({str(index): index for index in range(10)})


def test_a_state_dict_with_something_else_in_it_names_it():
    assert refusal({**weights(), "fc._extra_state": None, "step": 3}) == (
        "a.pt: a state_dict holds tensors only; these entries are none: 'fc._extra_state' (a NoneType), 'step' "
        f"(a int); {_ADVICE}"
    )
    assert "and 1 more; save" in refusal({**weights(), **{str(index): index for index in range(9)}})


@pytest.mark.parametrize("prefixes", list(itertools.permutations(["module.", "model.", "_orig_mod."])))
def test_prefixes_come_off_one_by_one_in_any_order(prefixes):
    prefix = "".join(prefixes)
    wrapped = {f"{prefix}{name}": tensor for name, tensor in weights().items()}
    variants = list(without_prefixes(wrapped))
    assert [taken_off for taken_off, _ in variants] == ["".join(prefixes[:count]) for count in range(4)]
    assert variants[0][1] is wrapped
    assert variants[-1][1].keys() == weights().keys()


def test_a_prefix_that_not_all_names_share_stays():
    mixed = {"model.weight": torch.ones(1), "loss.weight": torch.ones(1)}
    assert list(without_prefixes(mixed)) == [("", mixed)]


def test_a_part_that_some_names_share_is_offered():
    tensors = {"model.a": torch.ones(1), "model._orig_mod.b": torch.ones(1), "loss.weight": torch.ones(1)}
    assert [(prefix, set(within)) for prefix, within in parts(tensors)] == [("model.", {"a", "_orig_mod.b"})]
    wrapped = {"ema_model.module.a": torch.ones(1), "model.a": torch.zeros(1)}
    assert [prefix for prefix, _ in parts(wrapped)] == ["ema_model.", "ema_model.module.", "model."]
    assert list(parts({"model.a": torch.ones(1)})) == []


def test_averaged_weights_may_lie_one_level_deeper():
    content = {"model": weights(1), "ema": {"shadow": weights(2), "decay": 0.999}, "optimizer": {"state": {}}}
    found = find("a.pt", content)
    assert found.tensors["fc.weight"][0, 0] == 2
    assert found.notes == ("the averaged weights in the entry 'ema' were taken; also there: 'model'",)


def test_the_counter_of_an_averaged_model_goes_with_its_prefix():
    averaged = torch.optim.swa_utils.AveragedModel(nn.Linear(2, 2))
    taken_off, tensors = list(without_prefixes(averaged.state_dict()))[-1]
    assert taken_off == "module."
    assert tensors.keys() == {"weight", "bias"}
