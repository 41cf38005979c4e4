"""Inner values of graphs and of PyTorch modules made visible."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from torch import Tensor, nn

from condmix.exporters.verify.tapping import module_outputs, recorded, value_names, with_outputs
from tests.exporters.graphs import run
from tests.exporters.networks import INPUT_SIZE, Plain, settled
from tests.exporters.sketch import Sketch

X = np.linspace(-1, 1, 4, dtype=np.float32).reshape(1, 4)
IMAGE = np.random.default_rng(0).standard_normal(INPUT_SIZE).astype(np.float32)


def chain() -> onnx.ModelProto:
    sketch = Sketch()
    sketch.input("x", X.shape)
    sketch.node("Relu", ["x"], "a")
    sketch.node("Neg", ["a"], "b")
    sketch.node("Cast", ["b"], "whole", to=onnx.TensorProto.INT64)
    sketch.node("Abs", ["b"], "y")
    sketch.node("Cast", ["whole"], "z", to=onnx.TensorProto.FLOAT)
    return ir.to_proto(sketch.model("y", "z"))


def test_inner_values_become_outputs() -> None:
    proto = chain()
    before = proto.SerializeToString()
    shown = run(with_outputs(proto, ["b", "a", "b", "y"]), {"x": X})
    assert list(shown) == ["y", "z", "b", "a"]
    np.testing.assert_array_equal(shown["a"], np.maximum(X, 0))
    np.testing.assert_array_equal(shown["b"], -np.maximum(X, 0))
    assert proto.SerializeToString() == before


def test_values_of_any_type_can_be_shown() -> None:
    shown = run(with_outputs(chain(), ["whole"]), {"x": X})
    assert shown["whole"].dtype == np.int64


def test_the_values_a_graph_computes() -> None:
    assert value_names(chain()) == {"a", "b", "whole", "y", "z"}


def test_the_outputs_of_modules_in_both_precisions() -> None:
    module = settled(Plain())
    double = module_outputs(module, ["conv", "norm", "classifier", ""], IMAGE, torch.float64)
    single = module_outputs(module, ["conv"], IMAGE, torch.float32)
    assert {path: array.shape for path, array in double.items()} == {
        "conv": (1, 4, 9, 8),
        "norm": (1, 4, 9, 8),
        "classifier": (1, 5),
        "": (1, 5),
    }
    assert (double["conv"].dtype, single["conv"].dtype) == (np.float64, np.float32)
    np.testing.assert_allclose(single["conv"], double["conv"], atol=1e-5)
    np.testing.assert_array_equal(double["classifier"], double[""])
    assert next(module.parameters()).dtype == torch.float32


class InPlace(nn.Module):
    """A module whose output another one then overwrites."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Identity()
        self.pair = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.first(x * 1)
        self.pair((y, y))
        return y.add_(1)


def test_an_output_is_kept_as_it_was_when_it_left_its_module() -> None:
    seen = module_outputs(InPlace(), ["first"], IMAGE, torch.float32)
    np.testing.assert_array_equal(seen["first"][0], IMAGE)


def test_a_module_that_returns_several_values_is_not_seen() -> None:
    assert set(module_outputs(InPlace(), ["first", "pair"], IMAGE, torch.float32)) == {"first"}


def test_hooks_are_gone_afterwards() -> None:
    module = settled(Plain())
    with recorded(module, ["conv"]) as seen:
        module(torch.zeros(1, *INPUT_SIZE))
    assert list(seen) == ["conv"]
    assert not module.get_submodule("conv")._forward_hooks


def test_hooks_are_gone_after_a_failure_too() -> None:
    module = settled(Plain())
    with pytest.raises(RuntimeError), recorded(module, ["conv"]):
        module(torch.zeros(1, 2, 2, 2))
    assert not module.get_submodule("conv")._forward_hooks
