"""What is measured is what an export writes, and a block takes the forms of its site."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.build import build_from
from condmix.exporters.captured import Captured
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.options import ExportOptions
from condmix.exporters.records import LayerForm
from condmix.exporters.tune.blocks import block_of
from condmix.exporters.tune.candidates import choices_of
from condmix.exporters.tune.sites import find_sites
from condmix.exporters.tune.written import block_forms, written
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.exporters.graphs import assert_same
from tests.exporters.networks import INPUT_SIZE


def outputs(content: bytes, feeds: dict[str, np.ndarray]) -> np.ndarray:
    (found,) = OnnxRuntimeBackend().open(content, threads=1).run(feeds).values()
    return np.asarray(found)


@pytest.mark.parametrize("batch", [1, 2, None])
def test_a_tuned_network_is_the_export_with_its_forms(
    captured: Captured, rewritten: ir.Model, batch: int | None
) -> None:
    forms = (
        LayerForm(layer="cond", form="matmul", why="measured"),
        LayerForm(layer="mix", form="hoisted@4", why="measured"),
        LayerForm(layer="project", form="dense", why="measured"),
    )
    built = build_from(captured, ExportOptions(batch=batch, forms=forms), {}, lambda _stage: None)
    found = {layer.path: (layer.form, layer.why) for layer in built.layers}
    assert {path: found[path] for path in ("cond", "mix", "project")} == {
        "cond": ("matmul", "measured"),
        "mix": ("hoisted@4", "measured"),
        "project": ("dense", "measured"),
    }
    images = np.random.default_rng(0).standard_normal((batch or 3, *INPUT_SIZE)).astype(np.float32)
    feeds = {str(rewritten.graph.inputs[0].name): images}
    plain = outputs(written(rewritten, BatchAxis(size=batch), 18, ()), feeds)
    assert_same(plain, outputs(written(rewritten, BatchAxis(size=batch), 18, forms), feeds))
    assert_same(plain, outputs(built.final.proto.SerializeToString(), feeds))


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("batch", [1, None])
def test_all_candidates_of_a_block_compute_the_same(rewritten: ir.Model, place: int, batch: int | None) -> None:
    site = find_sites(rewritten.graph)[place]
    block = block_of(rewritten, site)
    axis = BatchAxis(size=batch)
    generator = np.random.default_rng(0)
    images = {
        str(value.name): generator.standard_normal((batch or 2, *value.shape.numpy()[1:])).astype(np.float32)
        for value in block.graph.inputs
        if value.shape is not None
    }
    candidates = choices_of(site, axis).candidates
    first, *others = [outputs(written(block, axis, 18, block_forms(block, site, one)), images) for one in candidates]
    assert len(candidates) > 1 or place == 1
    for other in others:
        assert_same(first, other)


def test_a_block_that_begins_with_another_layer_of_the_same_module_gets_the_right_form(rewritten: ir.Model) -> None:
    second = find_sites(rewritten.graph)[1]
    block = block_of(rewritten, second)
    (only,) = block_forms(block, second, choices_of(second, BatchAxis(size=1)).table)
    assert (only.layer, only.form) == ("depthwise", "experts")
