import sys
import types

import pytest

from condmix.deploy.browser.qr import qr_text


def test_without_the_package_there_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segno", None)
    assert qr_text("http://127.0.0.1/") is None


def test_the_package_is_asked_for_a_small_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    segno = types.ModuleType("segno")
    asked = []

    class Code:
        def terminal(self, out, *, border: int, compact: bool) -> None:
            asked.append((border, compact))
            out.write("picture")

    segno.make_qr = lambda text, error: asked.append((text, error)) or Code()
    monkeypatch.setitem(sys.modules, "segno", segno)
    assert qr_text("http://127.0.0.1/") == "picture"
    assert asked == [("http://127.0.0.1/", "l"), (2, True)]


def test_a_real_picture_fits_a_terminal() -> None:
    pytest.importorskip("segno", reason="the package segno is not installed")
    picture = qr_text("https://192.168.100.200:65535/" + "x" * 22 + "/")
    assert picture is not None
    assert max(map(len, picture.splitlines())) <= 60
