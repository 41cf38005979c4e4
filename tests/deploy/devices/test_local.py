"""This machine as a device."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from condmix.deploy.devices import local
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.local import LocalDevice
from tests.deploy.devices.boards import BRIEF, onnx_plan


def test_it_knows_itself_and_its_engines_compute():
    device = LocalDevice()
    assert device.probe().libc == "glibc"
    device.prepare(["onnxruntime", "litert"])
    assert device.clean() == "local: nothing to remove"


def test_an_engine_that_does_not_compute_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(local, "probe", lambda *_: "it adds wrongly.")
    with pytest.raises(DeviceError, match=r"local: small inference: it adds wrongly; it adds wrongly\. Install"):
        LocalDevice().prepare(["onnxruntime", "litert"])


def test_stop_ends_it_with_what_it_has(tmp_path: Path):
    stop = threading.Event()

    def say(stage: str) -> None:
        if "round 3" in stage:
            stop.set()

    settings = replace(BRIEF, minimum_seconds=30.0)
    report = LocalDevice().run(onnx_plan(tmp_path), settings, say=say, stop=stop)
    assert report.interrupted is not None
    assert report.rounds >= 2
