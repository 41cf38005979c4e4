"""How many labelled images each file names rightly, run by its own engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from condmix.deploy.calibration_images import CalibrationImages, open_calibration_images
from condmix.deploy.errors import ImagesError
from condmix.deploy.evaluate.intake import metadata_of
from condmix.models.network import LoadedNetwork
from condmix.runtime.audit.audit import format_of
from condmix.runtime.bench.identity import engine_of
from condmix.runtime.bench.inputs import feeds_of_images
from condmix.runtime.bench.subject import ONNXRUNTIME
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.output_kind import class_output, kinds_in
from condmix.runtime.session import Session
from condmix.runtime.signature import Signature

CHUNK = 32
"""Images that are in memory at a time."""


def labelled_images(given: str, network: LoadedNetwork) -> CalibrationImages:
    """All images that `given` leads to, each with its class. Raises ImagesError, also where they have no labels."""
    images = open_calibration_images(given, network, samples=None)
    if images.labels is None:
        problem = "has no labels: expected one folder a class, or a .npz with `labels`"
        raise ImagesError(given, [problem], purpose="evaluation")
    return images


def top1_of(path: Path, images: CalibrationImages, report_progress: Callable[[str], None]) -> dict[str, object] | None:
    """A subject's part of the section `accuracy`; None where the file scores no classes.

    Raises what its engine raises.
    """
    session, scales = _opened(path)
    assert images.labels is not None
    metadata, _ = metadata_of(path, format_of(path))
    scoring = class_output(kinds_in(metadata), [spec.name for spec in session.signature.outputs])
    if scoring is None:
        return None
    right = seen = 0
    for chunk in _chunks(images):
        feeds = feeds_of_images(
            _by_name(np.stack(chunk), session.signature), session.signature, source="given", scales=scales
        )
        found: dict[int, int] = {}
        for number, places in enumerate(feeds.image_of_row):
            outputs = session.run({name: array[number] for name, array in feeds.arrays.items()})
            scores = outputs[scoring].reshape(len(places), -1)
            if scores.shape[1] < 2:
                return None
            found |= dict(zip(places.tolist(), scores.argmax(axis=1).tolist(), strict=True))
        labels = images.labels[seen : seen + len(chunk)]
        right += sum(int(label == found[place]) for place, label in enumerate(labels.tolist()))
        seen += len(chunk)
        report_progress(f"accuracy of {path.name} ({seen} of {len(images)})")
    return {"top1": right / seen, "images": seen, "source": images.source.name}


def _by_name(images: np.ndarray, signature: Signature) -> dict[str, np.ndarray]:
    """What each input of a file is fed; several inputs are known by their names, and one by being the only one."""
    names = [spec.name for spec in signature.inputs]
    fields = images.dtype.names
    if fields is None:
        return {names[0]: images}
    return {name: images[name if name in fields else fields[place]] for place, name in enumerate(names)}


def _opened(path: Path) -> tuple[Session, dict[str, tuple[float, int]]]:
    if engine_of(path) == ONNXRUNTIME:
        return OnnxRuntimeBackend().open(path, threads=1), {}
    session = LiteRtBackend().open(path, threads=1)
    return session, session.end_scales()


def _chunks(images: CalibrationImages) -> Iterator[list[np.ndarray]]:
    waiting = iter(images)
    while chunk := list(islice(waiting, CHUNK)):
        yield chunk
