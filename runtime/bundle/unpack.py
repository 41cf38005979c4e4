"""Unpacking a bundle: every member is checked as it is written, and the folder appears whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from condmix.runtime.bundle.errors import DamagedBundleError, MemberProblem, UnpackError
from condmix.runtime.bundle.limits import LIMITS, BundleLimits
from condmix.runtime.bundle.manifest import MANIFEST_NAME, Manifest
from condmix.runtime.bundle.reader import Bundle, open_bundle


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """A folder with the content of a bundle, each member under its own name. digest: of the bundle."""

    folder: Path
    manifest: Manifest
    digest: str

    def path(self, name: str) -> Path:
        """Where that member lies. Raises KeyError for a name that is not in the manifest."""
        return self.folder / self.manifest.member(name).name


def unpack(path: Path, folder: Path, *, digest: str | None = None, limits: BundleLimits = LIMITS) -> Unpacked:
    """The folder, which was not there before, has the members of the bundle at `path`, all as the manifest promises.

    digest: which bundle it must be, None for any.
    Raises UnpackError when it is there or cannot be written, and the errors of `open_bundle`; nothing is left then.
    """
    with open_bundle(path, digest=digest, limits=limits) as bundle:
        if os.path.lexists(folder):
            raise UnpackError(folder, "it exists", "Choose another folder, or remove it.")
        partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
        try:
            # Nobody else's: the name is new, and mkdir does not follow a link.
            partial.mkdir()
            try:
                _write(bundle, partial)
                partial.rename(folder)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UnpackError(folder, reason, "Choose a folder with room that you can write to.") from error
        return Unpacked(folder=folder, manifest=bundle.manifest, digest=bundle.digest)


@contextmanager
def unpacked(path: Path, *, digest: str | None = None, limits: BundleLimits = LIMITS) -> Iterator[Unpacked]:
    """The same in a folder of its own, which is gone at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="condmix-bundle-") as parent:
        yield unpack(path, Path(parent) / "bundle", digest=digest, limits=limits)


def _write(bundle: Bundle, folder: Path) -> None:
    """All members and the manifest are in the folder. Raises OSError, DamagedBundleError."""
    problems: list[MemberProblem] = []
    for member in bundle.manifest.members:
        # Names are plain, which the manifest has seen to; "x": what is there already is never written to.
        with (folder / member.name).open("xb") as stream:
            problem = bundle.copy(member, stream)
        problems += [] if problem is None else [problem]
    if problems:
        raise DamagedBundleError(bundle.path, problems)
    (folder / MANIFEST_NAME).write_bytes(bundle.manifest_content)
