"""The command line of ssh, and what its failures are told as."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from condmix.deploy.devices.address import parse_address
from condmix.deploy.devices.channel import agent_source, loader
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.ssh import ssh_command, ssh_device
from tests.deploy.devices.boards import Board


def test_the_users_config_decides_what_the_address_leaves_out():
    command = ssh_command(parse_address("ssh://board"), "true")
    assert command[0] == "ssh"
    assert command[-3:] == ["--", "board", "true"]
    assert "-p" not in command
    assert "-l" not in command
    assert "BatchMode=yes" in command
    command = ssh_command(parse_address("ssh://pi@board:2222"), "true", options=("-F", "config"))
    assert command[command.index("-p") + 1] == "2222"
    assert command[command.index("-l") + 1] == "pi"
    assert command[command.index("-F") + 1] == "config"


def test_the_line_for_the_board_survives_every_shell():
    for base in ("", "/var/tmp/it's $HOME `x` \\ !"):
        line = loader(base)
        assert not set(line) & set("'!\n\\`$")
        assert shlex.split(f"python3 -c {shlex.quote(line)}") == ["python3", "-c", line]


def test_the_agent_is_one_text_without_condmix():
    source = agent_source().decode()
    compile(source, "agent", "exec")
    assert "condmix.deploy" not in source
    assert source.count("from __future__") == 1


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        ("Permission denied (publickey).", 255, r"ssh says: Permission denied .* `ssh -p 7 pi@board` work without one"),
        ("Host key verification failed.", 255, r"Its key is not known here: connect once with `ssh -p 7 pi@board`"),
        ("Could not resolve hostname board", 255, r"Check the name, or give the device's number"),
        ("connect to host board port 7: Connection timed out", 255, r"Check that it is on and in the same network"),
        ("sh: 1: exec: python3: not found", 127, r"python3 is not there: .*sudo apt-get install python3"),
        ("", 255, r"connect: the connection was lost\. Check the network"),
        ("SyntaxError: invalid syntax", 1, r"the agent there ended with exit code 1: SyntaxError"),
    ],
)
def test_failures_name_the_device_the_step_and_what_to_do(board: Board, words: str, code: int, expected: str):
    board.behave(f"echo {shlex.quote(words)} >&2\nexit {code}")
    address = parse_address("ssh://pi@board:7")
    device = ssh_device(address, name="pi", cache=board.cache)
    with pytest.raises(DeviceError, match=rf"^pi: connect: .*{expected}|^pi: {expected}"):
        device.probe()
    device.close()


def test_no_ssh_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"pi: connect: there is no ssh on the PATH\. Install the OpenSSH client"):
        ssh_device(parse_address("ssh://board"), name="pi", cache=tmp_path).probe()
