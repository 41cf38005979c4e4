"""A headless Chromium that opens the page of a measurement, as a person would."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from condmix.deploy.browser.address import Address
from condmix.deploy.browser.errors import BrowserError
from condmix.deploy.browser.packages import engine_files
from condmix.deploy.browser.run import run_in_browser
from condmix.runtime.bench.reference import Reference
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import BenchSubject

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# --no-sandbox: within a container Chromium has no sandbox of its own to start.
FLAGS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions")
NO_GPU = ("--disable-gpu",)
SOFTWARE_GPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan")


def chromium_and_engines() -> dict[str, Path]:
    """The pinned engines, fetched once; the test is skipped where they or the browser cannot be had."""
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH (apt install chromium)")
    try:
        return engine_files()
    except BrowserError as error:
        pytest.skip(str(error))


def measured(
    subjects: Sequence[BenchSubject],
    settings: BenchSettings,
    profile: Path,
    flags: Sequence[str],
    *,
    references: Mapping[str, Reference],
    assets: Mapping[str, Path],
    **choices: Any,
) -> BenchReport:
    """The report of a Chromium that opens the address; its processes are gone afterwards."""
    started: list[subprocess.Popen[bytes]] = []
    log = (profile / "log.txt").open("wb")

    def opened(address: Address) -> None:
        assert CHROMIUM is not None
        command = [CHROMIUM, *FLAGS, *flags, f"--user-data-dir={profile / 'profile'}", "--enable-logging=stderr"]
        started.append(subprocess.Popen([*command, address.url], stdout=log, stderr=log, start_new_session=True))

    try:
        return run_in_browser(
            subjects,
            settings,
            on_address=opened,
            references=references,
            assets=assets,
            wait_seconds=60.0,
            silence_seconds=60.0,
            **choices,
        )
    finally:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
        log.close()
