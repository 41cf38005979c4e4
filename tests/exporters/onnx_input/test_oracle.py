"""The file itself as the yardstick: its images stay apart, its rounding is measured, and a wrong graph is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from condmix.exporters.build import build_from
from condmix.exporters.captured import Tap
from condmix.exporters.errors import VerificationError
from condmix.exporters.onnx_input.oracle import OnnxOracle
from condmix.exporters.onnx_input.read import read_onnx
from condmix.exporters.options import ExportOptions
from condmix.exporters.verify.oracle import Oracle, oracle_of
from condmix.exporters.verify.verify import verify
from condmix.runtime.tolerance import Tolerance
from tests.exporters.onnx_input.sketches import batched_groups, saved, tensorflow_style

IMAGES = np.random.default_rng(3).standard_normal((5, 3, 12, 10)).astype(np.float32)


def oracle(model: onnx.ModelProto, images: int, *, name: str = "x", channels_last: bool = False) -> OnnxOracle:
    return OnnxOracle(original=model, upgraded=model, input_names=(name,), images=images, channels_last=channels_last)


def silent(_stage: str) -> None:
    """Nobody is watching."""


def test_images_are_run_many_at_a_time_and_come_back_in_order() -> None:
    several = oracle(batched_groups(3), 3).reference(IMAGES, ["scores"])
    alone = oracle(batched_groups(1), 1).reference(IMAGES, ["scores"])
    assert several.float64["scores"].shape == (5, 5)
    np.testing.assert_allclose(several.float64["scores"], alone.float64["scores"], rtol=0, atol=1e-13)


def test_float32_is_the_worst_of_several_draws() -> None:
    found = oracle(batched_groups(1), 1).reference(IMAGES, ["scores"])
    error = np.abs(found.float32["scores"] - found.float64["scores"]).max() / np.abs(found.float64["scores"]).max()
    assert 1e-8 < error < 1e-5


def test_channels_are_moved_for_a_file_that_takes_them_last() -> None:
    images = np.random.default_rng(3).standard_normal((2, 3, 17, 15)).astype(np.float32)
    model = tensorflow_style()
    found = oracle(model, 1, name="image:0", channels_last=True).float64(images, ["Identity:0"])
    assert found["Identity:0"].shape == (2, 5)
    np.testing.assert_allclose(found["Identity:0"].sum(axis=1), 1.0, atol=1e-12)


def test_inner_values_are_of_one_image() -> None:
    taps = [Tap(value_name="normed", module_path="a"), Tap(value_name="absent", module_path="b")]
    inner = oracle(batched_groups(2), 2).inner(taps, IMAGES[0])
    assert {name: value.shape for name, value in inner.float64.items()} == {"normed": (1, 6, 12, 10)}
    assert np.abs(inner.float32["normed"] - inner.float64["normed"]).max() < 1e-4


def test_a_result_without_images_is_no_answer() -> None:
    model = batched_groups(3)
    with pytest.raises(VerificationError):
        oracle(model, 4).float64(IMAGES, ["scores"])


def test_it_is_an_oracle() -> None:
    one = oracle(batched_groups(1), 1)
    assert isinstance(one, Oracle)
    assert oracle_of(one) is one


@pytest.mark.parametrize("other", [1, 2])
def test_a_graph_that_is_not_the_files_is_seen_and_its_place_named(tmp_path: Path, other: int) -> None:
    source = read_onnx(saved(batched_groups(2), tmp_path), None, silent)
    wrong = batched_groups(other)
    norm = next(tensor for tensor in wrong.graph.initializer if tensor.name == "head_bias")
    numbers = np.frombuffer(norm.raw_data, np.float32).copy()
    numbers[2] += 1e-3
    norm.raw_data = numbers.tobytes()
    changed = read_onnx(saved(wrong, tmp_path), None, silent)
    proof = verify(
        build_from(changed.captured, ExportOptions(), {}, silent),
        source.oracle,
        source.input_size,
        batch=1,
        tolerance=Tolerance.for_precision("float32"),
        images=None,
        report_progress=silent,
    )
    assert not proof.passed
    assert proof.stages[-1].stage == "captured"
