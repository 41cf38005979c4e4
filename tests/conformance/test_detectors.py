"""Detectors through the command line: raw heads, decoded boxes, suppression; both formats, float and int8.

What files find is held against PyTorch, and their tails against NumPy.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from condmix.deploy.cli import run
from condmix.deploy.detect.file import open_detector
from condmix.models import checkpoint, zoo
from condmix.models.box_coding import decode
from condmix.models.detection_data import PREPROCESSING, PictureMaker
from condmix.models.settling import settled_in_one_pass
from condmix.runtime.detection.matching import match_boxes
from condmix.runtime.detection.settings import SuppressionSettings
from condmix.runtime.detection.suppression import from_fixed_size, suppress
from condmix.runtime.onnx_session import OnnxRuntimeBackend

SIDE = 64
SIZE = (3, SIDE, SIDE)
SMALL = {"width": 0.25, "input_size": SIDE, "num_classes": 3, "extra_maps": 1}
CHANGES = {
    "ssd_condconv_mobilenet_v1": {**SMALL, "experts": 3},
    "ssdlite_mixconv_mobilenet_v1": SMALL,
    "ssdlite_mixconv_mobilenet_v2": SMALL,
}
NAMES = tuple(CHANGES)
KEPT = SuppressionSettings(score_threshold=0.012, iou_threshold=0.5)
"""Untrained heads are near one percent: so that many boxes are kept."""
THRESHOLDS = ("--score-threshold", "0.012")
INT8_BOX_ERRORS = {
    "ssd_condconv_mobilenet_v1": (0.0016, 0.032),
    "ssdlite_mixconv_mobilenet_v1": (0.00042, 0.0125),
    "ssdlite_mixconv_mobilenet_v2": (0.0006, 0.0135),
}
"""Mean and largest error of a corner in int8, in shares of the picture: 1.4 times what was measured. That is 0.00116
and 0.0225 with CondConv (ONNX; TFLite 0.00046 and 0.0073), 0.00030 and 0.0088 with MobileNetV1 (0.00026 and 0.0072),
0.00044 and 0.0098 with V2 (0.00034 and 0.0096). Another picture of the set moves corners by 0.0022, 0.0013, 0.0015."""
Command = Callable[..., str]


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return PictureMaker(held_out=True).make(6, side=SIDE, seed=0).inputs(PREPROCESSING, SIZE)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    folder = tmp_path_factory.mktemp("detectors")
    # Statistics of few pictures have next to no spread where maps are small: rounding to int8 would be as large.
    many = PictureMaker(held_out=False).make(64, side=SIDE, seed=2).inputs(PREPROCESSING, SIZE)

    def make(name: str, head_scale: float = 4.0) -> Path:
        path = folder / f"{head_scale:g}" / f"{name}.pt"
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            module = settled_in_one_pass(
                lambda: zoo.build(name, CHANGES[name]),
                seed=3,
                images=torch.from_numpy(many),
                routers=lambda network: [
                    item for item, _ in network.named_modules() if item.endswith("routing.linear")
                ],
            )
            # Scores that differ from box to box by more than a hair.
            for layer in module.scores.maps:  # type: ignore[union-attr]
                last = getattr(layer, "pointwise", layer)
                last.weight.data *= head_scale  # type: ignore[union-attr, operator]
            checkpoint.save(
                path,
                module,
                architecture=name,
                settings=CHANGES[name],
                input_size=SIZE,
                preprocessing=PREPROCESSING,
                class_names=("one", "two", "three"),
            )
        return path

    return make


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def invoke(*arguments: object, code: int = 0) -> str:
        found = run([str(argument) for argument in arguments], program="condmix")
        captured = capsys.readouterr()
        assert found == code, captured.err
        return captured.out if code == 0 else captured.err

    return invoke


def nightly_but(quick: str, *marks: pytest.MarkDecorator) -> list[object]:
    """One network in every run: the others take the same ways, half a minute each."""
    return [pytest.param(name, marks=marks if name == quick else pytest.mark.nightly) for name in NAMES]


@pytest.mark.parametrize("name", nightly_but("ssdlite_mixconv_mobilenet_v1"))
def test_files_find_what_pytorch_finds(
    name: str, saved: Callable[..., Path], pictures: np.ndarray, command: Command, tmp_path: Path
) -> None:
    """Suppression in the ONNX file, decoded boxes in the TFLite file, from one export."""
    out = tmp_path / name
    said = command(
        "export", saved(name), "--format", "onnx,tflite", "--detections", "nms", *THRESHOLDS, "-o", tmp_path, "-q"
    )
    assert "suppression keeps the boxes of its definition, bit for bit" in said
    torch_side = open_detector(saved(name))
    raw = torch_side.run(pictures)
    own = torch_side.reader.candidates(raw, KEPT)
    assert sum(len(item.kept) for item in own) > 20
    for suffix in (".onnx", ".tflite"):
        file = open_detector(out.with_suffix(suffix))
        match = match_boxes(own, file.reader.candidates(file.run(pictures), KEPT), margin=1e-4)
        assert match.complete, (suffix, match)
        assert match.ties <= 0.02 * match.boxes
    # Decoding in the file is PyTorch's, suppression in it is NumPy's.
    session = OnnxRuntimeBackend().open(out.with_suffix(".onnx"), threads=1)
    anchors = zoo.build(name, CHANGES[name]).anchors(SIDE, SIDE)  # type: ignore[operator]
    for index, picture in enumerate(pictures):
        result = session.run({"input": picture[None]})
        expected = decode(torch.from_numpy(raw["boxes"][index]), torch.from_numpy(anchors)).numpy()
        np.testing.assert_allclose(result["boxes"][0], expected, atol=2e-5)
        np.testing.assert_allclose(result["scores"][0], 1 / (1 + np.exp(-raw["scores"][index])), atol=2e-5)
        (found,) = from_fixed_size(result)
        wanted = suppress(result["boxes"][0], result["scores"][0], KEPT)
        assert np.array_equal(found.boxes_xyxy, wanted.boxes_xyxy)
        assert np.array_equal(found.classes, wanted.classes)
    record = json.loads((tmp_path / f"{name}.condmix.json").read_text())
    assert record["detection"]["suppression"] == KEPT.to_dict()
    assert record["artifacts"][0]["suppression"]["passed"] is True


@pytest.mark.nightly
@pytest.mark.parametrize("name", NAMES)
def test_any_number_of_images_and_raw_heads(
    name: str, saved: Callable[..., Path], pictures: np.ndarray, command: Command, tmp_path: Path
) -> None:
    """Suppression at any batch gives what it gives one by one; the raw file tells its anchors."""
    out = tmp_path / "any.onnx"
    command("export", saved(name), "--batch", "dynamic", "--detections", "nms", *THRESHOLDS, "-o", out, "-q")
    session = OnnxRuntimeBackend().open(out, threads=1)
    together = session.run({"input": pictures})
    assert together["detection_count"].shape == (len(pictures),)
    for index in (0, 3):
        (alone,) = from_fixed_size(session.run({"input": pictures[[index]]}))
        other = from_fixed_size(together)[index]
        assert np.array_equal(alone.classes, other.classes)
        np.testing.assert_allclose(alone.boxes_xyxy, other.boxes_xyxy, atol=1e-5)
    raw = tmp_path / "raw.tflite"
    command("export", saved(name), "--format", "tflite", "-o", raw, "-q")
    own = open_detector(saved(name))
    file = open_detector(raw)
    assert file.reader.anchors is not None
    np.testing.assert_array_equal(file.reader.anchors, own.reader.anchors)  # type: ignore[arg-type]
    match = match_boxes(
        own.reader.candidates(own.run(pictures), KEPT), file.reader.candidates(file.run(pictures), KEPT), margin=1e-4
    )
    assert match.complete


@pytest.mark.parametrize("name", nightly_but("ssd_condconv_mobilenet_v1", pytest.mark.slow))
def test_int8_files_keep_their_tail_in_float(
    name: str, saved: Callable[..., Path], pictures: np.ndarray, command: Command, tmp_path: Path
) -> None:
    calibration = PictureMaker(held_out=False).make(24, side=SIDE, seed=1).inputs(PREPROCESSING, SIZE)
    np.save(tmp_path / "images.npy", calibration)
    said = command(
        "export",
        saved(name, 1.0),
        *("--format", "onnx,tflite", "--detections", "nms", *THRESHOLDS, "--int8", "--improve", "bias"),
        *("--calib", tmp_path / "images.npy", "-o", tmp_path, "-q"),
    )
    assert said.count("[ok] computes what it says") == 2
    record = json.loads((tmp_path / f"{name}_int8.condmix.json").read_text())
    assert [item["passed"] for item in record["artifacts"]] == [True, True]
    for item in record["artifacts"]:
        assert {"boxes", "scores", "decode"} <= set(item["options"]["float_layers"])
        assert item["audit"]["int8_share"] > 0.9
    own = open_detector(saved(name, 1.0))
    for suffix in (".onnx", ".tflite"):
        file = open_detector(tmp_path / f"{name}_int8{suffix}")
        assert file.is_rounded
        boxes, _ = file.reader.corners_and_probabilities(file.run(pictures))
        expected, _ = own.reader.corners_and_probabilities(own.run(pictures))
        errors = np.abs(boxes - expected)
        mean, largest = INT8_BOX_ERRORS[name]
        assert errors.mean() < mean
        assert errors.max() < largest
        # A file that told another picture's boxes would not be taken for right.
        assert mean < np.abs(expected - np.roll(expected, 1, axis=0)).mean()


def test_what_a_tail_cannot_be_put_behind_is_refused(
    saved: Callable[..., Path], command: Command, tmp_path: Path
) -> None:
    digits = tmp_path / "digits.pt"
    command("train", "condconv_digits", "--epochs", 1, "--set", "width=0.5", "-o", digits, "-q")
    said = command("export", digits, "--detections", "boxes", "-q", code=4)
    assert "condconv_digits is no detector whose anchors are known: nothing can be decoded" in said
    weights = saved(NAMES[1])
    said = command("export", weights, "--format", "tflite", "--detections", "nms", "-q", code=2)
    assert "--detections nms has no form in TFLite, which has no such operator" in said
    said = command("export", weights, "--detections", "boxes", "--max-detections", 5, "-q", code=2)
    assert "--max-detections is about non-maximum suppression: add --detections nms" in said
    said = command("export", weights, "--detections", "boxes", "--dynamic-size", "-q", code=2)
    assert "holds anchors for one size of pictures: it contradicts --dynamic-size" in said
