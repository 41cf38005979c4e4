"""The manifest record: round trip, and what it refuses."""

from __future__ import annotations

import dataclasses
import json

import pytest

from condmix.runtime.bench.reference import Limit
from condmix.runtime.bundle.manifest import Manifest, Member
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError
from tests.runtime.bundle.bundles import contents, manifest_of, member_of


@pytest.fixture
def manifest() -> Manifest:
    return manifest_of(contents())


def test_round_trip_through_json(manifest: Manifest) -> None:
    assert Manifest.from_dict(json.loads(json.dumps(manifest.to_dict()))) == manifest


def test_without_precision_and_limit(manifest: Manifest) -> None:
    bare = dataclasses.replace(manifest.artifacts[0], precision=None, limit=None)
    changed = dataclasses.replace(manifest, artifacts=(bare,))
    assert Manifest.from_dict(json.loads(json.dumps(changed.to_dict()))) == changed


def test_a_newer_schema_is_said_to_be_newer(manifest: Manifest) -> None:
    data = {**manifest.to_dict(), "schema_version": 2, "signatures": []}
    with pytest.raises(InvalidRecordError, match="schema is version 2, this condmix reads 1: update condmix"):
        Manifest.from_dict(data)


def test_another_kind_is_refused(manifest: Manifest) -> None:
    with pytest.raises(InvalidRecordError, match="'kind' must be 'condmix-bundle', found 'condmix-export'"):
        Manifest.from_dict({**manifest.to_dict(), "kind": "condmix-export"})


def test_an_unknown_precision_is_refused(manifest: Manifest) -> None:
    data = json.loads(json.dumps(manifest.to_dict()))
    data["artifacts"][0]["precision"] = "int4"
    with pytest.raises(InvalidRecordError, match="'precision' must be one of 'float32', 'int8', None, found 'int4'"):
        Manifest.from_dict(data)


def test_all_that_does_not_belong_together_is_told(manifest: Manifest) -> None:
    first = manifest.artifacts[0]
    artifacts = (first, first, dataclasses.replace(first, name="MODEL_CARD.md", reference="none.npz"))
    twice = (*manifest.members, member_of("NET.ONNX", "artifact", b""), member_of("net.onnx", "artifact", b""))
    with pytest.raises(InvalidSettingError) as caught:
        dataclasses.replace(manifest, network="", created="yesterday", members=twice, artifacts=artifacts)
    assert caught.value.problems == (
        "network must be 1 to 200 characters that can be shown, found ''",
        "created must be a time such as 2026-11-22T05:00:00Z, found 'yesterday'",
        "members 'net.onnx' and 'NET.ONNX' differ by case",
        "member 'net.onnx' is there twice",
        "artifact 'net.onnx' is described 2 times",
        "member 'NET.ONNX' is an artifact that is not described",
        "artifact 'MODEL_CARD.md' needs the member 'MODEL_CARD.md' as its artifact: its role is 'card'",
        "artifact 'MODEL_CARD.md' needs the member 'none.npz' as its reference: there is none",
    )


@pytest.mark.parametrize("name", ["\x1b[31mred", "two\nlines", "n" * 201])
def test_a_name_that_a_terminal_would_obey(manifest: Manifest, name: str) -> None:
    with pytest.raises(InvalidSettingError, match="network must be 1 to 200 characters that can be shown"):
        dataclasses.replace(manifest, network=name)


def test_a_bundle_has_an_artifact(manifest: Manifest) -> None:
    with pytest.raises(InvalidSettingError, match="there is no artifact in it"):
        dataclasses.replace(manifest, artifacts=(), members=())


def test_a_member_tells_all_that_is_wrong() -> None:
    with pytest.raises(InvalidSettingError) as caught:
        Member(name="../manifest.json", role="virus", sha256="ABC", size_bytes=-1)
    assert [problem.split(" ")[0] for problem in caught.value.problems] == ["its", "role", "sha256", "size_bytes"]


def test_the_manifest_is_no_member() -> None:
    with pytest.raises(InvalidSettingError, match=r"manifest\.json is the manifest itself"):
        member_of("Manifest.json", "record", b"")


def test_a_limit_without_any_figure_is_refused(manifest: Manifest) -> None:
    data = json.loads(json.dumps(manifest.to_dict()))
    data["artifacts"][0]["limit"] = {}
    with pytest.raises(InvalidSettingError, match="everything would pass"):
        Manifest.from_dict(data)
    assert Limit(sqnr_db=10.0).to_dict() == {"sqnr_db": 10.0}
