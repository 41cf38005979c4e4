"""What came of a bundle, in lines and as an exit code."""

from __future__ import annotations

from condmix.deploy.bundle.check_line import check_line
from condmix.deploy.exit_codes import ExitCode
from condmix.runtime.bundle.verify import BundleVerification


def verification_lines(found: BundleVerification, *, in_detail: bool) -> list[str]:
    """One for the bundle, one for its hashes, one for each artifact, and its digest. in_detail: each member too."""
    manifest = found.manifest
    width = max(len(check.name) for check in found.checks)
    lines = [
        f"{manifest.network}, bundled {manifest.created} by condmix {manifest.condmix_version}",
        f"[ok]      {len(manifest.members)} members are what the manifest promises",
    ]
    if in_detail:
        lines += [f"          {one.sha256}  {one.role:9}  {one.name}" for one in manifest.members]
    lines += [check_line(check, name_width=width) for check in found.checks]
    return [*lines, f"digest    {found.digest}"]


def verification_code(found: BundleVerification) -> ExitCode:
    """A wrong answer weighs more than none."""
    if found.failed:
        return ExitCode.PARITY
    return ExitCode.MISSING if found.missing else ExitCode.OK
