"""Every way in which a bundle can be refused. Each error names the bundle, each problem its member."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from condmix.runtime.errors import InferenceError

_MOST_SHOWN = 20
_LONGEST_NAME = 80


@dataclass(frozen=True, kw_only=True)
class MemberProblem:
    """What is wrong, and with which member; None: with the bundle itself."""

    member: str | None
    text: str

    def sentence(self) -> str:
        """One line. A name that nobody vouches for is shown escaped and shortened: it may hold anything."""
        if self.member is None:
            return self.text
        shown = self.member if len(self.member) <= _LONGEST_NAME else f"{self.member[:_LONGEST_NAME]}..."
        return f"member {shown!r}: {self.text}"


class BundleError(InferenceError):
    """A bundle that is not used. `problems` has all that was found, `place` is the bundle."""

    heading = "it is not used"
    next_step = "Get the bundle again from whoever made it."

    def __init__(self, place: Path, problems: Sequence[MemberProblem]) -> None:
        self.place = place
        self.problems = tuple(problems)
        shown = [f"  - {problem.sentence()}" for problem in self.problems[:_MOST_SHOWN]]
        if rest := len(self.problems) - len(shown):
            shown.append(f"  - and {rest} more")
        super().__init__("\n".join((f"bundle '{place}': {self.heading}:", *shown, f"  {self.next_step}")))

    @property
    def members(self) -> tuple[str, ...]:
        """Every member that some problem is about."""
        return tuple(dict.fromkeys(one.member for one in self.problems if one.member is not None))


class NotABundleError(BundleError):
    """There is nothing, or neither a folder nor a zip archive of a bundle."""

    heading = "it cannot be opened"
    next_step = "Give a file or folder that condmix bundle wrote."


class UnsafeBundleError(BundleError):
    """Its form is refused before any content is read: a path, a link, a doubled name, a size, an unusual archive."""

    heading = "it is refused, nothing of it was used"
    next_step = "Get the bundle again; where it comes like this, do not trust it: condmix bundle writes no such thing."


class InvalidManifestError(BundleError):
    """The manifest is not one that this version reads."""

    heading = "its manifest is refused"


class DamagedBundleError(BundleError):
    """Members are missing, unknown, or not the bytes that the manifest promises."""

    heading = "it is damaged or was changed"


class UnpackError(InferenceError):
    """A bundle cannot be unpacked where it was asked for; nothing half-written is left there."""

    def __init__(self, folder: Path, reason: str, next_step: str) -> None:
        self.folder = folder
        super().__init__(f"{folder}: the bundle cannot be unpacked there: {reason}. {next_step}")
