"""A certificate of its own for one run: browsers give threads and WebGPU to https or localhost only."""

from __future__ import annotations

import datetime
import hashlib
import importlib
import ipaddress
import shutil
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.browser.errors import BrowserError

STEP = "making a certificate"
DAYS = 2
NAME = "condmix"
KEY, CERTIFICATE = "key.pem", "certificate.pem"
_OPENSSL_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Two files in PEM. fingerprint: SHA-256 of the certificate, as browsers show it."""

    certificate: Path
    key: Path
    fingerprint: str

    def context(self) -> ssl.SSLContext:
        """For a server, TLS 1.2 or newer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_certificate(
    folder: Path, hosts: tuple[str, ...], *, openssl: Callable[[], str | None] | None = None
) -> Certificate:
    """A self-signed certificate for these addresses lies in the folder, valid for two days.

    By the openssl command, else by the package `cryptography`; openssl: where the command is, None without one.
    Raises BrowserError when there is neither.
    """
    command = shutil.which("openssl") if openssl is None else openssl()
    if command is not None:
        _by_openssl(command, folder, hosts)
    else:
        _by_cryptography(folder, hosts)
    (folder / KEY).chmod(0o600)
    der = ssl.PEM_cert_to_DER_cert((folder / CERTIFICATE).read_text())
    digest = hashlib.sha256(der).hexdigest().upper()
    fingerprint = ":".join(digest[place : place + 2] for place in range(0, len(digest), 2))
    return Certificate(certificate=folder / CERTIFICATE, key=folder / KEY, fingerprint=fingerprint)


def _alternative_names(hosts: tuple[str, ...]) -> str:
    return ",".join(f"{'IP' if _is_address(host) else 'DNS'}:{host}" for host in hosts)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _by_openssl(command: str, folder: Path, hosts: tuple[str, ...]) -> None:
    arguments = [
        command,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-sha256",
    ]
    arguments += [
        "-days",
        str(DAYS),
        "-subj",
        f"/CN={NAME}",
        "-keyout",
        str(folder / KEY),
        "-out",
        str(folder / CERTIFICATE),
    ]
    arguments += ["-addext", f"subjectAltName={_alternative_names(hosts)}", "-addext", "extendedKeyUsage=serverAuth"]
    arguments += ["-addext", "basicConstraints=critical,CA:FALSE"]  # nobody can be vouched for with it
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, timeout=_OPENSSL_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrowserError(STEP, f"openssl: {error}", "Check the installation of openssl.") from error
    if done.returncode != 0:
        words = " ".join(done.stderr.split())[-300:]
        raise BrowserError(
            STEP, f"openssl ended with exit code {done.returncode}: {words}", "openssl 1.1.1 or newer is needed."
        )


def _by_cryptography(folder: Path, hosts: tuple[str, ...]) -> None:
    try:
        x509 = importlib.import_module("cryptography.x509")
        hashes = importlib.import_module("cryptography.hazmat.primitives.hashes")
        serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
        ec = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ec")
    except ImportError as error:
        next_step = (
            "Install openssl (Debian: apt-get install openssl) or `pip install cryptography`, "
            "or leave --bind out and use a cable: adb reverse."
        )
        raise BrowserError(
            STEP, "there is neither the openssl command nor the package 'cryptography'", next_step
        ) from error
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.IPAddress(ipaddress.ip_address(host)) if _is_address(host) else x509.DNSName(host) for host in hosts]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / CERTIFICATE).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / KEY).touch(mode=0o600)
    (folder / KEY).write_bytes(private)
