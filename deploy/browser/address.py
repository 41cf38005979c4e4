"""Where the page is found: what is bound, what a phone has to open, and which Host headers are ours."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
# An address that is kept for documentation: nothing is sent, the system only says by which way it would go.
_ELSEWHERE = ("192.0.2.1", 9)


@dataclass(frozen=True, kw_only=True)
class Address:
    """Of one run. url: with the token, to be opened once. secure: https. fingerprint: of its certificate.

    adb_command: what makes the same address work on a phone that hangs on the cable; None where it cannot.
    """

    url: str
    port: int
    secure: bool
    fingerprint: str | None = None
    adb_command: str | None = None

    def lines(self, qr: Callable[[str], str | None]) -> list[str]:
        """For a terminal, the QR code first where there is one."""
        picture = qr(self.url)
        found = [] if picture is None else picture.splitlines()
        found.append(f"open on the phone: {self.url}")
        if self.secure:
            found.append("its certificate is this run's own: the browser warns once, go on if it shows the fingerprint")
            found.append(f"  SHA-256 {self.fingerprint}")
        if self.adb_command is not None:
            found.append(f"for a phone on the cable, first: {self.adb_command}")
        return found


def is_loopback(bind: str) -> bool:
    """Nobody but this machine can reach what is bound there."""
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"


def is_everywhere(bind: str) -> bool:
    """It stands for all addresses of this machine."""
    return bind in ("", "0.0.0.0", "::")


def own_address() -> str:
    """The address under which others of the same network find this machine; loopback where there is no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
            return str(probe.getsockname()[0])
        except OSError:
            return LOOPBACK


def shown_host(bind: str, own: Callable[[], str] = own_address) -> str:
    """The host in the address that is printed, an IPv6 one in brackets."""
    host = own() if is_everywhere(bind) else bind
    return f"[{host}]" if ":" in host else host


def is_own_host(host: str | None, *, reached: str, port: int, secure: bool) -> bool:
    """Whether a Host header names this server by an address, and not by a name that somebody made to point here.

    reached: the address of this machine that the connection came in on.
    """
    if host is None:
        return False
    name, number = host.lower(), 443 if secure else 80
    head, colon, tail = name.rpartition(":")
    if colon and tail.isascii() and tail.isdigit() and not head.endswith(":"):
        name, number = head, int(tail)
    numeric = reached.removeprefix("::ffff:")
    own = {numeric, f"[{numeric}]" if ":" in numeric else numeric}
    return number == port and (name in own or (is_loopback(numeric) and name in _LOOPBACK_NAMES))
