"""Tests of condmix.models.tensor_checks."""

import pytest
import torch

from condmix.models.errors import NonFiniteWeightsError, NotACheckpointError
from condmix.models.tensor_checks import as_float32, require_finite


def test_every_precision_becomes_float32_and_is_noted():
    tensors = {
        "half": torch.tensor([0.1], dtype=torch.float16),
        "brain": torch.tensor([0.1], dtype=torch.bfloat16),
        "brain2": torch.tensor([0.1], dtype=torch.bfloat16),
        "double": torch.tensor([0.1], dtype=torch.float64),
        "single": torch.tensor([0.1]),
        "count": torch.tensor(3),
    }
    converted, notes = as_float32("a.pt", tensors)
    assert notes == (
        "2 tensors were converted from bfloat16 to float32",
        "1 tensor was converted from float16 to float32",
        "1 tensor was converted from float64 to float32",
    )
    assert converted["count"].dtype == torch.int64
    for name in ("half", "brain", "double", "single"):
        assert converted[name].dtype == torch.float32
        assert converted[name].item() == pytest.approx(tensors[name].item(), rel=1e-7)


def test_parameters_lose_their_gradient():
    converted, notes = as_float32("a.pt", {"weight": torch.nn.Parameter(torch.ones(2))})
    assert not converted["weight"].requires_grad
    assert notes == ()


def test_nan_and_infinity_are_named_with_counts():
    bad = {f"layer{index}": torch.tensor([1.0, float("nan")]) for index in range(9)}
    bad["inf"] = torch.tensor([float("inf"), 1.0, -float("inf")])
    bad["good"] = torch.ones(2)
    with pytest.raises(NonFiniteWeightsError) as caught:
        as_float32("a.pt", bad)
    listed = ", ".join(f"layer{index} (1 of 2)" for index in range(8))
    assert str(caught.value) == (
        f"a.pt: 10 of 11 tensors hold NaN or infinity in float32: {listed} and 2 more; the training has diverged "
        "or the file is damaged: use an earlier checkpoint"
    )
    assert caught.value.names == (*(f"layer{index}" for index in range(9)), "inf")


def test_a_number_too_large_for_float32_is_found():
    with pytest.raises(NonFiniteWeightsError, match=r"big \(1 of 1\)"):
        as_float32("a.pt", {"big": torch.tensor([1e300], dtype=torch.float64)})


def test_whole_numbers_are_finite():
    require_finite("a.pt", {"count": torch.tensor(3), "weight": torch.ones(1)})


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:.*quantize.*:DeprecationWarning")
def test_tensors_that_are_no_plain_arrays_are_named():
    tensors = {
        "meta": torch.ones(1, device="meta"),
        "quantised": torch.quantize_per_tensor(torch.ones(1), 0.1, 0, torch.qint8),
        "sparse": torch.ones(1, 1).to_sparse(),
        "complex": torch.ones(1, dtype=torch.complex64),
        "plain": torch.ones(1),
    }
    with pytest.raises(NotACheckpointError) as caught:
        as_float32("a.pt", tensors)
    assert str(caught.value) == (
        "a.pt: expected plain tensors; meta is without data (meta device), quantised is quantised, sparse is "
        "sparse, complex is complex; save the weights of the float network instead"
    )
