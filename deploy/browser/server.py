"""The server of one page: its own files under a secret path, three bounded posts, and nothing else."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from socket import AF_INET, AF_INET6, socket
from typing import Any
from urllib.parse import urlsplit

from condmix.deploy.browser.address import is_own_host
from condmix.deploy.browser.errors import BrowserError
from condmix.deploy.browser.packages import served_content
from condmix.deploy.browser.session import BrowserSession, RefusedError
from condmix.runtime.errors import InvalidRecordError

STEP = "serving the page"
MOST_REPORT_BYTES = 64 << 20
MOST_SMALL_BYTES = 16 << 10
MOST_CONNECTIONS = 64
PATIENCE_SECONDS = 30.0
_SCRIPT = "text/javascript; charset=utf-8"
_SCRIPTS = ("page.js", "offers.js", "subject.js", "worker.js", "drawing.js", "detection.js")
_PAGE = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    **{
        name: (name, _SCRIPT)
        for name in ("page.js", "offers.js", "subject.js", "worker.js", "drawing.js", "detection.js")
    },
}
_KINDS = {
    ".mjs": "text/javascript; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".wasm": "application/wasm",
}
_BYTES = "application/octet-stream"
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY,
    # Both together isolate the page, without which there is no shared memory and so no threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class BrowserServer(ThreadingHTTPServer):
    """Serves one session until it is closed."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(
        self,
        session: BrowserSession,
        engine_files: Mapping[str, Path],
        *,
        bind: str,
        port: int,
        context: ssl.SSLContext | None = None,
        most_report_bytes: int = MOST_REPORT_BYTES,
    ) -> None:
        """It listens. Raises BrowserError when that address or port cannot be had."""
        self.session = session
        self.engine_files = dict(engine_files)
        self.context = context
        self.most_report_bytes = most_report_bytes
        self.address_family = AF_INET6 if ":" in bind else AF_INET
        self._slots = threading.BoundedSemaphore(MOST_CONNECTIONS)
        try:
            super().__init__((bind, port), BrowserHandler)
        except (OSError, OverflowError) as error:
            reason = f"{bind} port {port} cannot be bound: {getattr(error, 'strerror', None) or error}"
            raise BrowserError(STEP, reason, "Choose another --port, or an address of this machine.") from error

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, of which there is a limited number."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The handshake is a matter of that thread: a client that is slow with it holds nobody up."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """One connection is served, inside TLS where there is a certificate."""
        request.settimeout(PATIENCE_SECONDS)
        if self.context is None:
            super().finish_request(request, client_address)
            return
        try:
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
        except (ssl.SSLError, OSError):
            return  # a browser that does not trust the certificate yet hangs up

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """A connection that broke down is the client's matter; the time-out of the run tells if it was the page's."""


class BrowserHandler(BaseHTTPRequestHandler):
    """The answers of the server; each has the security headers and a length."""

    server: BrowserServer
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_SECONDS
    server_version = "condmix"
    sys_version = ""
    _too_long: str | None = None

    def do_GET(self) -> None:
        """One of the files of the page."""
        path = self._own_path()
        if path is None:
            return
        found = self._file(path)
        if found is None:
            self._refuse(404, "there is no such page")
            return
        self._answer(200, *found)

    def do_POST(self) -> None:
        """What the page tells."""
        path = self._own_path()
        if path is None:
            return
        session = self.server.session
        answers: dict[str, tuple[Callable[[object], dict[str, object]], int]] = {
            "claim": (session.claim, MOST_SMALL_BYTES),
            "progress": (session.progress, MOST_SMALL_BYTES),
            "report": (session.hand_in, self.server.most_report_bytes),
        }
        if path not in answers:
            self._refuse(404, "there is no such page")
            return
        answer, most = answers[path]
        data = self._json(most)
        if data is None:
            if path == "report" and self._too_long is not None:
                session.refuse(self._too_long)
                session.answered.set()
            return
        try:
            self._answer(200, _json_bytes(answer(data[0])), "application/json")
        except RefusedError as error:
            self._refuse(error.status, str(error))
        except InvalidRecordError as error:
            self._refuse(422, str(error))
        finally:
            if session.ended.is_set():
                session.answered.set()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the token is in every path."""

    def send_error(self, code: int, message: str | None = None, _explain: str | None = None) -> None:
        """What the standard library finds wrong is told like everything else."""
        self._refuse(code, message or "this request is not understood")

    def _own_path(self) -> str | None:
        """The path behind the token; None when it was refused: from elsewhere, or without the token."""
        host = self.headers.get("Host")
        secure = self.server.context is not None
        reached, port = self.connection.getsockname()[:2]
        if len(self.headers.get_all("Host", [])) != 1 or not is_own_host(
            host, reached=reached, port=port, secure=secure
        ):
            self._refuse(421, "this server is known by its address only")
            return None
        if self.command == "POST" and self.headers.get("Origin") != f"{'https' if secure else 'http'}://{host}":
            self._refuse(403, "only the page of this server may post")
            return None
        token, slash, path = urlsplit(self.path).path.removeprefix("/").partition("/")
        if not slash or not self.server.session.is_token(token):
            self._refuse(404, "there is no such page; an address is good for one report")
            return None
        return path

    def _file(self, path: str) -> tuple[bytes, str] | None:
        """(content, kind): the name is looked up and never joined to a folder."""
        if path in _PAGE:
            name, kind = _PAGE[path]
            return files("condmix.deploy.browser").joinpath(name).read_bytes(), kind
        folder, _, name = path.partition("/")
        session = self.server.session
        if folder == "assets" and name in self.server.engine_files:
            file = self.server.engine_files[name]
            return served_content(name, file.read_bytes()), _KINDS[file.suffix]
        if folder in ("model", "feeds") and name.isascii() and name.isdigit() and len(name) < 6:
            session.heard()
            content = session.model_content(int(name)) if folder == "model" else session.feeds_content(int(name))
            return None if content is None else (content, _BYTES)
        return None

    def _json(self, most: int) -> tuple[object] | None:
        """What was posted, in a tuple of one; None when it was refused."""
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") is not None or not (length.isascii() and length.isdigit()):
            self._refuse(411, "the length of what is posted must be stated")
            return None
        if self.headers.get_content_type() != "application/json":
            self._refuse(415, "only JSON is taken")
            return None
        if len(length) > 12 or int(length) > most:
            self._too_long = f"{length[:12]} bytes were posted, at most {most} are taken"
            self._refuse(413, self._too_long)
            return None
        content = self.rfile.read(int(length))
        if len(content) != int(length):
            self._refuse(400, "the post ended early")
            return None
        try:
            return (json.loads(content, parse_constant=_refuse_constant),)
        except (ValueError, RecursionError):
            self._refuse(400, "what was posted is not JSON")
            return None

    def _refuse(self, status: int, reason: str) -> None:
        # What was not read of the request must not be taken for the next one.
        self.close_connection = True
        self._answer(status, _json_bytes({"error": reason}), "application/json")

    def _answer(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in SECURITY_HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _json_bytes(data: Mapping[str, object]) -> bytes:
    return json.dumps(data, allow_nan=False).encode()


def _refuse_constant(name: str) -> object:
    text = f"{name} is not JSON"
    raise ValueError(text)
