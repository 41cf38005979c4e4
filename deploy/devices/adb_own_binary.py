"""The user's own benchmark_model or onnxruntime_perf_test on a phone."""

from __future__ import annotations

import contextlib
import secrets
import shlex
import threading
from pathlib import Path, PurePosixPath

from condmix.deploy.devices.adb import FOLDER, AdbDevice
from condmix.deploy.devices.device import Say, silent
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_conditions import conditions
from condmix.deploy.devices.phone_cores import choose_cores
from condmix.deploy.devices.phone_install import PARTIAL
from condmix.deploy.devices.phone_report import EXPERIMENTAL, SECTION
from condmix.deploy.devices.tool_result import ToolResult, ToolRun, of_another_cpu, sha256_of, tool_result

_PUSH_SECONDS, _RUN_SECONDS = 600.0, 1800.0
_KERNEL = "cat /proc/sys/kernel/arch"
_NOT_PINNED = "the cores it ran on were not chosen"


def run_own_binary(
    device: AdbDevice, run: ToolRun, *, say: Say = silent, stop: threading.Event | None = None
) -> ToolResult:
    """What the tool printed for that file; nothing of it is left on the phone. Raises DeviceError."""
    tool = run.check(device.name)
    client, phone = device.client, device.phone
    cores = choose_cores(phone.cores, device.settings.cores, run.threads, device=device.name)
    place = FOLDER / f"{PARTIAL}{secrets.token_hex(4)}"
    remove = f"rm -rf {place}"
    device.guard.remember(remove)
    try:
        client.demand(f"mkdir -m 700 {place}", step="push", next_step="Free space on /data of the phone.")
        for one in run.brought:
            say(f"{device.name}: bringing {one.name}")
            _push(device, one, place / one.name)
        pinned = bool(cores) and client.shell("command -v taskset", step="probe").code == 0
        kernel = client.shell(_KERNEL, step="probe")
        command = run.command()
        if pinned:
            command = f"taskset {sum(1 << core for core in cores):x} {command}"
        script = f"cd {place} && chmod 700 {shlex.quote(run.binary.name)} && LD_LIBRARY_PATH={place} {command} 2>&1"
        with conditions(client, device.guard, device.settings, say=say, stop=stop) as found:
            say(f"{device.name}: {tool} runs {run.file.name}")
            done = client.shell(script, step="measure", timeout_seconds=_RUN_SECONDS)
    finally:
        with contextlib.suppress(DeviceError):
            client.shell(remove, step="restore")
    return tool_result(
        run,
        device=device.name,
        command=command,
        code=done.code,
        output=done.stdout,
        cores=cores if pinned else (),
        lacking=() if pinned else (_NOT_PINNED,),
        caution=EXPERIMENTAL,
        emulated=kernel.code == 0 and of_another_cpu(phone.machine, kernel.stdout.strip()),
        sections={
            SECTION: {
                "experimental": True,
                "facts": phone.to_dict(),
                "before": found.before.to_dict(),
                "cooling": found.cooling.to_dict(),
                "fixed_performance": found.performance,
            }
        },
    )


def _push(device: AdbDevice, source: Path, target: PurePosixPath) -> None:
    client = device.client
    client.push(source, target, step="push", timeout_seconds=_PUSH_SECONDS)
    counted = client.shell(f"sha256sum {shlex.quote(str(target))}", step="push")
    if counted.code == 0 and counted.stdout.split()[:1] != [sha256_of(source)]:
        found = f"{source.name} arrived with another content than was sent"
        raise DeviceError(device.name, "push", found, "Run it again; nothing is left on the phone.")
