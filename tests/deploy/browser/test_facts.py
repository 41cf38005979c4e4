import pytest

from condmix.deploy.browser.facts import BrowserFacts
from condmix.runtime.bench.environment import Environment
from condmix.runtime.errors import InvalidRecordError
from tests.deploy.browser.pieces import FACTS

AGENTS = {
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) AppleWebKit/605.1 Version/19.0 Mobile Safari/604.1": "Safari 19",
    "Mozilla/5.0 (Android 16; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0": "Firefox 140",
    "Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0": "Edge 156",
    "Mozilla/5.0 (X11) AppleWebKit/537.36 HeadlessChrome/156.0.0.0 Safari/537.36": "Chrome (headless) 156",
    "": "an unknown browser",
}


def test_they_read_back_what_they_write() -> None:
    assert BrowserFacts.from_dict(FACTS.to_dict()) == FACTS


@pytest.mark.parametrize(("agent", "name"), AGENTS.items(), ids=AGENTS.values())
def test_browsers_have_names(agent: str, name: str) -> None:
    assert BrowserFacts.from_dict({**FACTS.to_dict(), "user_agent": agent}).browser == name


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"extra": 1}, "unknown name 'extra'"),
        ({"kind": "other"}, "'kind' must be"),
        ({"schema_version": 2}, "schema_version"),
        ({"user_agent": "x" * 1001}, "user_agent must be at most 1000"),
        ({"model": "a\x1b[2Jb"}, "model must be"),
        ({"hardware_concurrency": 0}, "hardware_concurrency"),
        ({"hardware_concurrency": True}, "hardware_concurrency"),
        ({"clock_step_ns": 0}, "clock_step_ns"),
        ({"device_memory_gib": -1.0}, "device_memory_gib"),
        ({"webgpu_adapter": None}, "one of webgpu_adapter"),
        ({"cross_origin_isolated": "yes"}, "cross_origin_isolated"),
    ],
)
def test_what_is_out_of_bounds_is_named(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidRecordError, match=words):
        BrowserFacts.from_dict({**FACTS.to_dict(), **changes})


def test_the_environment_lists_what_a_browser_does_not_tell() -> None:
    environment = FACTS.environment("charging, 5 %")
    assert Environment.from_dict(environment.to_dict()) == environment
    assert environment.power == "charging, 5 %"
    assert "temperatures" in environment.unreadable
    assert "power" not in environment.unreadable
    assert "power" in FACTS.environment(None).unreadable
    assert dict(environment.cpu.versions)["onnxruntime-web"].count(".") == 2
    assert FACTS.sentence() == "Chrome 156 on Android 16, Pixel, 8 cores"
