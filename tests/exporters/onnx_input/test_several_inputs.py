"""A file that takes more than images: whatever its order of inputs, at a baked batch, against the file itself."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from condmix.exporters.build import build_from
from condmix.exporters.onnx_input.file import read_file
from condmix.exporters.onnx_input.read import OnnxSource, read_onnx
from condmix.exporters.options import ExportOptions
from condmix.exporters.rename import with_names
from condmix.exporters.verify.verify import verify
from condmix.runtime.joint_inputs import joint
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.tolerance import Tolerance
from tests.conformance.several import Trunk


class ContextFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.head = Trunk(7), nn.Linear(12, 5)

    def forward(self, context: Tensor, image: Tensor) -> Tensor:
        scores: Tensor = self.head(self.trunk(image, context)[1].mean((2, 3)))
        return scores


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """At batch 2."""
    torch.manual_seed(0)
    written = tmp_path_factory.mktemp("several") / "theirs.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            ContextFirst().eval(),
            (torch.zeros(2, 7), torch.zeros(2, 3, 24, 24)),
            written,
            input_names=["context", "image"],
            dynamo=True,
            verbose=False,
            external_data=False,
            opset_version=18,
        )
    return written


def source(path: Path) -> OnnxSource:
    return read_onnx(path, None, lambda _stage: None)


def test_the_image_comes_first_and_the_batch_is_taken_out(path: Path) -> None:
    found = source(path)
    assert [(value.name, value.shape) for value in found.captured.model.graph.inputs] == [
        ("image", (1, 3, 24, 24)),
        ("context", (1, 7)),
    ]
    assert found.oracle.input_names == ("image", "context")
    wanted = "the image is 'image', which comes first in the exported files, before 'context' (7)"
    assert wanted in found.notes
    proof = verify(
        build_from(found.captured, ExportOptions(batch=None), {}, lambda _stage: None),
        found.oracle,
        found.input_size,
        batch=None,
        tolerance=Tolerance.for_precision("float32"),
        images=None,
        report_progress=lambda _stage: None,
    )
    assert proof.passed, proof.final.sentence()
    assert proof.images.routing.differs


def test_names_that_change_places_feed_the_same_numbers(path: Path) -> None:
    found = source(path)
    _, renamed = with_names(found.captured, found.oracle, ["context", "image"], None)
    generator = np.random.default_rng(0)
    images = generator.standard_normal((2, 3, 24, 24)).astype(np.float32)
    context = generator.standard_normal((2, 7)).astype(np.float32)
    (output,) = (value.name for value in found.captured.model.graph.outputs)
    rows = renamed.float64(joint({"context": images, "image": context}), [str(output)])
    theirs = OnnxRuntimeBackend().open(path, threads=1).run({"context": context, "image": images})
    np.testing.assert_allclose(rows[str(output)], theirs[str(output)], atol=1e-5)
    assert read_file(path).proto.graph.input[0].name == "context"
