"""Every axis rule by example: what it keeps equals image by image what batch 1 gives, what it refuses it names."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.batch.axis_rules import AXIS_RULES, ELEMENTWISE, IMAGE_OPERATORS
from condmix.exporters.errors import NotExportableError
from tests.exporters.batch.axis_cases import KEPT, REFUSED, KeptCase, RefusedCase
from tests.exporters.batch.axis_nodes import Build, numbers
from tests.exporters.graphs import assert_same, run, with_batch
from tests.exporters.sketch import Sketch


def sketched(shape: tuple[int, ...], build: Build) -> ir.Model:
    sketch = Sketch()
    sketch.input("x", shape)
    build(sketch, "x", "y")
    return sketch.model("y")


@pytest.mark.parametrize("case", KEPT.values(), ids=KEPT)
@pytest.mark.parametrize("size", [3, None])
def test_a_batch_gives_what_its_images_give_alone(case: KeptCase, size: int | None) -> None:
    shape, build = case
    single, model = sketched(shape, build), sketched(shape, build)
    x = 2 * numbers(3, *shape[1:], seed=4)
    alone = [run(single, {"x": x[index : index + 1]})["y"] for index in range(3)]
    with_batch(model, size)
    together = run(model, {"x": x})["y"]
    (axis,) = {
        index for index, (one, many) in enumerate(zip(alone[0].shape, together.shape, strict=True)) if one != many
    }
    assert_same(np.concatenate(alone, axis=axis), together)
    # The shape in the file says where the batch is.
    declared = model.graph.outputs[0].shape
    assert declared is not None
    assert declared[axis] == (size or ir.SymbolicDim("batch"))


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("size", [3, None])
def test_an_operator_that_cannot_is_named_with_its_module(case: RefusedCase, size: int | None) -> None:
    shape, build, sentence = case
    model = sketched(shape, build)
    with pytest.raises(NotExportableError) as caught:
        with_batch(model, size)
    (problem,) = caught.value.problems
    assert problem.startswith("m: ")
    assert problem.partition("': ")[2] == sentence


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_runs_at_batch_one(case: RefusedCase) -> None:
    shape, build, _ = case
    model = sketched(shape, build)
    with_batch(model, 1)
    assert np.isfinite(run(model, {"x": numbers(*shape)})["y"]).all()


def test_every_rule_has_a_key_of_its_own() -> None:
    families = [*ELEMENTWISE, *IMAGE_OPERATORS]
    assert len(set(families)) == len(families)
    assert set(families) < set(AXIS_RULES)
    assert not {"Reshape", "Expand", "MixConv2"} & set(AXIS_RULES)
