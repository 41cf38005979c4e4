"""The form of a zip archive, looked at before anything in it is believed: nothing but plain members, one after the
other from the first byte to the last.

Python's zipfile reads more than that: archives with other data before, between and after the members, members that
share their bytes, and a directory of any length. Each of these lets a small file grow without bound, or two programs
see different members. What is left over here, zipfile reads.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from condmix.runtime.bundle.errors import MemberProblem
from condmix.runtime.bundle.limits import BundleLimits
from condmix.runtime.bundle.member_name import doubled, name_problem
from condmix.runtime.errors import one_line

ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, struct.error)
"""All that a damaged archive makes zipfile raise."""
_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\x05\x06"
_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_MARK = b"PK\x03\x04"
_DIRECTORY_BYTES_A_MEMBER = 1024
_ENCRYPTED, _DESCRIPTOR = 0x1, 0x8
_DESCRIPTOR_BYTES = (12, 16)
_METHODS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}


@dataclass(frozen=True, kw_only=True)
class ZipForm:
    """What the directory of an archive says, or everything for which it is refused."""

    members: tuple[zipfile.ZipInfo, ...]
    problems: tuple[MemberProblem, ...]


def looks_like_zip(stream: BinaryIO) -> bool:
    """The file begins or ends as zip archives do."""
    size_bytes = stream.seek(0, 2)
    stream.seek(0)
    begins = stream.read(4) in (_LOCAL_MARK, _END_MARK)
    stream.seek(max(0, size_bytes - _END.size))
    return begins or stream.read(4) == _END_MARK


def read_form(
    stream: BinaryIO, limits: BundleLimits, *, plain_names: bool = True, most_members: int | None = None
) -> ZipForm:
    """The members of the archive, or its problems; of the content nothing is read.

    plain_names: members must be named as those of a bundle. most_members: by itself one more than the limit, for the
    manifest.
    """
    most = limits.members + 1 if most_members is None else most_members
    if (text := _end_problem(stream, most)) is not None:
        return ZipForm(members=(), problems=(MemberProblem(member=None, text=text),))
    try:
        with zipfile.ZipFile(stream) as archive:
            members = tuple(archive.infolist())
    except ZIP_ERRORS as error:
        problem = MemberProblem(member=None, text=f"its directory cannot be read: {one_line(error)}")
        return ZipForm(members=(), problems=(problem,))
    names = [member.filename for member in members]
    problems = [
        MemberProblem(member=name, text="it is there twice" if name == earlier else f"{earlier!r} differs by case only")
        for earlier, name in doubled(names)
    ]
    for member in members:
        texts = _member_problems(member, limits, plain_names=plain_names)
        problems += [MemberProblem(member=member.filename, text=text) for text in texts]
    total = sum(member.file_size for member in members)
    if total > limits.total_bytes:
        text = f"it says it unpacks to {total} bytes, {limits.total_bytes} are allowed"
        problems.append(MemberProblem(member=None, text=text))
    problems += _layout_problems(stream, members)
    return ZipForm(members=members, problems=tuple(problems))


def _end_problem(stream: BinaryIO, most_members: int) -> str | None:
    """What is wrong with the last 22 bytes; None when they describe the whole file."""
    size_bytes = stream.seek(0, 2)
    if size_bytes < _END.size:
        return f"it ends after {size_bytes} bytes: it is truncated"
    stream.seek(size_bytes - _END.size)
    mark, disk, first_disk, here, count, directory_bytes, offset, comment = _END.unpack(stream.read(_END.size))
    if mark != _END_MARK or comment:
        return "it does not end with its directory: it is truncated, or there is other data behind it"
    if disk or first_disk or here != count:
        return "it is a part of an archive in several files"
    if count > most_members or directory_bytes > most_members * _DIRECTORY_BYTES_A_MEMBER:
        return f"its directory is of {count} members in {directory_bytes} bytes, {most_members} members are allowed"
    if offset + directory_bytes + _END.size != size_bytes:
        return "its directory is not where it says: there is other data before or behind it, or it is a zip64 archive"
    return None


def _member_problems(member: zipfile.ZipInfo, limits: BundleLimits, *, plain_names: bool) -> list[str]:
    problems = []
    # orig_filename: zipfile cuts names at a zero byte and turns separators round.
    if plain_names and (text := name_problem(member.orig_filename)) is not None:
        problems.append(text)
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode):
        problems.append("it is a symbolic link")
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        problems.append("it is no ordinary file")
    if member.flag_bits & _ENCRYPTED:
        problems.append("it is encrypted")
    if member.compress_type not in _METHODS:
        known = " or ".join(_METHODS.values())
        problems.append(f"it is packed by method {member.compress_type}, expected {known}")
    if member.file_size > limits.member_bytes:
        problems.append(f"it says it unpacks to {member.file_size} bytes, {limits.member_bytes} are allowed")
    if member.file_size > limits.ratio_counts_above and member.file_size > limits.ratio * member.compress_size:
        ratio = member.file_size / max(1, member.compress_size)
        problems.append(f"it says it unpacks to {ratio:.0f} times its size, {limits.ratio} times are allowed")
    return problems


def _layout_problems(stream: BinaryIO, members: Sequence[zipfile.ZipInfo]) -> list[MemberProblem]:
    """Members that do not follow one another from the first byte to the directory."""
    problems = []
    expected = 0
    size_bytes = stream.seek(0, 2)
    stream.seek(size_bytes - _END.size)
    directory = _END.unpack(stream.read(_END.size))[6]
    for member in sorted(members, key=lambda one: one.header_offset):
        stream.seek(min(member.header_offset, size_bytes))
        header = stream.read(_LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(_LOCAL_MARK):
            problems.append(MemberProblem(member=member.filename, text="it does not begin where the directory says"))
            return problems
        name_bytes, extra_bytes = _LOCAL.unpack(header)[9:11]
        gap = member.header_offset - expected
        if gap:
            text = "its bytes are also those of another member" if gap < 0 else f"there are {gap} bytes before it"
            problems.append(MemberProblem(member=member.filename, text=text))
        expected = member.header_offset + _LOCAL.size + name_bytes + extra_bytes + member.compress_size
        if member.flag_bits & _DESCRIPTOR:
            following = [one.header_offset for one in members if one.header_offset > member.header_offset]
            behind = min(following, default=directory) - expected
            expected += behind if behind in _DESCRIPTOR_BYTES else 0
    if not problems and expected != directory:
        text = f"its members end at byte {expected}, its directory begins at {directory}"
        problems.append(MemberProblem(member=None, text=text))
    return problems
