"""Files that appear whole, together, or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from condmix.deploy.errors import OutputError, PlanError


class PendingFiles:
    """Files written beside their final names. Made by `pending_files`."""

    def __init__(self, *, overwrite: bool) -> None:
        self._overwrite = overwrite
        self._partials: dict[Path, Path] = {}

    def write(self, path: Path, content: bytes) -> Path:
        """The content is on the disk under the returned temporary name, in the folder of `path`.

        Raises OutputError, naming `path`.
        """
        partial = _beside(path, "partial")
        self._partials[path] = partial
        try:
            with partial.open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise OutputError(path, error) from error
        return partial

    def commit(self) -> None:
        """Every file written has its final name, or, after OutputError, none has and older files are back.

        Raises PlanError when a file has appeared meanwhile that may not be replaced.
        """
        refuse_existing(tuple(self._partials), overwrite=self._overwrite)
        undo: list[tuple[Path, Path | None]] = []
        try:
            for path, partial in self._partials.items():
                undo.append((path, _set_aside(path)))
                _rename(partial, path)
        except BaseException:
            for path, previous in reversed(undo):
                if previous is not None:
                    previous.replace(path)
                    # Two names of one file stay two: renaming one to the other does nothing.
                    previous.unlink(missing_ok=True)
                elif not self._partials[path].exists():
                    path.unlink(missing_ok=True)
            raise
        for _, previous in undo:
            if previous is not None:
                previous.unlink()

    def discard(self) -> None:
        """No temporary file remains."""
        for partial in self._partials.values():
            partial.unlink(missing_ok=True)


@contextmanager
def pending_files(*, overwrite: bool) -> Iterator[PendingFiles]:
    """Inside, files are written beside their final names; only `commit` makes them appear.

    However the block ends, by Ctrl-C too, no temporary file remains.
    """
    files = PendingFiles(overwrite=overwrite)
    try:
        yield files
    finally:
        files.discard()


def refuse_existing(paths: tuple[Path, ...], *, overwrite: bool) -> None:
    """Nothing is at `paths`, or only files that `overwrite` allows to replace.

    Raises PlanError listing all that is in the way, folders even with `overwrite`.
    """
    folders = [f"{path} is a folder: choose another name with -o" for path in paths if path.is_dir()]
    files = [] if overwrite else [str(path) for path in paths if path.exists() and not path.is_dir()]
    if files or folders:
        summary = "the output exists; pass --overwrite to replace it, or choose another name with -o:"
        raise PlanError(summary, [*files, *folders])


def require_room(paths: tuple[Path, ...], *, overwrite: bool) -> None:
    """The files at `paths`, all in one folder, may be written and can be.

    Raises PlanError for existing ones, OutputError where the folder takes no file.
    """
    refuse_existing(paths, overwrite=overwrite)
    _check_writable(paths[0])


def _check_writable(path: Path) -> None:
    """A file can be made in the folder of `path`: one was, and was removed again. Raises OutputError."""
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OutputError(path, error) from error


def _beside(path: Path, role: str) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{role}")


def _set_aside(path: Path) -> Path | None:
    """The older file under a temporary name, so that it can come back; None where there is none."""
    if not path.exists():
        return None
    previous = _beside(path, "previous")
    try:
        # A second name for the same file: it is never missing, not even for a moment.
        os.link(path, previous)
    except OSError:
        # Not every file system has hard links.
        _rename(path, previous)
    return previous


def _rename(source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except OSError as error:
        raise OutputError(target, error) from error
