"""Opening a bundle: its form, its manifest and its list of members are checked; content is checked as it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from condmix.runtime.bundle.container import Container, open_container
from condmix.runtime.bundle.errors import DamagedBundleError, MemberProblem, NotABundleError, UnsafeBundleError
from condmix.runtime.bundle.limits import LIMITS, BundleLimits
from condmix.runtime.bundle.manifest import MANIFEST_NAME, Manifest, Member
from condmix.runtime.bundle.manifest_text import parse_manifest
from condmix.runtime.bundle.zip_form import ZIP_ERRORS
from condmix.runtime.errors import one_line

_CHUNK_BYTES = 1 << 20


class Sink(Protocol):
    """Where content goes."""

    def write(self, data: bytes, /) -> object:
        """The data is taken."""
        ...


class Bundle:
    """An open bundle. Made by `open_bundle`.

    digest: SHA-256 of its manifest, which holds the hashes of all else: the same for the zip file and the folder.
    """

    def __init__(self, path: Path, container: Container, manifest: Manifest, manifest_content: bytes) -> None:
        self.path = path
        self.manifest = manifest
        self.manifest_content = manifest_content
        self.digest = hashlib.sha256(manifest_content).hexdigest()
        self._container = container

    def copy(self, member: Member, sink: Sink) -> MemberProblem | None:
        """The content went into the sink, never more than the member's size; what is wrong with it, None if nothing.

        Raises what the sink raises.
        """
        digest, size_bytes = hashlib.sha256(), 0
        try:
            stream = self._container.open(member.name)
        except (OSError, *ZIP_ERRORS) as error:
            return MemberProblem(member=member.name, text=f"it cannot be read: {one_line(error)}")
        with stream:
            while True:
                # One byte more than there may be tells that there is more.
                wanted = min(_CHUNK_BYTES, member.size_bytes - size_bytes + 1)
                try:
                    chunk = stream.read(wanted)
                except (OSError, *ZIP_ERRORS) as error:
                    return MemberProblem(member=member.name, text=f"it cannot be read: {one_line(error)}")
                if not chunk:
                    break
                size_bytes += len(chunk)
                if size_bytes > member.size_bytes:
                    text = f"it has more than the {member.size_bytes} bytes that the manifest states"
                    return MemberProblem(member=member.name, text=text)
                digest.update(chunk)
                sink.write(chunk)
        if size_bytes < member.size_bytes:
            text = f"it has {size_bytes} bytes, the manifest states {member.size_bytes}"
            return MemberProblem(member=member.name, text=text)
        if digest.hexdigest() != member.sha256:
            text = f"its SHA-256 is {digest.hexdigest()}, the manifest states {member.sha256}"
            return MemberProblem(member=member.name, text=text)
        return None

    def check(self) -> None:
        """Every member is what the manifest promises. Raises DamagedBundleError naming all that are not."""
        nowhere = _Nowhere()
        found = [self.copy(member, nowhere) for member in self.manifest.members]
        if problems := [problem for problem in found if problem is not None]:
            raise DamagedBundleError(self.path, problems)


@contextmanager
def open_bundle(path: Path, *, digest: str | None = None, limits: BundleLimits = LIMITS) -> Iterator[Bundle]:
    """The bundle at `path`, a zip file or a folder: its members are those of its manifest, in name and size.

    digest: which bundle it must be, None for any.
    What a member holds is checked by whoever reads it, with `copy`; `check` reads all.
    Raises NotABundleError, UnsafeBundleError, InvalidManifestError or DamagedBundleError, each naming the members.
    """
    with open_container(path, limits) as container:
        content = _manifest_content(path, container, limits)
        found = hashlib.sha256(content).hexdigest()
        if digest is not None and found != digest:
            text = f"its SHA-256, the digest of the bundle, is {found}, expected {digest}: it is another bundle"
            raise DamagedBundleError(path, [MemberProblem(member=MANIFEST_NAME, text=text)])
        manifest = parse_manifest(content, path)
        _check_limits(path, manifest, limits)
        if problems := _list_problems(manifest, container.sizes):
            raise DamagedBundleError(path, problems)
        yield Bundle(path, container, manifest, content)


def check_bundle(path: Path, *, limits: BundleLimits = LIMITS) -> Manifest:
    """The manifest of a bundle of which everything was read and found right. Raises as `open_bundle`."""
    with open_bundle(path, limits=limits) as bundle:
        bundle.check()
        return bundle.manifest


def _manifest_content(path: Path, container: Container, limits: BundleLimits) -> bytes:
    if MANIFEST_NAME not in container.sizes:
        near = [name for name in container.sizes if name.casefold() == MANIFEST_NAME]
        hint = f"; there is {near[0]!r}, but case counts" if near else ": it is no bundle of condmix"
        text = f"there is no member {MANIFEST_NAME!r}{hint}"
        raise NotABundleError(path, [MemberProblem(member=None, text=text)])
    size_bytes = container.sizes[MANIFEST_NAME]
    if size_bytes > limits.manifest_bytes:
        text = f"it has {size_bytes} bytes, {limits.manifest_bytes} are allowed"
        raise UnsafeBundleError(path, [MemberProblem(member=MANIFEST_NAME, text=text)])
    try:
        with container.open(MANIFEST_NAME) as stream:
            content = stream.read(limits.manifest_bytes + 1)
    except (OSError, *ZIP_ERRORS) as error:
        text = f"it cannot be read: {one_line(error)}"
        raise DamagedBundleError(path, [MemberProblem(member=MANIFEST_NAME, text=text)]) from error
    if len(content) > limits.manifest_bytes:
        text = f"it has more than {limits.manifest_bytes} bytes"
        raise UnsafeBundleError(path, [MemberProblem(member=MANIFEST_NAME, text=text)])
    return content


def _check_limits(path: Path, manifest: Manifest, limits: BundleLimits) -> None:
    """What the manifest promises is not too much either. Raises UnsafeBundleError."""
    problems = []
    if len(manifest.members) > limits.members:
        text = f"it lists {len(manifest.members)} members, {limits.members} are allowed"
        problems.append(MemberProblem(member=MANIFEST_NAME, text=text))
    problems += [
        MemberProblem(
            member=member.name, text=f"it is to have {member.size_bytes} bytes, {limits.member_bytes} are allowed"
        )
        for member in manifest.members
        if member.size_bytes > limits.member_bytes
    ]
    if problems:
        raise UnsafeBundleError(path, problems)


def _list_problems(manifest: Manifest, sizes: Mapping[str, int]) -> list[MemberProblem]:
    """Members that are missing, unknown, or of another size than the manifest says."""
    listed = {member.name: member for member in manifest.members}
    by_case = {name.casefold(): name for name in listed}
    problems = []
    for name in sorted(sizes.keys() - listed.keys() - {MANIFEST_NAME}):
        other = by_case.get(name.casefold())
        hint = "" if other is None else f": it lists {other!r}, case counts"
        problems.append(MemberProblem(member=name, text=f"it is not in the manifest{hint}"))
    for name, member in listed.items():
        if name not in sizes:
            problems.append(MemberProblem(member=name, text="it is missing"))
        elif sizes[name] != member.size_bytes:
            text = f"it has {sizes[name]} bytes, the manifest states {member.size_bytes}"
            problems.append(MemberProblem(member=name, text=text))
    return problems


class _Nowhere:
    def write(self, _data: bytes) -> object:
        return None
