import json
import re
import socket
from importlib.resources import files
from pathlib import Path

import pytest

from condmix.deploy.browser import server as module
from condmix.deploy.browser.errors import BrowserError
from condmix.deploy.browser.server import SECURITY_HEADERS, BrowserServer
from tests.deploy.browser.pieces import FACTS, posted_run, serving, session_of, subject_files

WHOLE = ("", "page.css", "page.js", "offers.js", "subject.js", "worker.js", "model/0", "feeds/0")


@pytest.fixture
def session(tmp_path: Path):
    return session_of(subject_files(tmp_path))


@pytest.mark.parametrize("path", WHOLE)
def test_its_own_files_are_served_with_every_security_header(session, path: str) -> None:
    with serving(session) as client:
        status, headers, content = client.get(path)
    assert status == 200
    assert content
    assert {name: headers[name] for name in SECURITY_HEADERS} == dict(SECURITY_HEADERS)


def test_the_page_is_isolated_and_takes_nothing_from_elsewhere() -> None:
    assert SECURITY_HEADERS["Cross-Origin-Opener-Policy"] == "same-origin"
    assert SECURITY_HEADERS["Cross-Origin-Embedder-Policy"] == "require-corp"
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
    assert "http" not in policy
    for name in ("page.html", "page.css", "page.js", "offers.js", "subject.js", "worker.js"):
        text = files("condmix.deploy.browser").joinpath(name).read_text(encoding="utf-8")
        assert not re.search(r"https?://", text), name
        assert "innerHTML" not in text


@pytest.mark.parametrize(
    "path",
    [
        "page.html",
        "nothing",
        "model/1",
        "model/-1",
        "model/x",
        "model/0/..",
        "feeds/7",
        "assets/",
        "assets/../page.py",
        "assets/%2e%2e/server.py",
        "../pins.json",
        "..%2fpins.json",
        "assets//etc/passwd",
        "model/999999999999",
        "claim",
        "report",
    ],
)
def test_nothing_else_is_there(session, path: str) -> None:
    with serving(session) as client:
        status, _, content = client.get(path)
    assert status == 404
    assert set(json.loads(content)) == {"error"}


def test_engine_files_are_found_by_name_only(session, tmp_path: Path) -> None:
    engine = tmp_path / "stored" / "ort.wasm"
    engine.parent.mkdir()
    engine.write_bytes(b"\0asm")
    with serving(session, {"engine.wasm": engine}) as client:
        status, headers, content = client.get("assets/engine.wasm")
        assert (status, headers["Content-Type"], content) == (200, "application/wasm", b"\0asm")
        assert client.get("assets/ort.wasm")[0] == 404


@pytest.mark.parametrize("token", ["", "wrong", "x" * 22])
def test_nothing_is_served_without_the_token(session, token: str) -> None:
    with serving(session) as client:
        assert client.get("", token=token)[0] == 404
        assert client.raw("GET", "/", b"", {})[0] == 404
        assert client.raw("GET", f"/{client.token}", b"", {})[0] == 404


def test_tokens_differ_and_are_long(tmp_path: Path) -> None:
    tokens = {session_of(subject_files(tmp_path)).token for _ in range(3)}
    assert len(tokens) == 3
    assert min(map(len, tokens)) >= 22


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "10.0.0.1:{port}", ""]
)
def test_another_host_header_is_refused(session, host: str) -> None:
    with serving(session) as client:
        named = host.format(port=client.port)
        assert client.get("", Host=named)[0] == 421
        assert client.post("claim", FACTS.to_dict(), Host=named)[0] == 421
        assert client.get("", Host=f"localhost:{client.port}")[0] == 200
    assert not session.is_claimed


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "https://127.0.0.1:{port}", "http://localhost:{port}"]
)
def test_posts_of_another_page_are_refused(session, origin: str) -> None:
    with serving(session) as client:
        assert client.post("claim", FACTS.to_dict(), Origin=origin.format(port=client.port))[0] == 403
    assert not session.is_claimed


