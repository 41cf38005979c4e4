"""Mean average precision of labels where int8 exports ask for accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from condmix.deploy.errors import ImagesError
from condmix.deploy.evaluate.label_location import is_label_set
from condmix.deploy.evaluate.label_set import read_label_set
from condmix.deploy.int8.float_network import JudgedImages
from condmix.models.network import LoadedNetwork
from condmix.runtime.label_scores import score_labels
from condmix.runtime.output_kind import LABELS, class_output

MEASURE = "mean average precision"


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelJudge:
    """Which labels hold for some images, and how well an output tells. Conforms to `guard.Judge`."""

    output: str
    truth: np.ndarray

    @property
    def measure(self) -> str:
        """What the share is called."""
        return MEASURE

    def scores(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The probabilities, (images, labels)."""
        return outputs[self.output].reshape(len(outputs[self.output]), -1)

    def accuracy(self, scores: np.ndarray) -> float:
        """From 0 to 1."""
        return score_labels(scores, self.truth).mean_average_precision


def judged_labels(evaluate: str | None, network: LoadedNetwork, outputs: Mapping[str, int]) -> JudgedImages | None:
    """The images of --evaluate with their labels, of a network that scores labels and no classes; else None.

    outputs: numbers an image of each output. Raises ImagesError.
    """
    kinds = network.output_kinds
    output = next((name for name in kinds if kinds[name] == LABELS), None)
    if evaluate is None or output is None or class_output(kinds, list(kinds)) is not None:
        return None
    path = Path(evaluate)
    if not is_label_set(path):
        problem = "the network scores labels: expected a .npz whose labels are a matrix, or labels.csv with pictures"
        raise ImagesError(path, [problem], purpose="evaluation")
    found = read_label_set(path, network, outputs[output])
    return JudgedImages(images_nchw=found.images_nchw, judge=LabelJudge(output=output, truth=found.truth))
