"""A file's scores on images: as many a call as it takes, in real numbers whatever it stores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from condmix.runtime.bench.inputs import feeds_of_images
from condmix.runtime.errors import ComparisonImpossibleError
from condmix.runtime.session import Session
from condmix.runtime.signature import Signature


class Scorer:
    """An open file that names classes. batch: images a call, where the file leaves that free. output: that scores
    the classes, the first unless given."""

    def __init__(
        self, session: Session, scales: Mapping[str, tuple[float, int]], *, batch: int, output: str | None = None
    ) -> None:
        self._session, self._scales = session, scales
        self._output = output or session.signature.outputs[0].name
        self._free = is_free(session.signature)
        self._batch = images_a_call(session.signature, batch)

    def scores(self, images_nchw: np.ndarray) -> np.ndarray:
        """(images, classes) in float64, of its output.

        Calls begin at the first image and are all of one size, the last one filled up with images of its own, so that
        an image has the same neighbours however many images there are after its call.
        Raises InvalidSettingError where the images do not fit the file, SessionFailedError where its engine fails,
        ComparisonImpossibleError where the output is not one row of two or more scores an image.
        """
        rows = [
            self._call(images_nchw[start : start + self._batch]) for start in range(0, len(images_nchw), self._batch)
        ]
        return np.concatenate(rows)

    def _call(self, images_nchw: np.ndarray) -> np.ndarray:
        signature = self._session.signature
        feeds = feeds_of_images(
            {signature.inputs[0].name: images_nchw},
            signature,
            source="given",
            batch=self._batch if self._free else None,
            scales=self._scales,
        )
        output = self._session.run({name: array[0] for name, array in feeds.arrays.items()})[self._output]
        if output.size % self._batch or output.size < 2 * self._batch:
            problem = f"output {self._output!r} is {list(output.shape)}: expected two or more scores an image"
            raise ComparisonImpossibleError([problem])
        real = output.reshape(self._batch, -1)[: len(images_nchw)].astype(np.float64)
        if self._output in self._scales:
            scale, zero_point = self._scales[self._output]
            real = scale * (real - zero_point)
        return real


def is_free(signature: Signature) -> bool:
    """Whether the file takes any number of images a call."""
    shape = signature.inputs[0].shape
    return len(shape) >= 2 and isinstance(shape[0], str)


def images_a_call(signature: Signature, asked: int) -> int:
    """What the file fixes, else what was asked for."""
    shape = signature.inputs[0].shape
    if len(shape) < 2:
        return 1
    return shape[0] if isinstance(shape[0], int) else asked
