"""A browser as a device among others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from condmix.deploy.browser.address import LOOPBACK, Address
from condmix.deploy.browser.errors import BrowserError
from condmix.deploy.browser.packages import engine_files
from condmix.deploy.browser.run import WAIT_SECONDS, run_in_browser
from condmix.deploy.devices.device import DeviceFacts, Say, silent
from condmix.deploy.measure.plan import BenchPlan
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.settings import BenchSettings


class BrowserDevice:
    """Whatever browser opens the address. on_address: is given it at each run."""

    def __init__(
        self,
        *,
        on_address: Callable[[Address], None],
        name: str = "browser",
        bind: str = LOOPBACK,
        port: int = 0,
        all_cores: bool = True,
        webgpu: bool = True,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        """wait_seconds: for somebody to open the page."""
        self._on_address = on_address
        self._name = name
        self._bind, self._port = bind, port
        self._all_cores, self._webgpu = all_cores, webgpu
        self._wait_seconds = wait_seconds

    @property
    def name(self) -> str:
        """Under which it is spoken of."""
        return self._name

    def probe(self) -> DeviceFacts | None:
        """None: what a browser is it only tells once it has opened the page of a run; that is in the report."""
        return None

    def prepare(self, engines: Sequence[str], say: Say = silent) -> None:
        """The engines are in the cache of this side; the page fetches them from here. Raises BrowserError."""
        del engines  # the page decides by its files; all are small enough to have
        engine_files(report_progress=say)

    def run(
        self,
        plan: BenchPlan,
        settings: BenchSettings,
        *,
        command: Sequence[str] = (),
        say: Say = silent,
        stop: threading.Event | None = None,
    ) -> BenchReport:
        """The report of the browser that opens the address. Raises BrowserError."""
        try:
            return run_in_browser(
                plan.subjects,
                settings,
                on_address=self._on_address,
                inputs=plan.inputs,
                references=plan.references,
                bind=self._bind,
                port=self._port,
                all_cores=self._all_cores,
                webgpu=self._webgpu,
                command=command,
                report_progress=lambda progress: say(f"{self._name}: {progress.sentence()}"),
                stop=stop,
                wait_seconds=self._wait_seconds,
            )
        except BrowserError as error:
            raise error.of(self._name) from error

    def clean(self) -> str:
        """Nothing is kept in a browser: every answer forbids it."""
        return f"{self._name}: nothing was kept there, close the page"

    def close(self) -> None:
        """Nothing is open between runs."""
