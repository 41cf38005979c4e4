"""Answers of two files to the same inputs, channels moved where one wants them last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from condmix.deploy.measure.output_difference import IMAGES, compare_outputs
from condmix.runtime.signature import Signature, Tensor, TensorSpec


@dataclass(frozen=True, kw_only=True)
class _Session:
    """A model that is a function."""

    signature: Signature
    compute: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]

    def run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self.signature.check(feeds)
        return self.compute(feeds)


def _session(
    shape: Sequence[int | str] = (1, 3, 4, 5),
    *,
    name: str = "x",
    output: str = "y",
    dtype: str = "float32",
    outputs: int = 2,
    offset: float = 0.0,
    last: bool = False,
) -> _Session:
    def compute(feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        array = feeds[name].astype(np.float32)
        image = array.transpose(0, 3, 1, 2) if last else array
        return {output: np.stack([image.sum((1, 2, 3)), image[:, 0, 0, 0]], 1)[:, :outputs] + np.float32(offset)}

    signature = Signature(
        inputs=(TensorSpec(name=name, shape=tuple(shape), dtype=dtype),),
        outputs=(TensorSpec(name=output, shape=(1, outputs), dtype="float32"),),
    )
    return _Session(signature=signature, compute=compute)


def test_the_same_function_in_both_channel_orders() -> None:
    found = compare_outputs(_session(), _session((1, 4, 5, 3), last=True), {})
    (output,) = found.outputs
    assert output.max_abs_difference <= 1e-5
    assert output.agreement.top1_agreement == 1.0
    assert output.agreement.image_count == found.images == IMAGES
    assert found.notes == ()


def test_a_known_difference_is_found_and_names_are_taken_in_order() -> None:
    found = compare_outputs(_session(), _session(name="input", output="scores", offset=0.25), {})
    (output,) = found.outputs
    assert (output.name_a, output.name_b) == ("y", "scores")
    assert output.max_abs_difference == pytest.approx(0.25, abs=1e-5)
    assert found.notes == (
        "inputs have other names and are taken in order: x = input",
        "outputs have other names and are taken in order: y = scores",
    )


def test_a_free_batch_is_one() -> None:
    assert compare_outputs(_session(), _session(("n", 3, 4, 5)), {}).outputs[0].max_abs_difference == 0


def test_what_is_not_finite_is_infinitely_far() -> None:
    found = compare_outputs(_session(), _session(offset=float("nan")), {})
    assert found.outputs[0].max_abs_difference == float("inf")
    assert found.to_dict()["outputs"][0]["max_abs_difference"] is None  # type: ignore[index]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (_session((1, 3, 4, 6)), "outputs are not compared: input 'x' is 1x3x4x5 in a, 1x3x4x6 in b"),
        (_session(dtype="int8"), "outputs are not compared: input 'x' is float32 in a, int8 in b"),
        (_session(outputs=1), "output 'y' is not compared: its shape is 1x2 in a, 1x1 in b"),
    ],
)
def test_what_cannot_be_compared_is_said(other: _Session, said: str) -> None:
    found = compare_outputs(_session(), other, {})
    assert found.outputs == ()
    assert said in found.notes


def test_another_number_of_inputs() -> None:
    two = Signature(
        inputs=(*_session().signature.inputs, TensorSpec(name="z", shape=(1,), dtype="float32")),
        outputs=_session().signature.outputs,
    )
    found = compare_outputs(_session(), _Session(signature=two, compute=_session().compute), {})
    assert found.notes == ("outputs are not compared: a has 1 inputs, b has 2",)
