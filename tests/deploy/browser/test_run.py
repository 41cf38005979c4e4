import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from condmix.deploy.browser import run as module
from condmix.deploy.browser.address import Address
from condmix.deploy.browser.errors import BrowserError
from condmix.deploy.browser.run import run_in_browser
from condmix.deploy.devices.errors import DeviceError
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.errors import InvalidSettingError
from tests.deploy.browser.pieces import FACTS, SETTINGS, Client, onnx_subject, posted_run, reference


def run(folder: Path, page: Callable[[Client], None], **choices: Any) -> BenchReport:
    """The run with `page` in the place of a browser, in a thread of its own."""
    threads: list[threading.Thread] = []

    def opened(address: Address) -> None:
        client = Client(port=address.port, token=address.url.rstrip("/").rpartition("/")[2])
        threads.append(threading.Thread(target=page, args=(client,)))
        threads[0].start()

    try:
        return run_in_browser(
            [onnx_subject(folder)],
            SETTINGS,
            **{
                "on_address": opened,
                "references": {"net": reference()},
                "all_cores": False,
                "webgpu": False,
                "assets": {},
                "command": ("condmix", "bench"),
                "wait_seconds": 20.0,
                "silence_seconds": 20.0,
                **choices,
            },
        )
    finally:
        for thread in threads:
            thread.join(20)


def whole(client: Client) -> None:
    _, plan = client.post("claim", FACTS.to_dict())
    client.post("report", posted_run(plan))


def until_stopped(client: Client) -> None:
    """A page that measures until it is asked to stop."""
    _, plan = client.post("claim", FACTS.to_dict())
    while not (answer := client.post("progress", {"nonce": plan["nonce"], "stage": "x", "part": 0.5}))[1]["stop"]:
        time.sleep(0.02)
    client.post("report", posted_run(plan, interrupted=answer[1]["stop"]))


def nothing(_client: Client) -> None:
    """A page that nobody opens."""


def opened_and_closed(client: Client) -> None:
    client.post("claim", FACTS.to_dict())


def test_the_report_comes_back_and_the_server_is_gone(tmp_path: Path) -> None:
    clients: list[Client] = []
    report = run(tmp_path, lambda client: (clients.append(client), whole(client))[1])
    assert report.subject("net@wasm").agreement.passed
    assert report.command == ("condmix", "bench")
    with pytest.raises(ConnectionError):
        clients[0].get("")


def test_stopped_from_this_side_what_was_measured_is_kept(tmp_path: Path) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    report = run(tmp_path, until_stopped, stop=stop)
    assert report.interrupted == "stopped from this side"
    assert len(report.subject("net@wasm").samples) == 120


def test_the_first_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    def page(client: Client) -> None:
        signalled = threading.Timer(0.4, signal.raise_signal, (signal.SIGINT,))
        signalled.start()
        until_stopped(client)

    assert run(tmp_path, page).interrupted == "interrupted by Ctrl-C"


def test_ctrl_c_before_a_page_is_open_is_passed_on(tmp_path: Path) -> None:
    threading.Timer(0.4, signal.raise_signal, (signal.SIGINT,)).start()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, nothing)


@pytest.mark.parametrize(
    ("page", "choices", "words"),
    [
        (nothing, {"wait_seconds": 0.2}, r"no browser opened the address within 0\.2 s.*adb reverse"),
        (opened_and_closed, {"silence_seconds": 0.2}, r"no sign of life for 0\.2 s"),
        (lambda client: client.post("report", {}) and nothing(client), {"wait_seconds": 0.3}, "no browser opened"),
        (
            lambda client: client.post("report", posted_run(client.post("claim", FACTS.to_dict())[1], rounds=-1)),
            {},
            "is no report",
        ),
    ],
)
def test_what_goes_wrong_is_a_device_error(tmp_path: Path, page: Callable, choices: dict, words: str) -> None:
    with pytest.raises(DeviceError, match=words) as caught:
        run(tmp_path, page, **choices)
    assert caught.value.device == "browser"


def test_a_page_that_does_not_stop_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 0.2)
    stop = threading.Event()
    with pytest.raises(BrowserError, match=r"asked to stop.*within 0\.2 s"):
        run(tmp_path, lambda client: (opened_and_closed(client), stop.set())[1], stop=stop)


def test_stopped_before_a_page_is_open(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(BrowserError, match="before any browser"):
        run(tmp_path, nothing, stop=stop)


def test_nothing_is_served_when_the_question_is_wrong(tmp_path: Path) -> None:
    addresses: list[Address] = []
    with pytest.raises(InvalidSettingError):
        run_in_browser([], SETTINGS, on_address=addresses.append, assets={})
    with pytest.raises(BrowserError, match="cannot be bound"):
        run(tmp_path, nothing, bind="192.0.2.99", https=False, on_address=addresses.append)
    assert addresses == []


def test_the_address_fits_where_it_is_bound(tmp_path: Path) -> None:
    addresses: list[Address] = []
    stop = threading.Event()
    stop.set()
    for https in (None, True):
        with pytest.raises(BrowserError):
            run(tmp_path, nothing, stop=stop, on_address=addresses.append, https=https)
    plain, secure = addresses
    assert plain.url.startswith("http://127.0.0.1:")
    assert plain.adb_command == f"adb reverse tcp:{plain.port} tcp:{plain.port}"
    assert secure.url.startswith("https://127.0.0.1:")
    assert secure.fingerprint is not None