def test_a_post_without_an_origin_is_refused(session) -> None:
    with serving(session) as client:
        headers = {"Content-Type": "application/json"}
        assert client.raw("POST", f"/{client.token}/claim", b"{}", headers)[0] == 403


def test_a_report_is_taken_once_and_ends_the_run(session) -> None:
    with serving(session) as client:
        status, plan = client.post("claim", FACTS.to_dict())
        assert status == 200
        assert client.post("progress", {"nonce": plan["nonce"], "stage": "x", "part": 0.5}) == (200, {"stop": None})
        status, view = client.post("report", posted_run(plan))
        assert status == 200, view
        assert [row["name"] for row in view["rows"]] == ["net@wasm", "net@wasm (again)"]
        assert session.answered.wait(5)
        assert client.post("report", posted_run(plan))[0] == 404  # the token is spent
        assert client.get("")[0] == 404
    assert session.report is not None
    assert session.report.subject("net@wasm").agreement.passed


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"Content-Type": "text/plain"}, b"{}", 415),
        ({"Content-Length": "-1"}, b"", 411),
        ({"Content-Length": "1e3"}, b"", 411),
        ({"Transfer-Encoding": "chunked"}, b"2\r\n{}\r\n0\r\n\r\n", 411),
        ({"Content-Length": "99999999999999999999"}, b"", 413),
        ({"Content-Length": str(module.MOST_SMALL_BYTES + 1)}, b"", 413),
        ({}, b"", 400),
        ({}, b"{", 400),
        ({}, b'{"part": NaN}', 400),
        ({}, b"[" * 10_000, 400),
        ({}, b"\xff", 400),
        ({}, b"[]", 422),
        ({}, b"{}", 422),
    ],
)
def test_posts_are_bounded_and_must_be_json(session, headers: dict[str, str], content: bytes, status: int) -> None:
    with serving(session) as client:
        assert client.post("claim", content, **headers)[0] == status
    assert not session.is_claimed


def test_an_oversized_report_is_refused_and_told(session) -> None:
    with serving(session, most_report_bytes=1000) as client:
        _, plan = client.post("claim", FACTS.to_dict())
        status, answer = client.post("report", posted_run(plan))
    assert status == 413
    assert "at most 1000" in answer["error"]
    with pytest.raises(BrowserError, match="at most 1000"):
        raise session.error


def test_other_methods_and_broken_requests_are_refused(session) -> None:
    with serving(session) as client:
        for method in ("HEAD", "PUT", "DELETE", "OPTIONS"):
            assert client.raw(method, f"/{client.token}/", b"", {})[0] == 501
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            answer = connection.recv(4096)
        assert b"Bad request syntax" in answer
        assert b"Python" not in answer
        assert client.get("")[0] == 200


def test_a_slow_client_holds_nobody_up(session) -> None:
    with serving(session) as client, socket.create_connection(("127.0.0.1", client.port), timeout=10):
        assert client.get("")[0] == 200


def test_connections_are_limited(session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 1)
    with serving(session) as client, socket.create_connection(("127.0.0.1", client.port), timeout=10) as first:
        first.sendall(b"GET / HTTP/1.1\r\n")
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as second:
            assert _received(second) == b""


def test_a_port_that_is_taken_is_named(session) -> None:
    with serving(session) as client, pytest.raises(BrowserError, match=f"port {client.port}.*--port") as caught:
        BrowserServer(session, {}, bind="127.0.0.1", port=client.port)
    assert caught.value.step == module.STEP


def test_it_binds_to_what_it_was_told(session) -> None:
    server = BrowserServer(session, {}, bind="127.0.0.1", port=0)
    try:
        assert server.socket.getsockname()[0] == "127.0.0.1"
    finally:
        server.server_close()


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(100)
    except ConnectionError:
        return b""
