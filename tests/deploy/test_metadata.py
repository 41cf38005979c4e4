"""What a file says about itself: facts of its input only."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from condmix.deploy.metadata import metadata_of, size_text, tflite_metadata_of
from condmix.exporters.finish import IR_VERSION
from condmix.exporters.options import ExportOptions
from condmix.exporters.tflite.options import TfliteOptions
from condmix.models.network import LoadedNetwork
from condmix.models.preprocessing import Preprocessing
from condmix.runtime.tolerance import Tolerance
from tests.deploy.conftest import FLOAT32, SETTINGS


def test_everything_a_reader_needs_is_there(network: LoadedNetwork) -> None:
    metadata = metadata_of(network, ExportOptions(opset=21, batch=None), FLOAT32, IR_VERSION)
    assert metadata["architecture"] == "condconv_digits"
    assert json.loads(metadata["settings"]) == SETTINGS
    assert metadata["source_sha256"] == network.source_sha256
    assert metadata["input_size"] == "Nx1x32x32"
    assert metadata["minimum_runtime"] == "onnxruntime>=1.18"
    assert json.loads(metadata["class_names"]) == list("0123456789")
    assert Preprocessing.from_dict(json.loads(metadata["preprocessing"])) == network.preprocessing
    assert Tolerance.from_dict(json.loads(metadata["tolerance"])) == FLOAT32
    assert json.loads(metadata["created_by_options"])["opset"] == 21


def test_where_the_file_came_from_is_a_name_and_not_a_path(network: LoadedNetwork, weights: Path) -> None:
    metadata = metadata_of(network, ExportOptions(), FLOAT32, IR_VERSION)
    assert metadata["source_file"] == "small.pt"
    assert str(weights.parent) not in "".join(metadata.values())


def test_what_nobody_knows_is_left_out(network: LoadedNetwork) -> None:
    nameless = dataclasses.replace(network, class_names=None, source=None, source_sha256=None)
    metadata = metadata_of(nameless, ExportOptions(), FLOAT32, IR_VERSION)
    assert {"class_names", "source_file", "source_sha256"}.isdisjoint(metadata)


def test_a_tflite_file_says_the_layout_of_its_input(network: LoadedNetwork) -> None:
    metadata = tflite_metadata_of(network, TfliteOptions(layout="nchw", batch=2), FLOAT32)
    of_onnx = metadata_of(network, ExportOptions(batch=2), FLOAT32, IR_VERSION)
    assert metadata["input_layout"] == "NCHW"
    assert json.loads(metadata["created_by_options"])["layout"] == "nchw"
    own = {"created_by_options", "minimum_runtime", "input_layout"}
    assert {key: metadata[key] for key in metadata if key not in own} == {
        key: of_onnx[key] for key in of_onnx if key not in own
    }


@pytest.mark.parametrize(("batch", "text"), [(1, "1x3x8x9"), (4, "4x3x8x9"), (None, "Nx3x8x9")])
def test_the_input_is_spoken_of_as_usual(batch: int | None, text: str) -> None:
    assert size_text((3, 8, 9), batch) == text
