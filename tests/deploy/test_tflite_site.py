"""Where the packages of tflite-runtime lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.deploy.tflite_site import default_site


def test_in_the_cache_that_the_environment_names() -> None:
    assert default_site({"XDG_CACHE_HOME": "/cache"}) == Path("/cache/condmix/tflite-runtime-2.14")


@pytest.mark.parametrize("environment", [{}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "relative"}])
def test_else_in_the_users_own(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    assert default_site(environment) == Path("/home/somebody/.cache/condmix/tflite-runtime-2.14")


def test_by_default_it_is_that_of_this_process(cache: Path) -> None:
    assert default_site() == cache / "condmix" / "tflite-runtime-2.14"
