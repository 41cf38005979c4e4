"""A detector's boxes on the pictures that it was fed, drawn by the page: of raw heads and of suppressed boxes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from condmix.deploy.browser.address import Address
from condmix.deploy.browser.run import run_in_browser
from condmix.deploy.cli import run
from condmix.deploy.detect.file import open_detector
from condmix.models.detection_data import PREPROCESSING, PictureMaker
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.detection.settings import SuppressionSettings
from tests.deploy.browser.pieces import onnx_subject
from tests.deploy.detect import own_detector
from tests.deploy.report.chromium import Page

pytestmark = pytest.mark.device
SETTINGS = BenchSettings(warmup_seconds=0.0, minimum_runs=10, minimum_seconds=0.0, openings=1)
SIDE, THRESHOLD = 64, 0.54
STATE = "document.documentElement?.dataset.state ?? null"
DRAWN = "[...document.querySelectorAll('.pictures')].map(row => [row.previousSibling.textContent, [...row.children].map(one => [Number(one.dataset.count), one.width, one.getAttribute('aria-label')])])"  # noqa: E501


def files(folder: Path) -> dict[str, str]:
    """name -> engine, of a file that decodes and suppresses itself and one that gives raw heads."""
    torch.save(own_detector.build().state_dict(), folder / "own.pt")
    common = ["export", str(folder / "own.pt"), "--factory", "tests.deploy.detect.own_detector:build", "-q", "-f"]
    common += ["--input-size", f"3x{SIDE}x{SIDE}"]
    nms = ["--detections", "nms", "--score-threshold", str(THRESHOLD), "-o", str(folder / "nms.onnx")]
    for more in (nms, ["--format", "tflite", "-o", str(folder / "raw.tflite")]):
        assert run([*common, *more], program="condmix") == 0
    return {"nms.onnx": "onnxruntime", "raw.tflite": "litert"}


def shown(page: Page, subjects: list[BenchSubject], images: np.ndarray | None, engines: dict[str, Path]) -> object:
    """What the page drew, once the result is there; images: None for random ones."""
    found: list[Address] = []
    served = threading.Event()

    def on_address(address: Address) -> None:
        found.append(address)
        served.set()

    feeds = {} if images is None else {one.name: {"input": images} for one in subjects}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            run_in_browser, subjects, SETTINGS, on_address=on_address, inputs=feeds, assets=engines,
            wait_seconds=60.0, silence_seconds=60.0,
        )  # fmt: skip
        assert served.wait(60) or running.result(0)
        page.call("Page.navigate", url=found[0].url)
        end = time.monotonic() + 120
        while page.value(STATE) is None:
            assert time.monotonic() < end, page.value("document.body?.innerText ?? ''")
            time.sleep(0.05)
        running.result(60)
    # Engines talk about graphics processors that are not there.
    assert not [one for one in page.complaints if "Uncaught" in one or ".js" in one]
    return page.value(DRAWN)


def test_boxes_are_those_of_the_files(engines: dict[str, Path], page: Page, tmp_path: Path) -> None:
    images = PictureMaker(held_out=True).make(3, side=SIDE, seed=0).inputs(PREPROCESSING, (3, SIDE, SIDE))
    subjects = [BenchSubject(name=name, file=tmp_path / name, engine=kind) for name, kind in files(tmp_path).items()]
    drawn = shown(page, subjects, images, engines)
    (tmp_path / "result.png").write_bytes(page.picture())
    assert isinstance(drawn, list)
    drawn = [(name, canvases) for name, canvases in drawn if "@2t" not in name]
    assert [name for name, _ in drawn] == ["nms.onnx@wasm", "raw.tflite@wasm"]
    for (_, canvases), subject, threshold in zip(drawn, subjects, (THRESHOLD, 0.3), strict=True):
        file = open_detector(subject.file)
        kept = file.reader.candidates(file.run(images), SuppressionSettings(score_threshold=threshold))
        for (count, width, label), expected in zip(canvases, kept, strict=True):
            # A box at the threshold may fall on either side in another engine.
            assert abs(count - len(expected.kept)) <= 1
            assert count > 0
            assert width >= SIDE
            assert label.count("%") == count


def test_a_file_that_is_no_detector_has_no_pictures(engines: dict[str, Path], page: Page, tmp_path: Path) -> None:
    subject = onnx_subject(tmp_path, name="plain")
    assert shown(page, [subject], None, engines) == []
    assert page.value("document.getElementById('found').hidden") is True
