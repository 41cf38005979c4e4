"""The reference beside an export: what was verified on, PyTorch's own numbers, and limits that were really held."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.atomic import pending_files
from condmix.deploy.reference_file import (
    MOST_IMAGES,
    float_reference,
    furthest_apart,
    reference_of,
    write_reference,
)
from condmix.exporters.build import Build
from condmix.exporters.verify.evidence import Evidence, gather
from condmix.exporters.verify.records import Verification
from condmix.models.network import LoadedNetwork
from condmix.runtime.bench.reference import Limit, Reference, read_reference
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.deploy.conftest import FLOAT32, FLOAT32_TFLITE

LIMIT = {"a.onnx": Limit(max_abs_difference=1.0)}


@pytest.fixture
def reference(evidence: Evidence) -> Reference:
    made = float_reference(evidence, ["input"], {"a.onnx": FLOAT32, "a.tflite": FLOAT32_TFLITE})
    assert made is not None
    return made


def test_it_holds_the_images_of_the_proof_and_pytorchs_results(reference: Reference, evidence: Evidence) -> None:
    (images,), (outputs,) = reference.inputs.values(), reference.outputs.values()
    assert list(reference.inputs) == ["input"]
    assert images.dtype == outputs.dtype == np.float32
    exact = evidence.reference.float64
    assert list(reference.outputs) == list(exact)
    places = furthest_apart(evidence.routing, len(evidence.images.sources))
    assert sorted(places) == list(range(5))
    np.testing.assert_array_equal(images, evidence.images.array_nchw[places])
    np.testing.assert_array_equal(outputs, next(iter(exact.values()))[places].astype(np.float32))
    assert "PyTorch in float64, rounded to float32, on verification images (noise x1, " in reference.outputs_are


def test_the_limit_is_the_one_of_the_proof_and_the_file_meets_it(
    reference: Reference, built: Build, verified: Verification
) -> None:
    limit = reference.limits["a.onnx"].max_abs_difference
    assert limit is not None
    held = verified.final.outputs[0].worst
    assert held is not None
    assert held.absolute <= held.limit_absolute <= limit
    (outputs,) = reference.outputs.values()
    assert limit == pytest.approx(1e-7 + 2e-5 * np.abs(outputs).max(), rel=1e-5)
    session = OnnxRuntimeBackend().open(built.final.proto.SerializeToString(), threads=1)
    rows = [next(iter(session.run({"input": image[None]}).values())) for image in reference.inputs["input"]]
    difference = np.abs(np.concatenate(rows) - outputs).max()
    assert difference <= limit
    assert np.abs(1.001 * np.concatenate(rows) - outputs).max() > limit
    wider = reference.limits["a.tflite"].max_abs_difference
    assert wider is not None
    assert wider > 2 * limit


def test_of_many_images_those_furthest_apart_are_kept(built: Build, network: LoadedNetwork) -> None:
    images = np.random.default_rng(0).standard_normal((12, 1, 32, 32)).astype(np.float32)
    images[11] *= 5
    mine = gather(
        built, network.module, network.input_size, batch=1, images=images, report_progress=lambda _stage: None
    )
    made = float_reference(mine, ["input"], {"a.onnx": FLOAT32})
    assert made is not None
    assert made.images == MOST_IMAGES
    kept = {image.tobytes() for image in made.inputs["input"]}
    assert len(kept) == MOST_IMAGES
    assert images[11].tobytes() in kept


def test_one_image_is_taken_once() -> None:
    assert furthest_apart({}, 1) == [0]
    assert furthest_apart({"r": np.zeros((2, 4))}, 2) == [0, 1]


def test_results_that_are_not_finite_are_no_reference(evidence: Evidence) -> None:
    broken = {name: np.full_like(rows, np.nan) for name, rows in evidence.reference.float64.items()}
    wrong = dataclasses.replace(evidence, reference=dataclasses.replace(evidence.reference, float64=broken))
    assert float_reference(wrong, ["input"], {"a.onnx": FLOAT32}) is None
    # Beyond float32: there is no number to store.
    beyond = {"logits": np.full((1, 10), 1e39)}
    assert reference_of(["input"], np.zeros((1, 1, 4, 4)), beyond, images_are="x", limits=LIMIT) is None


def test_written_it_reads_back_and_is_named_with_its_hash(reference: Reference, tmp_path: Path) -> None:
    with pending_files(overwrite=False) as files:
        written = write_reference(files, tmp_path / "a.reference.npz", reference)
        assert not (tmp_path / "a.reference.npz").exists()
        files.commit()
    assert written is not None
    content = (tmp_path / "a.reference.npz").read_bytes()
    assert written.to_dict() == {
        "path": "a.reference.npz",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "images": 5,
    }
    read = read_reference(tmp_path / "a.reference.npz")
    np.testing.assert_array_equal(read.inputs["input"], reference.inputs["input"])
    assert read.limits == reference.limits
    with pending_files(overwrite=False) as files:
        assert write_reference(files, tmp_path / "b.reference.npz", None) is None


def test_at_224_it_stays_small() -> None:
    """Noise hardly shrinks: eight images of nothing else are the worst there is."""
    noise = np.random.default_rng(0).standard_normal((8, 3, 224, 224)).astype(np.float32)
    outputs = {"logits": np.zeros((8, 1000))}
    made = reference_of(["input"], noise, outputs, images_are="noise", limits=LIMIT)
    assert made is not None
    from condmix.runtime.bench.reference import reference_content

    assert len(reference_content(made)) < 5_000_000
