"""The user's own benchmark_model or onnxruntime_perf_test on a board: one ssh, in which all is brought, run, removed.

The board needs sh, tar and sha256sum, and no Python.
"""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from typing import IO

from condmix.deploy.devices.address import Address
from condmix.deploy.devices.device import Say, silent
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.ssh import explainer, ssh_command
from condmix.deploy.devices.tool_result import ToolResult, ToolRun, of_another_cpu, sha256_of, tool_result

SECTION = "board"
_RUN_SECONDS = 1800.0
_SUMS = "condmix-sums"
_NOT_UNPACKED, _NOT_SOUND, _RAN = 90, 91, 92
_NOT_PINNED = "the cores it ran on were not chosen, and the board was not cooled down first"
# Whatever ends the shell, the folder goes: at a cut link the tool ends as it prints, and then the shell.
_SCRIPT = """
d=$(mktemp -d "${{TMPDIR:-/tmp}}/condmix-tool-XXXXXX") || exit {not_unpacked}
trap 'cd /; rm -rf "$d"' EXIT
trap 'exit 129' HUP INT TERM PIPE
cd "$d" && tar xf - || exit {not_unpacked}
sha256sum -c {sums} >/dev/null 2>&1 || exit {not_sound}
chmod 700 {binary}
echo "machine=$(uname -m)"
echo "system=$(uname -sr)"
echo "kernel=$(cat /proc/sys/kernel/arch 2>/dev/null)"
echo "model=$(tr -d '\\0' </proc/device-tree/model 2>/dev/null)"
echo "governor=$(cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor 2>/dev/null)"
echo "load=$(cat /proc/loadavg 2>/dev/null)"
echo "temperature=$(cat /sys/class/thermal/thermal_zone0/temp 2>/dev/null)"
echo
LD_LIBRARY_PATH="$d" {command} 2>&1
echo "condmix-code=$?"
exit {ran}
"""
_ENDING = re.compile(r"condmix-code=(\d+)\n?\Z")


def run_own_binary_by_ssh(
    address: Address, run: ToolRun, *, name: str, options: Sequence[str] = (), say: Say = silent
) -> ToolResult:
    """What the tool printed for that file; nothing of it is left on the board. Raises DeviceError.

    options: more of ssh's own.
    """
    tool = run.check(name)
    if shutil.which("ssh") is None:
        raise DeviceError(name, "connect", "there is no ssh on the PATH", "Install the OpenSSH client.")
    command = run.command()
    script = _SCRIPT.format(
        not_unpacked=_NOT_UNPACKED, not_sound=_NOT_SOUND, ran=_RAN, sums=_SUMS,
        binary=shlex.quote(run.binary.name), command=command,
    )  # fmt: skip
    say(f"{name}: {tool} runs {run.file.name}")
    content = script.encode()
    # No login shell of whatever kind has to read the script, and nothing reads beyond it into the archive.
    remote = f"exec sh -c 'eval \"$(dd bs=1 count={len(content)} 2>/dev/null)\"'"
    with tempfile.TemporaryFile() as brought:
        brought.write(content)
        _pack(run, brought)
        brought.seek(0)
        try:
            done = subprocess.run(
                ssh_command(address, remote, options=options),
                stdin=brought,
                capture_output=True,
                timeout=_RUN_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            found = f"{tool} had not finished after {_RUN_SECONDS:g} s"
            raise DeviceError(name, "measure", found, "Ask it for fewer runs with --runs.") from error
    said, words = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    if done.returncode == _NOT_UNPACKED:
        found = f"it cannot be unpacked there: {' '.join(words.split())[-300:] or 'without a word'}"
        raise DeviceError(name, "push", found, "Free space in /tmp there, or name another folder with TMPDIR.")
    if done.returncode == _NOT_SOUND:
        raise DeviceError(name, "push", "what arrived is not what was sent", "Run it again; nothing is left there.")
    head, _, output = said.partition("\n\n")
    ending = _ENDING.search(output)
    if done.returncode != _RAN or ending is None:
        found, next_step = explainer(address, "sh")(done.returncode, words)
        raise DeviceError(name, "measure", found, next_step)
    facts = {key: value.strip() or None for key, _, value in (line.partition("=") for line in head.splitlines())}
    return tool_result(
        run,
        device=name,
        command=command,
        code=int(ending[1]),
        output=output[: ending.start()],
        lacking=(_NOT_PINNED,),
        emulated=of_another_cpu(facts.get("machine") or "", facts.get("kernel")),
        sections={SECTION: facts},
    )


def _pack(run: ToolRun, stream: IO[bytes]) -> None:
    """A tar archive of what is brought, with the hashes that it must have there."""
    sums = "".join(f"{sha256_of(one)}  {one.name}\n" for one in run.brought).encode()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        head = tarfile.TarInfo(_SUMS)
        head.size = len(sums)
        archive.addfile(head, io.BytesIO(sums))
        for one in run.brought:
            entry = tarfile.TarInfo(one.name)
            entry.size, entry.mode = one.stat().st_size, 0o600
            with one.open("rb") as content:
                archive.addfile(entry, content)
