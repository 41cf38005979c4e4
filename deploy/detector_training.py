"""Training a detector of the zoo on pictures made here, or on a set of one's own, and saving it as a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from condmix.deploy.detect.detection_set import DetectionSet, read_detection_set
from condmix.deploy.detect.reading import EVALUATION, OutputReader, precision_of
from condmix.deploy.errors import ImagesError, PlanError
from condmix.deploy.picture_files import read_pixels
from condmix.deploy.torch_threads import one_torch_thread
from condmix.deploy.trained_checkpoint import save_trained
from condmix.models import zoo
from condmix.models.architectures import input_size
from condmix.models.detection_data import CLASS_NAMES, PREPROCESSING, DetectionPictures, PictureMaker
from condmix.models.detection_training import DetectionTrainingResult, DetectionTrainingSettings, train_detector
from condmix.models.detector import Detector
from condmix.models.detector_settings import SsdMobileNetV1Settings, SsdMobileNetV2Settings
from condmix.models.epochs import TrainingProgress
from condmix.runtime.detection.average_precision import AveragePrecision, Truth

SUITED = ("ssd_condconv_shapes", "ssdlite_mixconv_shapes")
HELD_OUT_PICTURES = 300
_HELD_OUT_SEED = 1_000_003
_SEEDS_A_RUN = 100_000
_HELD_OUT_SHARE = 5
"""Of a set of one's own every fifth picture is held out."""
_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class TrainedDetector:
    """Where the checkpoint lies and what training came to."""

    path: Path
    architecture: str
    result: DetectionTrainingResult
    precision: AveragePrecision
    class_names: tuple[str, ...]


def is_detector(architecture: str) -> bool:
    """Whether the zoo's network finds boxes. Raises UnknownArchitectureError."""
    return isinstance(zoo.describe(architecture).settings, SsdMobileNetV1Settings | SsdMobileNetV2Settings)


def train_and_save(
    architecture: str,
    settings: Mapping[str, object],
    training_settings: DetectionTrainingSettings,
    data: Path | None,
    path: Path,
    report_progress: Callable[[TrainingProgress], None],
) -> TrainedDetector:
    """The detector is trained on one thread from fresh weights drawn by the seed, and saved at `path`.

    data: a folder as `read_detection_set` takes it; None for pictures made here, fresh ones in every epoch.
    Raises subclasses of ModelError, PlanError for a network that does not suit, ImagesError, OutputError.
    """
    chosen = zoo.settings_for(architecture, settings)
    size = input_size(chosen)
    seed = training_settings.seed
    if data is None:
        _check_suits(architecture, chosen.num_classes, size[0], len(CLASS_NAMES), "the pictures made here")
        held_out = PictureMaker(held_out=True).make(HELD_OUT_PICTURES, side=size[1], seed=_HELD_OUT_SEED + seed)
        maker = PictureMaker(held_out=False)

        def pictures(epoch: int) -> DetectionPictures:
            return maker.make(training_settings.pictures, side=size[1], seed=seed * _SEEDS_A_RUN + epoch)

    else:
        known = read_detection_set(data, None)
        _check_suits(architecture, chosen.num_classes, size[0], len(known.class_names), str(data))
        own, held_out = _parts(known)

        def pictures(epoch: int) -> DetectionPictures:
            del epoch
            return own

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = zoo.build(architecture, settings)
    assert isinstance(module, Detector)
    with one_torch_thread():
        result = train_detector(module, pictures, PREPROCESSING, size, training_settings, report_progress)
        precision = measure_precision(module, held_out, size)
    _save(path, module, architecture, settings, training_settings, precision, held_out.class_names)
    return TrainedDetector(
        path=path, architecture=architecture, result=result, precision=precision, class_names=held_out.class_names
    )


def measure_precision(module: Detector, pictures: DetectionPictures, size: tuple[int, int, int]) -> AveragePrecision:
    """The mean average precision of the network on the pictures; leaves the module in eval mode."""
    module.eval()
    reader = OutputReader(anchors=module.anchors(*size[1:]))
    found = []
    images = pictures.inputs(PREPROCESSING, size)
    for first in range(0, len(images), _BATCH):
        with torch.no_grad():
            outputs = module(torch.from_numpy(images[first : first + _BATCH]))
        found += reader.candidates({name: value.numpy() for name, value in outputs.items()}, EVALUATION)
    truth = [
        Truth(boxes_xyxy=boxes, classes=labels) for boxes, labels in zip(pictures.boxes, pictures.labels, strict=True)
    ]
    return precision_of(found, truth, len(pictures.class_names))


def _check_suits(architecture: str, classes: int, channels: int, wanted: int, where: str) -> None:
    if channels != 3 or classes != wanted:
        summary = f"{architecture} cannot be trained on {where} (colour, {wanted} classes):"
        problems = [
            f"as it is set it takes {channels} channels and finds {classes} classes",
            f"choose one of {', '.join(SUITED)}, or give --set in_channels=3 --set num_classes={wanted}",
        ]
        raise PlanError(summary, problems)


def _parts(known: DetectionSet) -> tuple[DetectionPictures, DetectionPictures]:
    """The pictures to train on, and every fifth, held out."""
    pixels, problems = [], []
    for picture in known.pictures:
        try:
            pixels.append(read_pixels(picture))
        except OSError as error:
            problems.append(f"{picture.name}: {error}")
    if len(known.pictures) < _HELD_OUT_SHARE:
        problems.append(f"holds {len(known.pictures)} pictures: expected at least {_HELD_OUT_SHARE}, better hundreds")
    if problems:
        raise ImagesError(known.folder, problems, purpose="training")
    places = np.arange(len(pixels))
    held_out = places % _HELD_OUT_SHARE == _HELD_OUT_SHARE - 1
    return tuple(  # type: ignore[return-value]  # two
        DetectionPictures(
            pictures=tuple(pixels[place] for place in chosen),
            boxes=tuple(known.truth[place].boxes_xyxy for place in chosen),
            labels=tuple(known.truth[place].classes for place in chosen),
            class_names=known.class_names,
        )
        for chosen in (places[~held_out], places[held_out])
    )


def _save(
    path: Path,
    module: Detector,
    architecture: str,
    settings: Mapping[str, object],
    training_settings: DetectionTrainingSettings,
    precision: AveragePrecision,
    class_names: tuple[str, ...],
) -> None:
    remark = (
        f"trained for {training_settings.epochs} epochs with seed {training_settings.seed}: mAP@0.5 "
        f"{precision.at_50:.1%} on {precision.picture_count} held-out pictures with {precision.object_count} objects"
    )
    save_trained(
        path,
        module,
        architecture=architecture,
        settings=settings,
        input_size=input_size(module.settings),
        preprocessing=PREPROCESSING,
        class_names=class_names,
        remark=remark,
    )
