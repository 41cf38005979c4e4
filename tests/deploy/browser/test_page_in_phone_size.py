"""The page on a small screen: while it measures and with its result nothing sticks out, overlaps or is too small."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from condmix.deploy.browser.address import Address
from condmix.deploy.browser.run import run_in_browser
from condmix.runtime.bench.settings import BenchSettings
from tests.deploy.browser.pieces import onnx_subject, reference
from tests.deploy.report.chromium import Page

pytestmark = pytest.mark.device
SETTINGS = BenchSettings(warmup_seconds=0.0, minimum_runs=100, minimum_seconds=0.1, openings=1)
# A name as long as those of users, without a place to break.
NAME = "condconv_efficientnet_b0_8e_imagenet_calibrated_int8_per_channel"
SMALLEST_TEXT = 12.0
SIZES = "[...document.querySelectorAll('p, th, td, dt, dd, button, span')].filter(one => one.textContent.trim() && one.offsetParent).map(one => parseFloat(getComputedStyle(one).fontSize))"  # noqa: E501
WIDE = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
OUTSIDE = "[...document.querySelectorAll('body *')].filter(one => one.offsetParent && one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 80))"  # noqa: E501
BUTTON = "(one => one.offsetParent ? one.getBoundingClientRect().height : null)(document.getElementById('stop'))"
STATE = "document.documentElement?.dataset.state ?? null"
TEXT = "document.body?.innerText ?? ''"


def assert_fits(page: Page) -> None:
    """Nobody has to scroll sideways or to magnify."""
    scrolled, shown = page.value(WIDE)
    assert scrolled <= shown
    assert page.value(OUTSIDE) == []
    assert min(page.value(SIZES)) >= SMALLEST_TEXT


@pytest.mark.parametrize(("width", "dark"), [(360, False), (412, True)])
def test_it_fits(engines: dict[str, Path], page: Page, tmp_path: Path, width: int, dark: bool) -> None:
    found: list[Address] = []
    served = threading.Event()

    def on_address(address: Address) -> None:
        found.append(address)
        served.set()

    subject = onnx_subject(tmp_path, name=NAME)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            run_in_browser, [subject], SETTINGS, on_address=on_address, references={NAME: reference()}, assets=engines,
            wait_seconds=60.0, silence_seconds=60.0,
        )  # fmt: skip
        assert served.wait(60) or running.result(0)
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=2, mobile=True)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        page.call("Page.navigate", url=found[0].url)
        end = time.monotonic() + 120
        seen_running = False
        while page.value(STATE) is None:
            assert time.monotonic() < end, page.value(TEXT)
            if "measuring" in page.value(TEXT):
                seen_running = True
                assert_fits(page)
                assert page.value(BUTTON) >= 44, "a thumb must hit it"
                (tmp_path / "measuring.png").write_bytes(page.picture())
            time.sleep(0.05)
        report = running.result(60)
    assert seen_running
    assert page.value(STATE) in ("good", "doubt")
    assert_fits(page)
    (tmp_path / "result.png").write_bytes(page.picture())
    text = page.value(TEXT)
    assert str(report.verdict.judgement) in text
    assert report.verdict.findings[0].reason[1:20] in text
    assert f"{NAME}@wasm" in text
    assert page.value(BUTTON) is None
    assert set(page.complaints) <= {"No available adapters."}, "which Chromium says where there is no WebGPU"
