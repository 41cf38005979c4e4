"""Verifying a bundle: everything in it is what its manifest promises, and every artifact computes what PyTorch did.

numpy and the engines of the artifacts are all that is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from condmix.runtime.bench.reference import Reference
from condmix.runtime.bench.worker_process import StartWorker, start_worker
from condmix.runtime.bundle.artifact_check import ArtifactCheck, check_artifact
from condmix.runtime.bundle.errors import DamagedBundleError, MemberProblem
from condmix.runtime.bundle.limits import LIMITS, BundleLimits
from condmix.runtime.bundle.manifest import Manifest
from condmix.runtime.bundle.reference_member import read_bounded_reference
from condmix.runtime.bundle.unpack import Unpacked, unpacked
from condmix.runtime.errors import InvalidRecordError, ModelUnreadableError

SCHEMA_VERSION = 1
KIND = "condmix-bundle-verification"


@dataclass(frozen=True, kw_only=True)
class BundleVerification:
    """What came of a bundle that is undamaged. checks: one for each artifact, in the order of the manifest."""

    bundle: Path
    digest: str
    manifest: Manifest
    checks: tuple[ArtifactCheck, ...]

    @property
    def passed(self) -> bool:
        """Every artifact was run, and computes what PyTorch computes."""
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[ArtifactCheck, ...]:
        """Those that were run, or should have been, and do not compute it; those without an engine are not here."""
        return tuple(check for check in self.checks if not check.passed and check.missing is None)

    @property
    def missing(self) -> tuple[ArtifactCheck, ...]:
        """Those whose engine is not here."""
        return tuple(check for check in self.checks if check.missing is not None)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "bundle": self.bundle.as_posix(),
            "digest": self.digest,
            "network": self.manifest.network,
            "created": self.manifest.created,
            "condmix_version": self.manifest.condmix_version,
            "passed": self.passed,
            "artifacts": [check.to_dict() for check in self.checks],
        }


def verify_bundle(
    path: Path,
    *,
    threads: int = 1,
    digest: str | None = None,
    start: StartWorker = start_worker,
    limits: BundleLimits = LIMITS,
    report_progress: Callable[[str], None] = lambda _stage: None,
) -> BundleVerification:
    """Every artifact was run on its reference; what came of it, whatever that is.

    path: a zip file or a folder. What is run are copies of the bytes that were checked.
    digest: which bundle it must be, None for any.
    Raises the errors of `open_bundle` for a bundle that is not what its manifest promises.
    """
    report_progress("check the hashes")
    with unpacked(path, digest=digest, limits=limits) as found:
        references = _references(path, found, limits)
        checks = []
        for artifact in found.manifest.artifacts:
            report_progress(f"run {artifact.name}")
            try:
                check = check_artifact(
                    found.path(artifact.name),
                    artifact.format,
                    references[artifact.reference],
                    artifact.limit,
                    threads=threads,
                    start=start,
                )
            except ModelUnreadableError as error:
                raise DamagedBundleError(path, [MemberProblem(member=artifact.name, text=error.reason)]) from error
            checks.append(check)
        return BundleVerification(bundle=path, digest=found.digest, manifest=found.manifest, checks=tuple(checks))


def _references(path: Path, found: Unpacked, limits: BundleLimits) -> dict[str, Reference]:
    """Member name -> reference, each read once. Raises DamagedBundleError naming all that are wrong."""
    references: dict[str, Reference] = {}
    problems: list[MemberProblem] = []
    for name in dict.fromkeys(artifact.reference for artifact in found.manifest.artifacts):
        try:
            references[name] = read_bounded_reference(found.path(name), limits)
        except InvalidRecordError as error:
            problems += [MemberProblem(member=name, text=text) for text in error.problems]
    if problems:
        raise DamagedBundleError(path, problems)
    return references
