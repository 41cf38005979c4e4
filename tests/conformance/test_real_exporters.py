"""Files that tf2onnx and paddle2onnx wrote: recognised, exported in every form, proven against the files themselves.

The scripts beside the files made them (tests/exporters/onnx_input/real); the tools are not needed here.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import pytest

from condmix.exporters.build import build_from, prepare
from condmix.exporters.errors import NotExportableError
from condmix.exporters.onnx_input.read import OnnxSource, read_onnx
from condmix.exporters.options import ExportOptions
from condmix.exporters.verify.images import candidate_images
from tests.conformance.int8_proof import prove_prepared
from tests.exporters.proven import onnx_proof, tflite_proof

FOLDER = Path(__file__).parents[1] / "exporters" / "onnx_input" / "real"
THREE, TWO, MIXED = {"CondConv": 3}, {"CondConv": 2}, {"MixConv": 2}
FILES = {
    "tf2onnx_map_fn_any": THREE,
    "tf2onnx_map_fn_batch_3": THREE,
    "tf2onnx_while_batch_2": THREE,
    "tf2onnx_vectorized_map_batch_1": TWO,
    "tf2onnx_groups_batch_3": TWO,
    "tf2onnx_expert_sum_any": TWO,
    "tf2onnx_single_batch_1": THREE,
    "tf2onnx_mixconv_any": MIXED,
    "tf2onnx_mixconv_batch_3": MIXED,
    "paddle2onnx_matmul_batch_1": THREE,
    "paddle2onnx_matmul_batch_3": THREE,
    "paddle2onnx_einsum_batch_3": THREE,
    "paddle2onnx_expert_sum_any": THREE,
    "paddle2onnx_mixconv_batch_3": MIXED,
    "paddle2onnx_mixconv_any": MIXED,
}
"""What has to be recognised in each."""
ONE_IMAGE_ONLY = {"tf2onnx_vectorized_map_batch_1": "it merges the batch axis with another"}
"""Its BatchNorm works on (channels, 1, height, width): no batch can be put there."""
QUICK = "tf2onnx_map_fn_any"
IN_EVERY_RUN = (QUICK, "tf2onnx_groups_batch_3", "tf2onnx_mixconv_any", "paddle2onnx_matmul_batch_3")


def silent(_text: str) -> None:
    """Nobody is watching."""


def source_of(name: str) -> OnnxSource:
    return read_onnx(FOLDER / f"{name}.onnx", None, silent)


def named() -> list[object]:
    """One in the quick run, one of each kind in every run, the others by night."""
    return [
        pytest.param(
            name,
            marks=() if name == QUICK else pytest.mark.slow if name in IN_EVERY_RUN else pytest.mark.nightly,
        )
        for name in FILES
    ]


def test_every_file_that_was_made_is_tried_and_small() -> None:
    paths = list(FOLDER.glob("*.onnx"))
    assert {path.stem for path in paths} == set(FILES)
    assert max(path.stat().st_size for path in paths) < 60_000
    by_tool = {path.stem: onnx.load(path).producer_name for path in paths}
    assert all(tool == "tf2onnx" for name, tool in by_tool.items() if name.startswith("tf2onnx"))


@pytest.mark.parametrize("name", named())
def test_onnx_for_one_image_and_for_any(name: str) -> None:
    source = source_of(name)
    for batch in (1,) if name in ONE_IMAGE_ONLY else (1, None):
        built = build_from(source.captured, ExportOptions(batch=batch), {}, silent)
        found = Counter(layer.kind.value for layer in built.layers if layer.recognised)
        assert found == FILES[name]
        proof = onnx_proof(built, source, batch)
        assert proof.passed, proof.final.sentence()


def test_no_batch_where_none_can_be() -> None:
    for name, words in ONE_IMAGE_ONLY.items():
        with pytest.raises(NotExportableError, match=words):
            build_from(source_of(name).captured, ExportOptions(batch=None), {}, silent)


@pytest.mark.parametrize("name", named())
def test_tflite(name: str) -> None:
    source = source_of(name)
    proof = tflite_proof(source)
    assert proof.passed, [stage.report.sentence() for stage in proof.stages]


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.nightly) for name in FILES])
def test_int8(name: str) -> None:
    source = source_of(name)
    prepared = prepare(source.captured, ExportOptions(stage="rewritten"), {}, silent)
    assert prove_prepared(prepared, candidate_images(source.input_size).array_nchw).faults() == []
