"""The foreign networks are what their records say: repeatable, alive in every part, right in batches."""

from __future__ import annotations

import ast
from copy import deepcopy
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from tests.foreign.case import ForeignCase
from tests.foreign.cases import FOREIGN_CASES
from tests.foreign.settle import example_images

CAPTURED_HERE = (
    "five_axis_bank",
    "sample_loop",
    "expert_modules",
    "shared_kernel",
    "pointwise_einsum",
    "routing_one_hot",
    "slice_split",
    "split_dict_same",
)
"""Styles with the most unusual operators. A capture takes half a second to two, all of them half a minute."""
CAPTURED_QUICKLY = ("sample_loop", "split_dict_same")

each_case = pytest.mark.parametrize("case", FOREIGN_CASES, ids=lambda case: case.name)
_routed = [case for case in FOREIGN_CASES if case.routers]
each_routed_case = pytest.mark.parametrize("case", _routed, ids=lambda case: case.name)


@cache
def _built(case: ForeignCase) -> nn.Module:
    return case.build()


def fresh(case: ForeignCase) -> nn.Module:
    """The network of the case, free to be changed; built once only."""
    return deepcopy(_built(case))


def one_by_one(network: nn.Module, images: Tensor) -> Tensor:
    """Logits (images, classes), every image in a call of its own, whatever shape a call returns."""
    with torch.no_grad():
        return torch.stack([network(image[None]).reshape(-1) for image in images])


class Subject:
    """The network of a case in float64, with images and the logits they get before anything is changed."""

    def __init__(self, case: ForeignCase, images: int = 8) -> None:
        self.case = case
        self.network = fresh(case).double()
        self.images = example_images(images, case.input_size, seed=7).double()
        self.before = self.logits()

    def logits(self) -> Tensor:
        """(images, classes) in float64, by one call where the network claims to be right in batches."""
        if not self.case.batch_safe:
            return one_by_one(self.network, self.images)
        with torch.no_grad():
            logits: Tensor = self.network(self.images)
        return logits

    def change(self) -> float:
        """The largest change of a logit since the beginning, as a share of how far the logits spread."""
        return float((self.logits() - self.before).abs().max() / self.before.std())

    def deaf_parameters(self) -> list[str]:
        """Names of the parameters that may be set to zero without a change of the output."""
        deaf = []
        for name, parameter in self.network.named_parameters():
            kept = parameter.detach().clone()
            with torch.no_grad():
                parameter.zero_()
                if self.change() < 1e-6:
                    deaf.append(name)
                parameter.copy_(kept)
        return deaf


def router_outputs(network: nn.Module, paths: tuple[str, ...], images: Tensor) -> dict[str, Tensor]:
    """Routing logits (images, experts) of every router."""
    seen: dict[str, list[Tensor]] = {path: [] for path in paths}
    for path in paths:
        network.get_submodule(path).register_forward_hook(
            lambda _module, _inputs, output, path=path: seen[path].append(output.flatten())
        )
    one_by_one(network, images)
    return {path: torch.stack(outputs) for path, outputs in seen.items()}


def roll_experts(router: nn.Module) -> None:
    """Every routing weight goes to the expert after the one it was meant for."""
    with torch.no_grad():
        for parameter in router.parameters():
            parameter.copy_(parameter.roll(1, dims=0))


def test_the_names_are_unique_and_every_kind_is_there() -> None:
    names = [case.name for case in FOREIGN_CASES]
    assert len(names) == len(set(names))
    assert sum(bool(case.condconv_layers) for case in FOREIGN_CASES) >= 22
    assert sum(bool(case.mixconv_layers) for case in FOREIGN_CASES) >= 11
    assert sum(bool(case.refused) for case in FOREIGN_CASES) >= 10
    assert set(CAPTURED_QUICKLY) < set(CAPTURED_HERE) < set(names)


@each_case
def test_a_build_is_repeatable_in_eval_mode_and_leaves_the_random_state_alone(case: ForeignCase) -> None:
    first = fresh(case)
    torch.rand(1)
    state = torch.get_rng_state()
    second = case.build()
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module.training for module in second.modules())
    torch.testing.assert_close(dict(first.state_dict()), dict(second.state_dict()), rtol=0, atol=0)


