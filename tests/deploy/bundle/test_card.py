"""The model card: what a stranger reads, and that nothing of a record can pose as its markup."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from condmix.deploy.bundle.card import safe
from condmix.deploy.bundle.write import BundlePlan, write_bundle
from tests.deploy.bundle.conftest import Export, model_bytes, reference_bytes


def card_of(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read("MODEL_CARD.md").decode()


@pytest.mark.usefixtures("no_engine")
def test_the_card_of_an_export(export: Export, tmp_path: Path) -> None:
    export.change_record(
        lambda data: data.update(
            calibration={
                "images": 64,
                "source": "calib",
                "method": "mse",
                "routing": [{"block": "sigmoid", "strongest": [0.5, 0.61803]}],
            },
            warnings=["few images"],
        )
    )
    text = card_of(write_bundle(BundlePlan(paths=(export.model,), output=tmp_path)).path)
    for line in (
        "# net",
        "| net.onnx | onnx | float32 | 0.2 kB | 2.5e-06, limit 1.0e-04 | 100% |",
        "- net.onnx: PyTorch in float64 \\| on 3 images",
        "- architecture: condconv_digits",
        "- settings: experts 4",
        f"- weights: net.pt, SHA-256 {'ab' * 32}",
        "- exported with: condmix 0.1.0, torch 2.13.0",
        "- note: trained for 3 epochs",
        "1. Scaled by bilinear interpolation and cropped to the size of the image: center, fraction 1.",
        "2. Times 0.003922.",
        "3. Minus 0.5, divided by 0.25, channel by channel.",
        "| net.onnx | x | 1x4 | float32 | NC |",
        "- Outputs: y 1x5.",
        "- The task is to name one of 5 classes, in this order: zero, one, \\<script\\>, a\\|b, four.",
        "| sigmoid | 0.5, 0.618 |",
        "- calibrated on 64 images of calib, method mse",
        "- few images",
        "condmix verify net.condmix.zip",
        'images = numpy.load("model/net.reference.npz")["input/x"]',
        "- Phones: nothing in this bundle was run on one when it was made.",
    ):
        assert line in text.splitlines()
    assert "1 CondConv layers of 4 experts" in text
    assert text.endswith("told.\n")
    assert "\n\n\n" not in text


@pytest.mark.usefixtures("no_engine")
def test_the_card_of_a_foreign_file_says_what_nobody_said(tmp_path: Path) -> None:
    foreign = tmp_path / "other.onnx"
    foreign.write_bytes(model_bytes())
    (tmp_path / "other.reference.npz").write_bytes(reference_bytes("other.onnx"))
    text = card_of(write_bundle(BundlePlan(paths=(foreign,))).path)
    for line in (
        "- source: the files were not exported by condmix, which knows nothing of the network",
        "How pictures were prepared is not said: ask whoever trained the network.",
        "| other.onnx | x | 1x4 | not said | not said |",
        "- Outputs: y Nx5.",
        "- What the places of an output mean is not said.",
    ):
        assert line in text.splitlines()
    assert "## Routing" not in text
    assert "## int8" not in text
    assert "\n\n\n" not in text


def test_a_record_of_another_version_may_lack_anything(
    export: Export, tmp_path: Path, no_engine: dict[str, object]
) -> None:
    kept = {"kind", "artifacts", "schema_version", "reference"}
    export.change_record(lambda data: [data.pop(key) for key in list(data) if key not in kept])
    text = card_of(write_bundle(BundlePlan(paths=(export.model,), output=tmp_path)).path)
    assert no_engine == {}
    assert "- architecture: not said" in text.splitlines()
    assert "- weights: from memory" in text.splitlines()


def test_values_are_no_markup() -> None:
    assert safe("<b>a|b</b>\n# [x](y) `c`") == "\\<b\\>a\\|b\\</b\\> \\# \\[x\\](y) \\`c\\`"
    assert safe("\x1b[0mred") == "\\[0mred"
    assert safe(7) == 7
