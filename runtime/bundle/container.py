"""The members of a bundle by name, whether it is a zip archive or a folder: bounded, plain, nothing believed yet."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from condmix.runtime.bundle.errors import MemberProblem, NotABundleError, UnsafeBundleError
from condmix.runtime.bundle.limits import BundleLimits
from condmix.runtime.bundle.member_name import doubled, name_problem
from condmix.runtime.bundle.zip_form import looks_like_zip, read_form


class Container(Protocol):
    """Where the members are."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Name -> bytes that the member is said to have."""
        ...

    def open(self, name: str) -> BinaryIO:
        """The content. What it raises, and what reading it raises, are OSError or ZIP_ERRORS."""
        ...


@contextmanager
def open_container(path: Path, limits: BundleLimits) -> Iterator[Container]:
    """The container at `path`, its form checked.

    Raises NotABundleError, or UnsafeBundleError with everything for which it is refused.
    """
    with ExitStack() as opened:
        try:
            container = _open(path, limits, opened)
        except OSError as error:
            raise NotABundleError(path, [MemberProblem(member=None, text=error.strerror or str(error))]) from error
        yield container


def _open(path: Path, limits: BundleLimits, opened: ExitStack) -> Container:
    if path.is_dir():
        return opened.enter_context(_folder(path, limits))
    stream = opened.enter_context(_ordinary_file(path))
    if not looks_like_zip(stream):
        text = "it is neither a zip archive nor a folder, or its end is missing"
        raise NotABundleError(path, [MemberProblem(member=None, text=text)])
    form = read_form(stream, limits)
    if form.problems:
        raise UnsafeBundleError(path, form.problems)
    return _ZipContainer(opened.enter_context(zipfile.ZipFile(stream)))


class _ZipContainer:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.sizes: Mapping[str, int] = {member.filename: member.file_size for member in archive.infolist()}

    def open(self, name: str) -> BinaryIO:
        return cast(BinaryIO, self._archive.open(name))


class _FolderContainer:
    def __init__(self, number: int, sizes: Mapping[str, int]) -> None:
        self._number = number
        self.sizes = sizes

    def open(self, name: str) -> BinaryIO:
        # Not followed and not waited for, even if the file has become a link or a pipe since it was looked at.
        number = os.open(name, _READ, dir_fd=self._number)
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            text = "it is no ordinary file any more"
            raise OSError(text)
        return os.fdopen(number, "rb")


_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


@contextmanager
def _folder(path: Path, limits: BundleLimits) -> Iterator[Container]:
    """The folder stays the same one, whatever its name is given to meanwhile. Raises OSError."""
    number = os.open(path, os.O_RDONLY)
    try:
        yield _FolderContainer(number, _folder_sizes(path, number, limits))
    finally:
        os.close(number)


def _folder_sizes(path: Path, number: int, limits: BundleLimits) -> dict[str, int]:
    sizes: dict[str, int] = {}
    problems = []
    with os.scandir(number) as entries:
        for entry in entries:
            if len(sizes) > limits.members:
                text = f"it has more than {limits.members} members"
                raise UnsafeBundleError(path, [MemberProblem(member=None, text=text)])
            facts = entry.stat(follow_symlinks=False)
            sizes[entry.name] = facts.st_size
            if (text_or_none := name_problem(entry.name) or _kind_problem(facts.st_mode)) is not None:
                problems.append(MemberProblem(member=entry.name, text=text_or_none))
            elif facts.st_size > limits.member_bytes:
                text = f"it has {facts.st_size} bytes, {limits.member_bytes} are allowed"
                problems.append(MemberProblem(member=entry.name, text=text))
    problems += [
        MemberProblem(member=name, text=f"{earlier!r} differs by case only") for earlier, name in doubled(sorted(sizes))
    ]
    if (total := sum(sizes.values())) > limits.total_bytes:
        text = f"it has {total} bytes, {limits.total_bytes} are allowed"
        problems.append(MemberProblem(member=None, text=text))
    if problems:
        raise UnsafeBundleError(path, sorted(problems, key=lambda one: one.member or ""))
    return sizes


def _kind_problem(mode: int) -> str | None:
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISLNK(mode):
        return "it is a symbolic link"
    return "it is a folder: a bundle has none" if stat.S_ISDIR(mode) else "it is no ordinary file"


@contextmanager
def _ordinary_file(path: Path) -> Iterator[BinaryIO]:
    """A file that is no pipe or device, which could be read forever. Raises OSError."""
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with os.fdopen(number, "rb") as stream:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            text = "it is no ordinary file"
            raise OSError(text)
        yield stream