@each_case
def test_every_path_of_the_record_exists(case: ForeignCase) -> None:
    known = {path for path, _ in fresh(case).named_modules()}
    named = {*case.condconv_layers, *case.mixconv_layers, *case.routers, *(path for path, _ in case.refused)}
    assert named - known == set()


@each_case
def test_logits_are_finite_and_tell_images_apart(case: ForeignCase) -> None:
    logits = one_by_one(fresh(case), example_images(3, case.input_size, seed=7))
    assert logits.shape == (3, 10)
    assert logits.isfinite().all()
    assert logits.std(dim=0).max() > 0.1


@each_case
def test_norms_have_statistics_of_their_own(case: ForeignCase) -> None:
    norms = [module for module in fresh(case).modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    for norm in norms:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.running_mean.abs().max() > 1e-3
        assert (norm.running_var - 1).abs().max() > 1e-2


@each_case
def test_no_parameter_is_deaf(case: ForeignCase) -> None:
    assert Subject(case).deaf_parameters() == []


def test_a_deaf_parameter_is_found() -> None:
    subject = Subject(FOREIGN_CASES[0])
    subject.network.register_parameter("unused", nn.Parameter(torch.ones(1)))
    assert subject.deaf_parameters() == ["unused"]


@each_case
def test_the_batch_claim_holds(case: ForeignCase) -> None:
    network, images = fresh(case).double(), example_images(3, case.input_size, seed=7).double()
    alone = one_by_one(network, images)
    with torch.no_grad():
        if case.batch_safe:
            torch.testing.assert_close(network(images), alone, rtol=1e-10, atol=1e-10)
            torch.testing.assert_close(network(images.flip(0)), alone.flip(0), rtol=1e-10, atol=1e-10)
        else:
            with pytest.raises(RuntimeError, match=r"shapes cannot be multiplied|size mismatch"):
                network(images)


@each_routed_case
def test_different_images_get_different_routing(case: ForeignCase) -> None:
    images = example_images(4, case.input_size, seed=7)
    for path, logits in router_outputs(fresh(case), case.routers, images).items():
        assert logits.std(dim=0).max() > 0.25, path
        distances = torch.pdist(logits)
        assert distances.min() > 0.05, path


@each_routed_case
def test_every_router_and_its_experts_matter(case: ForeignCase) -> None:
    for path in case.routers:
        subject = Subject(case)
        roll_experts(subject.network.get_submodule(path))
        assert subject.change() > 0.01, path


def test_equal_experts_would_be_noticed() -> None:
    subject = Subject(next(case for case in FOREIGN_CASES if case.name == "routing_one_hot"))
    bank = subject.network.get_parameter("blocks.0.0.bank")
    with torch.no_grad():
        bank.copy_(bank[:1].expand_as(bank))
    subject.before = subject.logits()
    roll_experts(subject.network.get_submodule("blocks.0.0.scores"))
    assert subject.change() < 1e-9


@pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)`:FutureWarning")  # torch's own
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in CAPTURED_QUICKLY else pytest.mark.slow) for name in CAPTURED_HERE],
)
def test_a_capture_at_batch_1_knows_the_layers_by_their_paths(name: str) -> None:
    case = next(case for case in FOREIGN_CASES if case.name == name)
    image = example_images(1, case.input_size, seed=7)
    program = torch.onnx.export(fresh(case), (image,), dynamo=True, verbose=False)
    assert program is not None
    paths: set[str] = set()
    for node in program.model.graph:
        computed = [value for value in node.inputs if value is not None and value.producer() is not None]
        if node.op_type == "Concat" or (node.op_type in {"Conv", "MatMul", "Einsum"} and len(computed) > 1):
            paths.update(ast.literal_eval(node.metadata_props["pkg.torch.onnx.name_scopes"]))
    assert {*case.condconv_layers, *case.mixconv_layers} - paths == set()
