"""JSON from anybody: every wrong manifest is a named error, in bounded time."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.runtime.bundle.errors import InvalidManifestError
from condmix.runtime.bundle.limits import LIMITS
from condmix.runtime.bundle.manifest_text import manifest_bytes, parse_manifest
from tests.runtime.bundle.bundles import contents, manifest_of

PLACE = Path("net.condmix.zip")


def test_round_trip() -> None:
    manifest = manifest_of(contents())
    assert parse_manifest(manifest_bytes(manifest), PLACE) == manifest
    assert manifest_bytes(manifest) == manifest_bytes(manifest)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "expected a mapping, found list"),
        (b"null", "expected a mapping, found NoneType"),
        (b'{"kind": 1, "kind": 2}', "'kind' is there twice"),
        (b'{"schema_version": NaN}', "NaN is no number of JSON"),
        (b'{"schema_version": 99, "new": true}', "schema is version 99"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 10_000, "not JSON"),
        (b"{}", "'members' is missing"),
    ],
)
def test_what_is_no_manifest_is_told(content: bytes, words: str) -> None:
    with pytest.raises(InvalidManifestError) as caught:
        parse_manifest(content, PLACE)
    assert words in str(caught.value)
    assert caught.value.members == ("manifest.json",)


def test_very_many_problems_are_a_short_message() -> None:
    keys = ",".join(f'"{number}":0' for number in range(2000))
    with pytest.raises(InvalidManifestError) as caught:
        parse_manifest(f"{{{keys}}}".encode(), PLACE)
    assert len(caught.value.problems) == 2007
    assert len(str(caught.value)) < 4000
    assert "and 1987 more" in str(caught.value)


def test_the_limit_is_far_above_the_largest_manifest() -> None:
    """64 members with the longest names that are allowed."""
    names = [f"{number:03}{'n' * 197}" for number in range(LIMITS.members)]
    members = {**contents(), **dict.fromkeys(names, b"")}
    assert len(manifest_bytes(manifest_of(members))) < LIMITS.manifest_bytes / 4
