"""What PyTorch says, in both precisions, one image at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from condmix.exporters.errors import VerificationError
from condmix.exporters.verify.reference import flatten_outputs, join_rows, run_float64, run_reference
from tests.exporters.networks import INPUT_SIZE, Float32Inside, Plain, Squeezed, TwoHeads, settled

IMAGES = np.random.default_rng(0).standard_normal((3, *INPUT_SIZE)).astype(np.float32)


class Returning(nn.Module):
    """A forward pass whose result is made of x by a function."""

    def __init__(self, result: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.result = result

    def forward(self, x: Tensor) -> object:
        return self.result(x)


def test_both_precisions_of_every_image() -> None:
    module = settled(Plain())
    reference = run_reference(module, IMAGES, ["logits"])
    assert reference.float64["logits"].shape == (3, 5)
    assert reference.float64["logits"].dtype == np.float64
    assert reference.float32["logits"].dtype == np.float32
    difference = np.abs(reference.float64["logits"] - reference.float32["logits"])
    assert 0 < difference.max() < 1e-5
    with torch.no_grad():
        np.testing.assert_allclose(
            reference.float32["logits"], module(torch.from_numpy(IMAGES)).numpy(), rtol=0, atol=1e-6
        )


def test_float64_alone_is_the_same() -> None:
    module = settled(Plain())
    alone = run_float64(module, IMAGES, ["logits"])
    np.testing.assert_array_equal(alone["logits"], run_reference(module, IMAGES, ["logits"]).float64["logits"])


def test_the_module_is_left_as_it_was() -> None:
    module = settled(Plain()).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    run_reference(module, IMAGES, ["logits"])
    assert module.training
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert next(module.parameters()).dtype == torch.float32


def test_one_image_at_a_time() -> None:
    """Networks exist that are right at batch 1 only: this one mixes its images otherwise."""
    module = Returning(lambda x: x - x.mean(dim=0, keepdim=True) + 1)
    np.testing.assert_array_equal(run_reference(module, IMAGES, ["y"]).float64["y"], np.ones_like(IMAGES))


def test_several_outputs_by_name() -> None:
    reference = run_reference(settled(TwoHeads()), IMAGES, ["features", "logits"])
    assert {name: rows.shape for name, rows in reference.float64.items()} == {
        "features": (3, 4, 9, 8),
        "logits": (3, 5),
    }


def test_a_squeezed_result_becomes_a_row() -> None:
    whole, squeezed = (run_reference(settled(kind()), IMAGES, ["logits"]) for kind in (Plain, Squeezed))
    np.testing.assert_array_equal(whole.float64["logits"], squeezed.float64["logits"])


def test_a_network_that_stays_in_float32_is_named_as_such() -> None:
    with pytest.raises(VerificationError) as caught:
        run_reference(settled(Float32Inside()), IMAGES, ["logits"])
    text = str(caught.value)
    assert text.startswith("the network does not run in float64, which is the yardstick of parity: ")
    assert text.endswith(
        "; expected a forward pass that follows the dtype of its input (no float32 tensors made inside)"
    )
    assert "float" in text.removeprefix("the network does not run in float64").partition("; expected")[0].lower()
    assert "\n" not in text


def test_more_outputs_than_the_graph_has_are_an_error() -> None:
    with pytest.raises(VerificationError) as caught:
        run_reference(settled(TwoHeads()), IMAGES, ["logits"])
    assert str(caught.value) == "the network returned 2 tensors, its graph has 1 outputs"


@pytest.mark.parametrize(
    ("result", "found"),
    [
        (lambda _x: 3.0, "the result is of type float"),
        (lambda x: [x, "text"], "the result at 1 is of type str"),
        (lambda _x: None, "nothing was returned"),
    ],
)
def test_a_result_that_is_not_made_of_tensors_is_an_error(result: Callable[[Tensor], object], found: str) -> None:
    with pytest.raises(VerificationError) as caught:
        run_reference(Returning(result), IMAGES, ["y"])
    text = f"the network returned what cannot be compared: {found}: expected tensors, or None for nothing"
    assert str(caught.value) == text


def test_results_are_flattened_in_order() -> None:
    one, two, three = (torch.full((1,), float(number)) for number in range(3))
    assert flatten_outputs({"a": one, "b": [two, (three,)]}) == [one, two, three]
    assert flatten_outputs(two) == [two]


@pytest.mark.parametrize(
    ("shape", "joined"), [((1, 5), (3, 5)), ((5,), (3, 5)), ((), (3,)), ((1,), (3,)), ((2, 5), (3, 2, 5))]
)
def test_rows_are_joined_image_by_image(shape: tuple[int, ...], joined: tuple[int, ...]) -> None:
    values = [np.full(shape, float(number)) for number in range(3)]
    rows = join_rows(values)
    assert rows.shape == joined
    assert [float(row.mean()) for row in rows] == [0.0, 1.0, 2.0]
