"""Several devices at once: each has its outcome, whatever happens to the others."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import replace

from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.side_by_side import measure_side_by_side
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.measure.plan import BenchPlan
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.settings import BenchSettings
from tests.deploy.devices.devices import ActedDevice
from tests.runtime.bench.reports import make_report

PLAN = BenchPlan(subjects=(), inputs={}, references={}, notes=())
SETTINGS = BenchSettings()


def refuse(_stop: threading.Event) -> BenchReport:
    name = "b"
    raise DeviceError(name, "push", "the link is gone", "Mend it.")


def break_down(_stop: threading.Event) -> BenchReport:
    raise ZeroDivisionError


def test_one_that_fails_does_not_take_the_others_with_it():
    devices = [
        ActedDevice("a", lambda _stop: make_report()),
        ActedDevice("b", refuse),
        ActedDevice("c", break_down),
        ActedDevice("d", lambda _stop: make_report()),
    ]
    said: list[str] = []
    result = measure_side_by_side(
        [(f"ssh://{device.name}", device) for device in devices], PLAN, SETTINGS, command=("bench",), say=said.append
    )
    assert [(one.name, one.address) for one in result.outcomes] == [(name, f"ssh://{name}") for name in "abcd"]
    assert set(result.reports) == {"a", "d"}
    assert result.failures["b"] == "b: push: the link is gone. Mend it."
    assert result.failures["c"].startswith("c: unexpected: ZeroDivisionError")
    assert result.outcomes[1].step == "push"
    assert result.outcomes[1].facts is not None
    assert result.exit_code is ExitCode.MISSING
    assert [device.closed for device in devices] == [1, 1, 1, 1]
    assert result.command == ("bench",)
    assert sorted(said) == [f"{name}: 0 0 1" for name in "abcd"]


def test_they_run_at_the_same_time():
    meeting = threading.Barrier(3, timeout=10)

    def meet(_stop: threading.Event) -> BenchReport:
        meeting.wait()
        return make_report()

    result = measure_side_by_side([(name, ActedDevice(name, meet)) for name in "abc"], PLAN, SETTINGS)
    assert len(result.reports) == 3


def test_ctrl_c_stops_all_and_keeps_what_they_have():
    def press(stop: threading.Event) -> BenchReport:
        number = threading.main_thread().ident
        assert number is not None
        signal.pthread_kill(number, signal.SIGINT)
        assert stop.wait(10)
        return replace(make_report(), interrupted="interrupted by Ctrl-C")

    result = measure_side_by_side([("a", ActedDevice("a", press))], PLAN, SETTINGS)
    assert result.outcomes[0].report is not None
    assert result.exit_code is ExitCode.INTERRUPTED


def test_ctrl_c_waits_for_one_that_needs_a_moment_to_end():
    def press(stop: threading.Event) -> BenchReport:
        number = threading.main_thread().ident
        assert number is not None
        time.sleep(0.1)  # the other thread is in the middle of its waiting
        signal.pthread_kill(number, signal.SIGINT)
        assert stop.wait(10)
        time.sleep(0.3)
        return replace(make_report(), interrupted="interrupted by Ctrl-C")

    result = measure_side_by_side([("a", ActedDevice("a", press))], PLAN, SETTINGS)
    assert result.exit_code is ExitCode.INTERRUPTED
