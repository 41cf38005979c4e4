"""Values looked at image by image. What is kept of each is a histogram; nothing else stays in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from condmix.exporters.quantize.histogram import Histogram

Run = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""From one image (channels, height, width) to all values of interest by name."""
ReportProgress = Callable[[int], None]
"""Called with the number of images that are done."""


def observe(
    run: Run, images: Iterable[np.ndarray], report_progress: ReportProgress | None = None
) -> dict[str, Histogram]:
    """The histogram of every float value that `run` shows, over all images.

    A graph and a finished float file of any format are observed alike; values that are no floats are passed over.
    """
    histograms: dict[str, Histogram] = {}
    for done, image in enumerate(images, start=1):
        for name, array in run(image).items():
            if np.issubdtype(array.dtype, np.floating):
                histograms.setdefault(name, Histogram()).add(array)
        if report_progress is not None:
            report_progress(done)
    return histograms
