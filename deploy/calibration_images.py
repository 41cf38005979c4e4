"""The images that int8 ranges are taken from: opened, checked as a whole, and then gone through as often as needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from condmix.deploy.class_labels import Labels
from condmix.deploy.errors import ImagesError
from condmix.deploy.function_source import FunctionSource
from condmix.deploy.image_checks import ImageChecks, digest_of
from condmix.deploy.image_sources import PURPOSE, FolderSource, ImageSource, RandomSource, npy_source, npz_source
from condmix.deploy.joint_source import joint_source
from condmix.deploy.picture_files import Images, spread_evenly
from condmix.models.network import LoadedNetwork

DEFAULT_SAMPLES = 300
FEW_SAMPLES = 16
"""Of fewer the extremes are a matter of luck."""
RANDOM = "random"


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationImages:
    """Images (channels, height, width), float32, preprocessed; read anew on each pass, one in memory at a time.

    Going through them raises ImagesError where they are no longer those that were checked.
    """

    source: ImageSource
    places: tuple[int, ...]
    """Of the images in the source."""
    digests: tuple[bytes, ...]
    labels: Labels | None
    """One class an image, from 0."""
    notes: tuple[str, ...]
    """What was taken, and what the user should know of it."""
    warnings: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Images]:
        count = 0
        for item, digest in zip(self.source.items(self.places), self.digests, strict=False):
            if isinstance(item.found, str) or digest_of(item.found) != digest:
                changed = f"{item.name} is not what it was when it was checked: expected the same images on each pass"
                raise ImagesError(self.source.name, [f"{changed}; fix seeds and order"], purpose=PURPOSE)
            yield item.found
            count += 1
        if count < len(self):
            fewer = f"gave {len(self)} images on the first pass and {count} now: expected the same on each"
            raise ImagesError(self.source.name, [fewer], purpose=PURPOSE)

    def take(self, indices: Sequence[int]) -> CalibrationImages:
        """Those images alone, in ascending order; for a choice that covers all experts."""
        kept = sorted(set(indices))
        return replace(
            self,
            places=tuple(self.places[index] for index in kept),
            digests=tuple(self.digests[index] for index in kept),
            labels=None if self.labels is None else self.labels[kept],
        )


def open_calibration_images(
    given: str | Path,
    network: LoadedNetwork,
    *,
    samples: int | None = DEFAULT_SAMPLES,
    allow_random: bool = False,
    class_count: int | None = None,
    use_labels: bool = True,
) -> CalibrationImages:
    """The images that `given` leads to, all of them checked; `samples` of them, spread evenly, None for all.

    given: a folder of pictures (or of folders called like the classes), a .npy, a .npz with `images` and perhaps
    `labels` and `class_names`, `package.module:function`, or "random", which only `allow_random` permits.
    class_count: of the network, where that is known; else the number of its class names.
    use_labels: False to take the pictures of class folders whatever these are called.
    Raises ImagesError naming everything that stands against them.
    """
    if samples is not None and samples < 1:
        raise ImagesError(given, [f"{samples} samples were asked for: expected at least 1"], purpose=PURPOSE)
    if class_count is None and network.class_names is not None:
        class_count = len(network.class_names)
    source = _source(str(given), network, samples, allow_random, class_count, use_labels)
    places = _places(source, samples)
    checks = ImageChecks(network.preprocessing)
    problems: list[str] = []
    labels: list[int | None] = []
    for item in source.items(places):
        labels.append(item.label)
        if isinstance(item.found, str):
            problems.append(f"{item.name}: {item.found}")
        else:
            checks.see(item.name, item.found)
    problems += checks.problems
    labelled = sum(label is not None for label in labels)
    if 0 < labelled < len(labels):
        problems.append(f"{labelled} of {len(labels)} images have a label: expected all or none")
    if not labels:
        problems.append("holds no images")
    if problems:
        raise ImagesError(given, problems, purpose=PURPOSE)
    known = [label for label in labels if label is not None]
    return CalibrationImages(
        source=source,
        places=tuple(places[: len(labels)]),
        digests=tuple(checks.digests),
        labels=np.array(known, np.int64) if known else None,
        notes=(_what_was_taken(source, len(labels), samples),),
        warnings=(*_few(source, len(labels), samples), *checks.warnings),
    )


def _source(
    given: str,
    network: LoadedNetwork,
    samples: int | None,
    allow_random: bool,
    class_count: int | None,
    use_labels: bool,
) -> ImageSource:
    path = Path(given)
    if given == RANDOM and not path.exists() and not allow_random:
        only = "random images tell nothing of what the network will see: allow them with --allow-random-calibration"
        raise ImagesError(given, [only], purpose=PURPOSE)
    if len(network.input_shapes) > 1:
        return joint_source(given, network, network.input_shapes, samples or DEFAULT_SAMPLES, purpose=PURPOSE)
    if path.is_dir():
        return FolderSource(path, network, class_count, use_labels=use_labels)
    if path.is_file() and path.suffix == ".npy":
        return npy_source(path, network)
    if path.is_file() and path.suffix == ".npz":
        return npz_source(path, network, class_count, use_labels=use_labels)
    if given == RANDOM and not path.exists():
        return RandomSource(samples or DEFAULT_SAMPLES, network)
    if ":" in given and not path.exists():
        return FunctionSource(given, network, class_count, use_labels=use_labels)
    found = f"a file named {path.suffix or 'without a suffix'}" if path.exists() else "no such file or folder"
    wanted = "a folder of pictures, a .npy or .npz file, or package.module:function"
    raise ImagesError(given, [f"expected {wanted}; found {found}"], purpose=PURPOSE)


def _places(source: ImageSource, samples: int | None) -> Sequence[int]:
    if source.count is not None:
        return spread_evenly(source.count, source.count if samples is None else samples)
    # Only the source itself knows its end: it is asked for the first ones.
    return range(samples or 2**31)


def _what_was_taken(source: ImageSource, taken: int, samples: int | None) -> str:
    if source.count is None:
        end = "all that it gives" if samples is None or taken < samples else "the first that it gives"
        return f"calibrated on {taken} images of {source.name}, {end}"
    spread = ", spread evenly" if taken < source.count else ""
    return f"calibrated on {taken} of {source.count} images in {source.name}{spread}"


def _few(source: ImageSource, taken: int, samples: int | None) -> list[str]:
    warnings = []
    if source.name == RANDOM:
        warnings.append("calibrated on random images: the accuracy of the int8 files is a matter of luck")
    if taken < FEW_SAMPLES:
        warnings.append(
            f"{taken} calibration images are few: expected at least {FEW_SAMPLES}, better {DEFAULT_SAMPLES}"
        )
    elif samples is not None and taken < samples:
        warnings.append(f"{taken} calibration images where {samples} were asked for: there are no more")
    return warnings
