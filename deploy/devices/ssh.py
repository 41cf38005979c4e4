"""Boards by the OpenSSH command line, with the user's own keys and config: one connection for a whole session.

All that goes to and fro is one process's pipes. So nothing is to be shared between connections (ControlMaster), and a
cut link is the end of the agent's input, at which it leaves nothing behind.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from condmix.deploy.devices.address import Address
from condmix.deploy.devices.agent_device import AgentDevice
from condmix.deploy.devices.channel import SILENCE_SECONDS, Channel, loader
from condmix.deploy.devices.errors import DeviceError

# -T and no escape character: what goes through are bytes. A shared connection of the user's may be stale.
_OPTIONS = (
    ("BatchMode", "yes"),
    ("ConnectTimeout", "15"),
    ("ServerAliveInterval", "5"),
    ("ServerAliveCountMax", "3"),
    ("ControlMaster", "no"),
    ("ControlPath", "none"),
    ("RequestTTY", "no"),
    ("ForwardX11", "no"),
    ("ForwardAgent", "no"),
    ("ClearAllForwardings", "yes"),
)
_LOST = 255
_NOT_FOUND = 127
_KNOWN = (
    ("Host key verification failed", "Its key is not known here: connect once with `{ssh}` and compare the key."),
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "Its key is another one than before: see why, then `ssh-keygen -R`."),
    (
        "Permission denied",
        "Passwords are not asked for: make `{ssh}` work without one (ssh-copy-id, ssh-agent, IdentityFile).",
    ),
    ("Could not resolve hostname", "Check the name, or give the device's number."),
    ("Connection refused", "Start its ssh server, and check the port."),
    ("timed out", "Check that it is on and in the same network."),
    ("No route to host", "Check that it is on and in the same network."),
    ("Bad configuration option", "Correct ~/.ssh/config."),
)


def ssh_command(address: Address, remote: str, *, options: Sequence[str] = ()) -> list[str]:
    """What runs the shell line `remote` there. options: more of ssh's own, before ours."""
    command = ["ssh", "-T", "-e", "none", *options]
    for name, value in _OPTIONS:
        command += ["-o", f"{name}={value}"]
    command += [] if address.port is None else ["-p", str(address.port)]
    command += [] if address.user is None else ["-l", address.user]
    return [*command, "--", str(address.host), remote]


def ssh_device(
    address: Address,
    *,
    name: str,
    cache: Path,
    architecture: str | None = None,
    options: Sequence[str] = (),
    python: str = "python3",
    base: str = "",
    silence_seconds: float = SILENCE_SECONDS,
) -> AgentDevice:
    """The board; it is not reached for yet. base: the folder there, instead of ~/.cache/condmix-device."""

    def connect() -> Channel:
        if shutil.which("ssh") is None:
            raise DeviceError(name, "connect", "there is no ssh on the PATH", "Install the OpenSSH client.")
        remote = f"exec {shlex.quote(python)} -c {shlex.quote(loader(base))}"
        command = ssh_command(address, remote, options=options)
        return Channel(name, command, explain=explainer(address, python), silence_seconds=silence_seconds)

    return AgentDevice(name, connect, cache=cache, architecture=architecture)


def explainer(address: Address, python: str) -> Callable[[int, str], tuple[str, str]]:
    def explain(code: int, words: str) -> tuple[str, str]:
        """What happened, and what to do."""
        said = " ".join(words.split())[-300:]
        for sign, next_step in _KNOWN:
            if sign in words:
                return f"ssh says: {said}", next_step.format(ssh=_plain(address))
        if code == _NOT_FOUND:
            return f"{python} is not there: {said}", "Install it on the device: sudo apt-get install python3."
        if code in (_LOST, -9):
            lost = "the connection was lost" + (f": {said}" if said else "")
            return lost, "Check the network and run it again; what was running there has ended, with its files."
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        text = f"the agent there ended with {how}" + (f": {said}" if said else "")
        return text, "Run it again; whatever it left is removed when the next session begins."

    return explain


def _plain(address: Address) -> str:
    port = "" if address.port is None else f" -p {address.port}"
    user = "" if address.user is None else f"{address.user}@"
    return f"ssh{port} {user}{address.host}"
