"""A bundle given where model files are expected: its artifacts, unpacked for as long as they are measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

BUNDLE_SUFFIX = ".zip"


@contextmanager
def model_files(files: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """The same files, each bundle replaced by its artifacts, beside which lie their references.

    What is unpacked is checked before and gone after the block. Raises BundleError, UnpackError.
    """
    with ExitStack() as stack:
        found: list[Path] = []
        for file in files:
            if file.suffix.lower() != BUNDLE_SUFFIX or not file.is_file():
                found.append(file)
                continue
            from condmix.runtime.bundle.unpack import unpacked

            bundle = stack.enter_context(unpacked(file))
            found += [bundle.path(artifact.name) for artifact in bundle.manifest.artifacts]
        yield tuple(found)
