import threading
from pathlib import Path

import pytest

from condmix.deploy.browser import device as module
from condmix.deploy.browser.device import BrowserDevice
from condmix.deploy.browser.errors import BrowserError
from condmix.deploy.devices.device import Device
from condmix.deploy.measure.plan import BenchPlan
from condmix.runtime.bench.run import Progress
from tests.deploy.browser.pieces import SETTINGS, onnx_subject, reference


def test_it_is_a_device_that_measures_with_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device: Device = BrowserDevice(on_address=print, bind="0.0.0.0", port=8123)
    seen: list[tuple] = []
    monkeypatch.setattr(module, "run_in_browser", lambda *given, **named: seen.append((given, named)))
    monkeypatch.setattr(module, "engine_files", lambda **named: seen.append(((), named)))
    subject = onnx_subject(tmp_path)
    plan = BenchPlan(subjects=(subject,), inputs={}, references={"net": reference()}, notes=())
    stop = threading.Event()
    device.prepare(("onnxruntime",))
    device.run(plan, SETTINGS, command=("condmix",), stop=stop)
    (_, prepared), (given, named) = seen
    assert set(prepared) == {"report_progress"}
    assert given == ((subject,), SETTINGS)
    assert (named["bind"], named["port"], named["stop"], named["command"]) == ("0.0.0.0", 8123, stop, ("condmix",))
    assert set(named["references"]) == {"net"}
    assert named["wait_seconds"] == module.WAIT_SECONDS


def test_two_browsers_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = BrowserError("waiting for the browser", "nobody came", "Open it.")

    def fails(*_given: object, report_progress: object, **_named: object) -> None:
        report_progress(Progress(stage="opening", part=0.5))
        raise error

    monkeypatch.setattr(module, "run_in_browser", fails)
    plan = BenchPlan(subjects=(onnx_subject(tmp_path),), inputs={}, references={}, notes=())
    said: list[str] = []
    with pytest.raises(BrowserError, match=r"^tablet: waiting for the browser: nobody came. Open it.$"):
        BrowserDevice(on_address=print, name="tablet").run(plan, SETTINGS, say=said.append)
    assert said == ["tablet: opening (50%)"]


def test_what_a_browser_cannot_tell_is_not_asked() -> None:
    device = BrowserDevice(on_address=print)
    assert device.probe() is None, "only when it has opened the page"
    assert device.clean() == "browser: nothing was kept there, close the page"
    device.close()
