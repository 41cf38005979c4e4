import pytest

from condmix.deploy.browser.address import Address, is_everywhere, is_loopback, is_own_host, own_address, shown_host


@pytest.mark.parametrize(
    ("host", "reached", "secure", "own"),
    [
        ("127.0.0.1:8123", "127.0.0.1", False, True),
        ("localhost:8123", "127.0.0.1", False, True),
        ("LOCALHOST:8123", "127.0.0.1", False, True),
        ("[::1]:8123", "::1", False, True),
        ("192.168.1.2:8123", "192.168.1.2", True, True),
        ("192.168.1.2:8123", "::ffff:192.168.1.2", True, True),
        ("[fd00::2]:8123", "fd00::2", True, True),
        ("localhost:8123", "192.168.1.2", True, False),
        ("127.0.0.1:8123", "192.168.1.2", True, False),
        ("192.168.1.3:8123", "192.168.1.2", True, False),
        ("phone.example:8123", "127.0.0.1", False, False),
        ("127.0.0.1.example:8123", "127.0.0.1", False, False),
        ("127.0.0.1:8124", "127.0.0.1", False, False),
        ("127.0.0.1", "127.0.0.1", False, False),
        ("127.0.0.1:", "127.0.0.1", False, False),
        ("127.0.0.1:\uff18123", "127.0.0.1", False, False),
        ("", "127.0.0.1", False, False),
        (None, "127.0.0.1", False, False),
    ],
)
def test_only_an_address_of_its_own_is_its_host(host: str | None, reached: str, secure: bool, own: bool) -> None:
    assert is_own_host(host, reached=reached, port=8123, secure=secure) is own


def test_the_usual_port_need_not_be_said() -> None:
    assert is_own_host("127.0.0.1", reached="127.0.0.1", port=80, secure=False)
    assert is_own_host("127.0.0.1", reached="127.0.0.1", port=443, secure=True)
    assert not is_own_host("127.0.0.1", reached="127.0.0.1", port=443, secure=False)


def test_where_it_is_bound_decides_what_is_shown() -> None:
    assert [is_loopback(one) for one in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "host")] == [True] * 3 + [
        False
    ] * 2
    assert [is_everywhere(one) for one in ("0.0.0.0", "::", "", "10.0.0.1")] == [True] * 3 + [False]
    assert shown_host("0.0.0.0", own=lambda: "192.168.1.2") == "192.168.1.2"
    assert shown_host("::", own=lambda: "fd00::2") == "[fd00::2]"
    assert shown_host("10.0.0.1", own=lambda: "192.168.1.2") == "10.0.0.1"
    assert own_address().count(".") == 3


def test_what_a_terminal_shows() -> None:
    plain = Address(url="http://127.0.0.1:1/t/", port=1, secure=False, adb_command="adb reverse tcp:1 tcp:1")
    assert plain.lines(lambda _url: None) == [
        "open on the phone: http://127.0.0.1:1/t/",
        "for a phone on the cable, first: adb reverse tcp:1 tcp:1",
    ]
    secure = Address(url="https://10.0.0.1:1/t/", port=1, secure=True, fingerprint="AB:CD")
    lines = secure.lines(lambda url: f"picture of\n{url}")
    assert lines[:3] == ["picture of", secure.url, f"open on the phone: {secure.url}"]
    assert "AB:CD" in lines[-1]
