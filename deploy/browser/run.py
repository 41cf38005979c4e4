"""A measurement in a browser: a page is served, a phone opens it, and its report comes back."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from condmix.deploy.browser.address import LOOPBACK, Address, is_everywhere, is_loopback, shown_host
from condmix.deploy.browser.certificate import Certificate, make_certificate
from condmix.deploy.browser.errors import BrowserError
from condmix.deploy.browser.packages import engine_files
from condmix.deploy.browser.server import BrowserServer
from condmix.deploy.browser.session import BrowserSession
from condmix.deploy.browser.subject_file import look_into
from condmix.runtime.bench.inputs import Inputs
from condmix.runtime.bench.reference import Reference
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.run import NOTHING, Progress
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import BenchSubject

WAIT_SECONDS = 900.0
SILENCE_SECONDS = 60.0
SUBJECT_SECONDS = 600.0
STOP_SECONDS = 60.0
ANSWER_SECONDS = 5.0
_STEP_SECONDS = 0.1
STEP = "waiting for the browser"


def _nobody(_anything: object) -> None:
    """Nobody wants to know."""


def run_in_browser(
    subjects: Sequence[BenchSubject],
    settings: BenchSettings,
    *,
    on_address: Callable[[Address], None],
    inputs: Inputs = NOTHING,
    references: Mapping[str, Reference] | None = None,
    bind: str = LOOPBACK,
    port: int = 0,
    https: bool | None = None,
    all_cores: bool = True,
    webgpu: bool = True,
    title: str | None = None,
    command: Sequence[str] = (),
    report_progress: Callable[[Progress], None] = _nobody,
    stop: threading.Event | None = None,
    wait_seconds: float = WAIT_SECONDS,
    silence_seconds: float = SILENCE_SECONDS,
    subject_seconds: float = SUBJECT_SECONDS,
    assets: Mapping[str, Path] | None = None,
) -> BenchReport:
    """The report of the browser that opened the address, in the record of every other device, judged on this side.

    Each subject runs on WASM with its threads, and its file besides on as many threads as there are cores (at most 4;
    `all_cores`) and on WebGPU (`webgpu`); subjects are renamed `<name>@wasm` and `<name>@webgpu`. What the browser does
    not offer is in sections["missing"] with the reason.

    on_address: is given the address once the page can be opened. port: 0 for any that is free.
    https: with a certificate of its own; None: where others than this machine can reach it, since browsers then give
    no threads and no WebGPU to http. wait_seconds: for the page to be opened. silence_seconds: without a sign of it.
    subject_seconds: for one answer of one subject. stop: when it is set the page hands in what it has. Ctrl-C does the
    same once a page is open (again to give up), else it is passed on. assets: name -> file of the engines.

    Raises InvalidSettingError, ModelUnreadableError, EngineMissingError before anything is served; then BrowserError.
    """
    looked_into = look_into(subjects, inputs=inputs, references=references or {}, seed=settings.seed)
    served = engine_files(report_progress=_stage(report_progress)) if assets is None else assets
    secure = not is_loopback(bind) if https is None else https
    session = BrowserSession(
        looked_into,
        settings,
        title=title or ", ".join(dict.fromkeys(one.file.name for one in subjects)),
        all_cores=all_cores,
        webgpu=webgpu,
        command=command,
        subject_seconds=subject_seconds,
        report_progress=report_progress,
    )
    with ExitStack() as stack:
        host = shown_host(bind)
        certificate = _certificate(stack, host) if secure else None
        context = None if certificate is None else certificate.context()
        server = BrowserServer(session, served, bind=bind, port=port, context=context)
        stack.callback(server.server_close)
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _STEP_SECONDS}, daemon=True)
        serving.start()
        stack.callback(server.shutdown)
        on_address(_address(session, host, server.server_address[1], bind, certificate))
        _wait(session, stop, wait_seconds=wait_seconds, silence_seconds=silence_seconds)
        # The page is still to get the answer that it shows.
        session.answered.wait(ANSWER_SECONDS)
    if session.report is None:
        assert session.error is not None
        raise session.error
    return session.report


def _stage(report_progress: Callable[[Progress], None]) -> Callable[[str], None]:
    return lambda stage: report_progress(Progress(stage=stage, part=0.0))


def _certificate(stack: ExitStack, host: str) -> Certificate:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="condmix-browser-")))
    return make_certificate(folder, tuple(dict.fromkeys((host.strip("[]"), LOOPBACK, "localhost"))))


def _address(session: BrowserSession, host: str, port: int, bind: str, certificate: Certificate | None) -> Address:
    secure = certificate is not None
    # A phone's own localhost, which `adb reverse` leads here, counts as secure without a certificate.
    by_cable = not secure and (is_loopback(bind) or is_everywhere(bind))
    return Address(
        url=f"{'https' if secure else 'http'}://{host}:{port}/{session.token}/",
        port=port,
        secure=secure,
        fingerprint=None if certificate is None else certificate.fingerprint,
        adb_command=f"adb reverse tcp:{port} tcp:{port}" if by_cable else None,
    )


def _wait(
    session: BrowserSession, stop: threading.Event | None, *, wait_seconds: float, silence_seconds: float
) -> None:
    """The session has ended. Raises BrowserError when no page comes or none is left, KeyboardInterrupt."""
    begin, stop_at = time.monotonic(), None
    while True:
        try:
            if session.ended.wait(_STEP_SECONDS):
                return
            if stop is not None and stop.is_set() and stop_at is None:
                if not session.is_claimed:
                    raise BrowserError(STEP, "it was stopped before any browser opened the address", "Start again.")
                session.stop("stopped from this side")
                stop_at = time.monotonic()
        except KeyboardInterrupt:
            if not session.is_claimed or stop_at is not None:
                raise
            session.stop("interrupted by Ctrl-C")
            stop_at = time.monotonic()
        if stop_at is not None and time.monotonic() - stop_at > STOP_SECONDS:
            reason = f"it was asked to stop and gave no report within {STOP_SECONDS:g} s"
            raise BrowserError(STEP, reason, "Close the page, and start again.")
        if not session.is_claimed:
            if time.monotonic() - begin > wait_seconds:
                reason = f"no browser opened the address within {wait_seconds:g} s"
                next_step = "Open it in time; a phone reaches another machine only with --bind, or by adb reverse."
                raise BrowserError(STEP, reason, next_step)
        elif session.silent_seconds() > silence_seconds:
            reason = f"the page gave no sign of life for {silence_seconds:g} s: it was closed, or the phone locked"
            raise BrowserError(STEP, reason, "Keep the page in front and the screen on, and start again.")
