"""Trains a small detector on a CPU, repeatably: the same seed and start give the same weights."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from condmix.models.detection_data import DetectionPictures
from condmix.models.detection_loss import assign, detection_loss
from condmix.models.detector import Detector
from condmix.models.epochs import TrainingProgress, full_batches, run_epochs
from condmix.models.errors import SettingsError
from condmix.models.precise_batch_norm import measure_statistics_again
from condmix.models.preprocessing import InputSize, Preprocessing
from condmix.models.training import TrainingSettings, optimizer_of

PicturesOfEpoch = Callable[[int], DetectionPictures]
"""The pictures of an epoch, counted from 1: the same ones each time, or fresh ones."""
MOST_GRADIENT = 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectionTrainingSettings(TrainingSettings):
    """The same choices as for classifiers, with other numbers; no label smoothing, and only mirroring as variation."""

    epochs: int = 24
    batch_size: int = 16
    learning_rate: float = 0.02
    weight_decay: float = 0.01
    routing_rate: float = 2.0
    """Faster, with this large learning rate, gates close for good before they have learnt to tell pictures apart."""
    label_smoothing: float = 0.0
    pictures: int = 512
    """An epoch, where they are made freshly for each."""

    def __post_init__(self) -> None:
        """Adds: enough pictures for a batch."""
        super().__post_init__()
        if self.pictures < self.batch_size:
            place = "training"
            problem = f"pictures is {self.pictures}, expected at least batch_size = {self.batch_size}"
            raise SettingsError(place, [problem])


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectionTrainingResult:
    """The mean loss of each epoch, and how long it all took."""

    epoch_losses: tuple[float, ...]
    seconds: float


def train_detector(
    module: Detector,
    pictures_of_epoch: PicturesOfEpoch,
    preprocessing: Preprocessing,
    input_size: InputSize,
    settings: DetectionTrainingSettings,
    report_progress: Callable[[TrainingProgress], None],
) -> DetectionTrainingResult:
    """`module` is trained in place and left in eval mode, its batch norm measured again on the last epoch's pictures.

    Half of the pictures are mirrored. torch's global generator is left as it was. Raises `TrainingError` where there
    are fewer pictures than a batch has, or the loss is no longer a number.
    """
    started = time.perf_counter()
    anchors = torch.from_numpy(module.anchors(*input_size[1:]))
    images = torch.empty(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        generator = torch.Generator().manual_seed(settings.seed)
        first = pictures_of_epoch(1)
        steps = full_batches(len(first), settings.batch_size)
        optimizer, schedule = optimizer_of(module, settings, steps=settings.epochs * steps)

        def one_epoch(epoch: int) -> float:
            nonlocal images
            data = first if epoch == 1 else pictures_of_epoch(epoch)
            images = torch.from_numpy(data.inputs(preprocessing, input_size))
            order = torch.randperm(len(images), generator=generator)[: steps * settings.batch_size]
            total = 0.0
            module.train()
            for chosen in order.reshape(steps, settings.batch_size):
                batch, classes, wanted = _batch(images, data, chosen, anchors, generator)
                raw = module(batch)
                loss = detection_loss(raw["boxes"], raw["scores"], classes, wanted)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(module.parameters(), MOST_GRADIENT)
                optimizer.step()
                schedule.step()
                total += loss.item()
            return total / steps

        losses = run_epochs(one_epoch, settings.epochs, report_progress)
        measure_statistics_again(module, images, generator)
    return DetectionTrainingResult(epoch_losses=losses, seconds=time.perf_counter() - started)


def _batch(
    images: Tensor, data: DetectionPictures, chosen: Tensor, anchors: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """The pictures, and what every anchor is to say of them."""
    mirrored = torch.rand(len(chosen), generator=generator) < 0.5
    batch, classes, wanted = [], [], []
    for index, mirror in zip(chosen.tolist(), mirrored.tolist(), strict=True):
        boxes = _mirrored(data.boxes[index]) if mirror else data.boxes[index]
        batch.append(images[index].flip(-1) if mirror else images[index])
        own_classes, own_wanted = assign(anchors, torch.from_numpy(boxes), torch.from_numpy(data.labels[index]))
        classes.append(own_classes)
        wanted.append(own_wanted)
    return torch.stack(batch), torch.stack(classes), torch.stack(wanted)


def _mirrored(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.stack((1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]), axis=1)
