"""Writing a bundle: collected, tried, described, packed, read back; only then does it have its name."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.atomic import pending_files, require_room
from condmix.deploy.bundle.card import model_card
from condmix.deploy.bundle.collect import CARD_NAME, Collected, SourceArtifact, collect
from condmix.deploy.bundle.source_record import sha256_of
from condmix.deploy.bundle.zip_content import zip_content
from condmix.deploy.errors import PlanError
from condmix.deploy.output_names import weights_stem
from condmix.runtime.artifact import Precision
from condmix.runtime.bundle.artifact_check import ArtifactCheck, check_artifact
from condmix.runtime.bundle.errors import UnsafeBundleError
from condmix.runtime.bundle.manifest import (
    ARTIFACT,
    CARD,
    MANIFEST_NAME,
    RECORD,
    REFERENCE,
    WEIGHTS,
    BundleArtifact,
    Manifest,
    Member,
)
from condmix.runtime.bundle.manifest_text import manifest_bytes
from condmix.runtime.bundle.member_name import name_problem
from condmix.runtime.bundle.reader import check_bundle

SUFFIX = ".condmix.zip"
EPOCH_VARIABLE = "SOURCE_DATE_EPOCH"


@dataclass(frozen=True, kw_only=True)
class BundlePlan:
    """What was asked for. output: a file, a folder, or None for NAME.condmix.zip beside the first file.

    name: of the network; None: of its weights file. reference: of files that have none. tolerance: of files without a
    limit.
    """

    paths: tuple[Path, ...]
    output: Path | None = None
    name: str | None = None
    reference: Path | None = None
    tolerance: float | None = None
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class BundleOutcome:
    """What came of it. Nothing was written unless every check passed; then `manifest` and `digest` are those of the
    bundle at `path`."""

    path: Path
    checks: tuple[ArtifactCheck, ...]
    notes: tuple[str, ...]
    manifest: Manifest | None
    digest: str | None
    size_bytes: int | None

    @property
    def written(self) -> bool:
        """The bundle is there."""
        return self.manifest is not None

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": 1,
            "kind": "condmix-bundle-outcome",
            "written": self.written,
            "bundle": self.path.as_posix(),
            "digest": self.digest,
            "size_bytes": self.size_bytes,
            "manifest": None if self.manifest is None else self.manifest.to_dict(),
            "artifacts": [check.to_dict() for check in self.checks],
            "notes": list(self.notes),
        }


def write_bundle(plan: BundlePlan, report_progress: Callable[[str], None] = lambda _stage: None) -> BundleOutcome:
    """The bundle is written, if every artifact computes here what its reference says.

    Raises PlanError, UnreadableFileError or OutputError, and UnsafeBundleError for more than a bundle may hold.
    """
    report_progress("collect")
    collected = collect(plan.paths, reference=plan.reference, tolerance=plan.tolerance)
    name = plan.name or _network_name(collected)
    if (problem := name_problem(f"{name}{SUFFIX}")) is not None:
        summary = f"the network cannot be called {name!r}:"
        raise PlanError(summary, [f"{problem}; give another --name"])
    path = _output(plan.output, collected, name)
    require_room((path,), overwrite=plan.overwrite)
    checks = []
    for one in collected.artifacts:
        report_progress(f"run {one.path.name}")
        checks.append(check_artifact(one.path, one.format, one.reference, one.limit))
    outcome = BundleOutcome(
        path=path, checks=tuple(checks), notes=collected.notes, manifest=None, digest=None, size_bytes=None
    )
    if not all(check.passed for check in checks):
        return outcome
    report_progress("write")
    manifest, members = _content(collected, checks, name=name, archive=path.name)
    content = zip_content(members)
    with pending_files(overwrite=plan.overwrite) as files:
        partial = files.write(path, content)
        try:
            check_bundle(partial)
        except UnsafeBundleError as error:
            raise UnsafeBundleError(path, error.problems) from error
        files.commit()
    return BundleOutcome(
        path=path,
        checks=outcome.checks,
        notes=outcome.notes,
        manifest=manifest,
        digest=sha256_of(members[MANIFEST_NAME]),
        size_bytes=len(content),
    )


def _content(
    collected: Collected, checks: Sequence[ArtifactCheck], *, name: str, archive: str
) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest, and all members with it by name."""
    parts = [(ARTIFACT, one.path.name, one.content) for one in collected.artifacts]
    parts += [(WEIGHTS, path.name, path.read_bytes()) for path in collected.weights]
    parts += [(REFERENCE, path.name, path.read_bytes()) for path in collected.references]
    parts += [(RECORD, record.path.name, record.content) for record in collected.records]
    members = [_member(member_name, role, content) for role, member_name, content in parts]
    artifacts = tuple(
        sorted(
            (_artifact(one, check) for one, check in zip(collected.artifacts, checks, strict=True)),
            key=lambda artifact: artifact.name,
        )
    )

    def manifest_of(all_members: Sequence[Member]) -> Manifest:
        return Manifest(
            network=name,
            created=_created(collected),
            condmix_version=importlib.metadata.version("condmix"),
            members=tuple(sorted(all_members, key=lambda member: member.name)),
            artifacts=artifacts,
        )

    card = model_card(manifest_of(members), collected, checks, archive=archive).encode()
    manifest = manifest_of([*members, _member(CARD_NAME, CARD, card)])
    contents = {member_name: content for _, member_name, content in parts}
    return manifest, {**contents, CARD_NAME: card, MANIFEST_NAME: manifest_bytes(manifest)}


def _member(name: str, role: str, content: bytes) -> Member:
    return Member(name=name, role=role, sha256=sha256_of(content), size_bytes=len(content))


def _artifact(one: SourceArtifact, check: ArtifactCheck) -> BundleArtifact:
    return BundleArtifact(
        name=one.path.name,
        format=one.format,
        precision=None if check.precision is None else Precision(check.precision),
        reference=one.reference_path.name,
        limit=one.limit,
    )


def _network_name(collected: Collected) -> str:
    record = next(iter(collected.records), None)
    if record is not None and record.source_name is not None:
        return weights_stem(Path(record.source_name))
    return min((one.path.stem for one in collected.artifacts), key=len)


def _output(output: Path | None, collected: Collected, name: str) -> Path:
    if output is None:
        return collected.artifacts[0].path.with_name(f"{name}{SUFFIX}")
    if output.is_dir():
        return output / f"{name}{SUFFIX}"
    if output.suffix != ".zip":
        summary = "the output (-o) cannot be used:"
        raise PlanError(summary, [f"{output} does not end in .zip: write NAME{SUFFIX}, or name a folder that is there"])
    return output


def _created(collected: Collected) -> str:
    """When the newest of the files was written: the same files give the same bundle, whenever it is made.

    Who copies or checks out files can state the time in seconds in SOURCE_DATE_EPOCH, as for other reproducible builds.
    """
    stated = os.environ.get(EPOCH_VARIABLE)
    if stated is not None and not stated.isdecimal():
        summary = f"{EPOCH_VARIABLE} cannot be used:"
        raise PlanError(summary, [f"expected seconds since 1970, found {stated!r}"])
    newest = max(one.path.stat().st_mtime for one in collected.artifacts)
    moment = datetime.datetime.fromtimestamp(float(stated) if stated is not None else newest, tz=datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
