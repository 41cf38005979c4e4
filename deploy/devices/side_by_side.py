"""Several devices at once, a thread for each; what happens to one does not touch the others."""

from __future__ import annotations

import contextlib
import datetime
import threading
from collections.abc import Callable, Sequence

from condmix.deploy.devices.device import Device, DeviceFacts, Say, silent
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.result import DeviceOutcome, DevicesResult
from condmix.deploy.failures import describe
from condmix.deploy.measure.plan import BenchPlan
from condmix.deploy.metadata import condmix_version
from condmix.runtime.bench.settings import BenchSettings

_WAIT_SECONDS = 0.2


def measure_side_by_side(
    devices: Sequence[tuple[str, Device]],
    plan: BenchPlan,
    settings: BenchSettings,
    *,
    command: Sequence[str] = (),
    say: Say = silent,
) -> DevicesResult:
    """One outcome for each (address, device), in their order. Ctrl-C ends all of them with what they have.

    A session that is over is closed, whatever came of it.
    """
    stop = threading.Event()
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    speaking = threading.Lock()

    def tell(text: str) -> None:
        with speaking:
            say(text)

    def measure(address: str, device: Device) -> DeviceOutcome:
        return _outcome(address, device, lambda: device.run(plan, settings, command=command, say=tell, stop=stop))

    found = together([_bound(measure, address, device) for address, device in devices], stop)
    return DevicesResult(
        condmix_version=condmix_version(),
        created=created,
        command=tuple(command),
        outcomes=tuple(found),
    )


def together(jobs: Sequence[Callable[[], DeviceOutcome]], stop: threading.Event) -> list[DeviceOutcome]:
    """What each returns, in order. Ctrl-C sets `stop` and waits for all; a second one gives up."""
    found: dict[int, DeviceOutcome] = {}
    ended = [threading.Event() for _ in jobs]

    def work(place: int) -> None:
        try:
            found[place] = jobs[place]()
        finally:
            ended[place].set()

    threads = [threading.Thread(target=work, args=(place,), daemon=True) for place in range(len(jobs))]
    try:
        _finish(threads, ended)
    except KeyboardInterrupt:
        stop.set()
        _finish(threads, ended)
    return [found[place] for place in range(len(jobs))]


def _finish(threads: Sequence[threading.Thread], ended: Sequence[threading.Event]) -> None:
    """All have run; those that an interruption left out are started first, and find that they are to stop."""
    for thread in threads:
        if thread.ident is None:
            thread.start()
    # Not Thread.join: before Python 3.13 one that Ctrl-C interrupts takes a running thread for one that has ended.
    for one in ended:
        while not one.wait(_WAIT_SECONDS):
            pass  # so that Ctrl-C is heard even when it comes just before the waiting


def _bound(
    measure: Callable[[str, Device], DeviceOutcome], address: str, device: Device
) -> Callable[[], DeviceOutcome]:
    return lambda: measure(address, device)


def _outcome(address: str, device: Device, run: Callable[[], object]) -> DeviceOutcome:
    from condmix.runtime.bench.report import BenchReport

    facts: DeviceFacts | None = None
    try:
        facts = device.probe()
        report = run()
        assert isinstance(report, BenchReport)
    except DeviceError as error:
        return DeviceOutcome(
            name=device.name, address=address, facts=facts, report=None, failure=str(error), step=error.step
        )
    except Exception as error:  # noqa: BLE001 - one device must not take the others' results with it
        _, text = describe(error)
        failure = f"{device.name}: {text}"
        return DeviceOutcome(name=device.name, address=address, facts=facts, report=None, failure=failure)
    else:
        return DeviceOutcome(name=device.name, address=address, facts=facts, report=report, failure=None)
    finally:
        with contextlib.suppress(DeviceError):
            device.close()
