"""Where a model's bytes are found, on this machine and on a worker's, and the proof that they are the same ones."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.evaluate.errors import NotTheSameError
from condmix.runtime.artifact import Format
from condmix.runtime.bundle.errors import BundleError
from condmix.runtime.bundle.reader import open_bundle
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.session import Session

THREADS = 1
"""Of the engine: more would split sums differently, and a worker has one core."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """A model file, or a member of a bundle, by absolute path and hash.

    member: of the bundle at `path`; None for a plain file. weights: (name, sha256) of the files beside an ONNX file
    that hold its weights.
    """

    path: Path
    member: str | None
    format: Format
    sha256: str
    weights: tuple[tuple[str, str], ...] = ()

    @property
    def place(self) -> str:
        """As messages call it."""
        return str(self.path) if self.member is None else f"{self.path}, {self.member}"

    @property
    def content_sha256(self) -> str:
        """Of all that the engine reads: another one whenever any of these bytes is another."""
        if not self.weights:
            return self.sha256
        parts = [self.sha256, *(f"{name}:{digest}" for name, digest in self.weights)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def open(self) -> tuple[Session, Mapping[str, tuple[float, int]]]:
        """A session on one thread, and (scale, zero point) of the ends that are integers.

        Raises NotTheSameError where other bytes are found than were hashed, and what the engine raises.
        """
        model = self._checked()
        if self.format is Format.ONNX:
            return OnnxRuntimeBackend().open(model, threads=THREADS), {}
        session = LiteRtBackend().open(model, threads=THREADS)
        return session, session.end_scales()

    def _checked(self) -> Path | bytes:
        if self.member is not None:
            return self._member_content()
        for path, expected in self._files():
            if sha256_of(path) != expected:
                message = f"{path}: is not the file that was hashed at the beginning (sha256 {expected[:12]}...)"
                raise NotTheSameError(message)
        return self.path

    def _files(self) -> Iterator[tuple[Path, str]]:
        yield self.path, self.sha256
        for name, digest in self.weights:
            yield self.path.parent / name, digest

    def _member_content(self) -> bytes:
        assert self.member is not None
        content = io.BytesIO()
        try:
            with open_bundle(self.path) as bundle:
                problem = bundle.copy(bundle.manifest.member(self.member), content)
        except (OSError, BundleError, KeyError) as error:
            message = f"{self.place}: cannot be read: {' '.join(str(error).split())}"
            raise NotTheSameError(message) from error
        if problem is not None or hashlib.sha256(content.getvalue()).hexdigest() != self.sha256:
            message = f"{self.place}: is not the member that was hashed at the beginning"
            raise NotTheSameError(message)
        return content.getvalue()


def sha256_of(path: Path) -> str:
    """Of the bytes of the file. Raises NotTheSameError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror or type(error).__name__}"
        raise NotTheSameError(message) from error
    return digest.hexdigest()
