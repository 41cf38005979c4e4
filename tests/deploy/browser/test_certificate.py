import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from condmix.deploy.browser import certificate as module
from condmix.deploy.browser.certificate import make_certificate
from condmix.deploy.browser.errors import BrowserError

HOSTS = ("192.0.2.7", "127.0.0.1", "localhost")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")
def test_openssl_makes_one_that_a_client_can_check(tmp_path: Path) -> None:
    made = make_certificate(tmp_path, HOSTS)
    assert re.fullmatch(r"([0-9A-F]{2}:){31}[0-9A-F]{2}", made.fingerprint)
    assert made.key.stat().st_mode & 0o077 == 0
    client = ssl.create_default_context(cafile=made.certificate)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        server = threading.Thread(target=_serve, args=(made.context(), theirs))
        server.start()
        with client.wrap_socket(ours, server_hostname="192.0.2.7") as secured:
            found = secured.getpeercert()
        server.join(10)
    assert ("IP Address", "192.0.2.7") in found["subjectAltName"]
    assert ("DNS", "localhost") in found["subjectAltName"]


def _serve(context: ssl.SSLContext, connection: socket.socket) -> None:
    with context.wrap_socket(connection, server_side=True):
        pass


def test_without_either_the_next_step_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(BrowserError, match=r"neither.*Install openssl.*adb reverse") as caught:
        make_certificate(tmp_path, HOSTS, openssl=lambda: None)
    assert caught.value.step == module.STEP


def test_openssl_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrowserError, match="No such file"):
        make_certificate(tmp_path, HOSTS, openssl=lambda: str(tmp_path / "missing"))
    old = subprocess.CompletedProcess([], 1, "", "unknown option -addext")
    monkeypatch.setattr(module.subprocess, "run", lambda *_arguments, **_choices: old)
    with pytest.raises(BrowserError, match=r"unknown option -addext.*1\.1\.1"):
        make_certificate(tmp_path, HOSTS, openssl=lambda: "openssl")


def test_the_package_makes_one_too(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="the package cryptography is not installed")
    made = make_certificate(tmp_path, HOSTS, openssl=lambda: None)
    assert made.context() is not None
    assert made.key.stat().st_mode & 0o077 == 0
