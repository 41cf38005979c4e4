"""The manifest of a bundle: what it holds, and by what each artifact is judged.

It is the member `manifest.json`. The hash of its bytes, the bundle's digest, stands for all content: the manifest holds
the hash of every other member.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from condmix.runtime.artifact import Format, Precision
from condmix.runtime.bench.fields import NULL, parts
from condmix.runtime.bench.reference import Limit
from condmix.runtime.bundle.member_name import doubled, name_problem
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError
from condmix.runtime.records import SCHEMA_VERSION_KEY, read_fields

SCHEMA_VERSION = 1
KIND = "condmix-bundle"
MANIFEST_NAME = "manifest.json"
ARTIFACT, REFERENCE, RECORD, CARD, WEIGHTS = ROLES = ("artifact", "reference", "record", "card", "weights")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_TEXT = 200
_CREATED = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file of the bundle. role: one of ROLES. sha256, size_bytes: of its content, unpacked."""

    name: str
    role: str
    sha256: str
    size_bytes: int

    def __post_init__(self) -> None:
        problems = [] if (text := name_problem(self.name)) is None else [text]
        if self.name.casefold() == MANIFEST_NAME:
            problems.append(f"{MANIFEST_NAME} is the manifest itself and not one of its members")
        if self.role not in ROLES:
            problems.append(f"role must be one of {', '.join(map(repr, ROLES))}, found {self.role!r}")
        if not _SHA256.fullmatch(self.sha256):
            problems.append(f"sha256 must be 64 lowercase hexadecimal digits, found {self.sha256!r}")
        if self.size_bytes < 0:
            problems.append(f"size_bytes must be at least 0, found {self.size_bytes}")
        if problems:
            raise InvalidSettingError(problems, record=f"Member {self.name!r}")

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {"name": self.name, "role": self.role, "sha256": self.sha256, "size_bytes": self.size_bytes}

    @classmethod
    def from_dict(cls, data: object) -> Member:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        wanted = {"name": str, "role": str, "sha256": str, "size_bytes": int}
        return cls(**cast("dict[str, Any]", read_fields(data, record="Member", fields=wanted, schema_version=None)))


@dataclass(frozen=True, kw_only=True)
class BundleArtifact:
    """One model file of the bundle, named as its member.

    precision: None where nobody has said. reference: the member with its inputs and expected outputs.
    limit: how far it may be off; None: it is held to the float32 tolerance of its format.
    """

    name: str
    format: Format
    precision: Precision | None
    reference: str
    limit: Limit | None

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "format": str(self.format),
            "precision": None if self.precision is None else str(self.precision),
            "reference": self.reference,
            "limit": None if self.limit is None else self.limit.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: object) -> BundleArtifact:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        wanted: dict[str, type | tuple[type, ...]] = {
            "name": str,
            "format": str,
            "precision": (str, NULL),
            "reference": str,
            "limit": (dict, NULL),
        }
        values = read_fields(data, record="BundleArtifact", fields=wanted, schema_version=None)
        known: dict[str, set[object]] = {
            "format": {str(one) for one in Format},
            "precision": {None, *(str(one) for one in Precision)},
        }
        problems = [
            f"{key!r} must be one of {', '.join(sorted(map(repr, choices)))}, found {values[key]!r}"
            for key, choices in known.items()
            if values[key] not in choices
        ]
        if problems:
            raise InvalidRecordError(problems, record="BundleArtifact")
        return cls(
            name=cast(str, values["name"]),
            format=Format(cast(str, values["format"])),
            precision=None if values["precision"] is None else Precision(cast(str, values["precision"])),
            reference=cast(str, values["reference"]),
            limit=None if values["limit"] is None else Limit.from_dict(values["limit"]),
        )


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a bundle holds. network: its name in words. created: UTC, `2026-11-22T05:00:00Z`.

    members: all of them but the manifest, each name once. artifacts: one for each member of that role.
    """

    network: str
    created: str
    condmix_version: str
    members: tuple[Member, ...]
    artifacts: tuple[BundleArtifact, ...]

    def __post_init__(self) -> None:
        texts = {name: getattr(self, name) for name in ("network", "condmix_version")}
        problems = [
            f"{name} must be 1 to {_LONGEST_TEXT} characters that can be shown, found {text[:_LONGEST_TEXT]!r}"
            for name, text in texts.items()
            if not (text.isprintable() and 0 < len(text) <= _LONGEST_TEXT)
        ]
        try:
            datetime.datetime.strptime(self.created, _CREATED).replace(tzinfo=datetime.UTC)
        except ValueError:
            problems.append(f"created must be a time such as 2026-11-22T05:00:00Z, found {self.created!r}")
        names = [member.name for member in self.members]
        problems += [
            f"member {name!r} is there twice" if name == earlier else f"members {earlier!r} and {name!r} differ by case"
            for earlier, name in doubled(names)
        ]
        problems += self._artifact_problems()
        if problems:
            raise InvalidSettingError(problems, record="Manifest")

    def _artifact_problems(self) -> list[str]:
        role_of = {member.name: member.role for member in self.members}
        described = Counter(artifact.name for artifact in self.artifacts)
        problems = [] if self.artifacts else ["there is no artifact in it"]
        problems += [f"artifact {name!r} is described {count} times" for name, count in described.items() if count > 1]
        problems += [
            f"member {name!r} is an artifact that is not described"
            for name, role in role_of.items()
            if role == ARTIFACT and name not in described
        ]
        for artifact in self.artifacts:
            for name, role in ((artifact.name, ARTIFACT), (artifact.reference, REFERENCE)):
                if role_of.get(name) != role:
                    found = "there is none" if name not in role_of else f"its role is {role_of[name]!r}"
                    problems.append(f"artifact {artifact.name!r} needs the member {name!r} as its {role}: {found}")
        return problems

    def member(self, name: str) -> Member:
        """The member of that name. Raises KeyError."""
        return {member.name: member for member in self.members}[name]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            SCHEMA_VERSION_KEY: SCHEMA_VERSION,
            "kind": KIND,
            "network": self.network,
            "created": self.created,
            "condmix_version": self.condmix_version,
            "members": [member.to_dict() for member in self.members],
            "artifacts": [artifact.to_dict() for artifact in self.artifacts],
        }

    @classmethod
    def from_dict(cls, data: object) -> Manifest:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        _check_version(data)
        wanted: dict[str, type | tuple[type, ...]] = {
            "kind": str,
            "network": str,
            "created": str,
            "condmix_version": str,
            "members": list,
            "artifacts": list,
        }
        values = read_fields(data, record="Manifest", fields=wanted, schema_version=SCHEMA_VERSION)
        if values["kind"] != KIND:
            raise InvalidRecordError([f"'kind' must be {KIND!r}, found {values['kind']!r}"], record="Manifest")
        return cls(
            network=cast(str, values["network"]),
            created=cast(str, values["created"]),
            condmix_version=cast(str, values["condmix_version"]),
            members=parts(values, "members", Member.from_dict),
            artifacts=parts(values, "artifacts", BundleArtifact.from_dict),
        )


def _check_version(data: object) -> None:
    """A newer schema is said to be that, whatever else is new in it. Raises InvalidRecordError."""
    version = data.get(SCHEMA_VERSION_KEY) if isinstance(data, Mapping) else None
    if type(version) is int and version > SCHEMA_VERSION:
        problem = f"its schema is version {version}, this condmix reads {SCHEMA_VERSION}: update condmix to read it"
        raise InvalidRecordError([problem], record="Manifest")
