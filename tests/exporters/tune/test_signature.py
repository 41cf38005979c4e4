"""Alike blocks have one signature, whatever their weights and names; anything that costs time tells them apart."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from condmix.exporters.tune.blocks import block_of
from condmix.exporters.tune.signature import signature_of
from condmix.exporters.tune.sites import find_sites
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.sketch import Sketch


def chain(
    *, second_kernels: tuple[int, int] = (3, 5), slope: float = 0.1, stride: int = 1, seed: int = 1, name: str = "one"
) -> ir.Model:
    """Two MixConv layers between activations, with weights of their own."""
    sketch = Sketch()
    sketch.input("x", (1, 4, 9, 9))
    first = mixconv_case(in_channels=(2, 2), kernels=(3, 5), seed=seed, input_size=(9, 9))
    first.add_to(sketch, "x", name, module=f"net.{name}")
    sketch.node("LeakyRelu", [name], "two", module="act", alpha=0.1)
    second = mixconv_case(in_channels=(2, 2), kernels=second_kernels, seed=seed + 1, input_size=(9, 9), stride=stride)
    second.add_to(sketch, "two", "three", module="b")
    sketch.node("LeakyRelu", ["three"], "y", module="act2", alpha=slope)
    return sketch.model("y")


def signatures(model: ir.Model) -> list[str]:
    return [signature_of(block_of(model, site), site) for site in find_sites(model.graph)]


def test_weights_and_names_do_not_matter() -> None:
    assert signatures(chain()) == signatures(chain(seed=7, name="another"))


@pytest.mark.parametrize("other", [{"second_kernels": (3, 7)}, {"slope": 0.2}, {"stride": 2}])
def test_kernels_attributes_and_strides_do(other: dict[str, object]) -> None:
    assert signatures(chain())[1] != signatures(chain(**other))[1]  # type: ignore[arg-type]


def test_the_place_of_the_site_in_its_block_does() -> None:
    first, second = signatures(chain())
    assert first != second
