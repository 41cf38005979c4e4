"""Trains a small classifier on a CPU, repeatably: the same seed and start give the same weights."""

import dataclasses
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from condmix.models.augmentation import Augmentation
from condmix.models.condconv import Routing
from condmix.models.digits import ImageData
from condmix.models.epochs import TrainingProgress, full_batches, run_epochs
from condmix.models.errors import SettingsError, TrainingError
from condmix.models.precise_batch_norm import measure_statistics_again

_EVALUATION_BATCH = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How to train. The optimiser is AdamW; its rate rises to `learning_rate` over the first `warm_up` share of the
    steps, then falls to zero as a cosine. Routings of CondConv learn `routing_rate` times as fast. Raises
    `SettingsError` with every problem."""

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 5e-3
    weight_decay: float = 0.02
    routing_rate: float = 10.0
    warm_up: float = 0.15
    label_smoothing: float = 0.05
    seed: int = 0
    augmentation: Augmentation = dataclasses.field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        """Numbers within their range."""
        problems = [
            f"{name} is {value!r}, expected {wanted}"
            for name, value, right, wanted in (
                ("epochs", self.epochs, self.epochs >= 1, "at least 1"),
                ("batch_size", self.batch_size, self.batch_size >= 2, "at least 2, as batch norm needs"),
                ("learning_rate", self.learning_rate, 0 < self.learning_rate < math.inf, "above 0"),
                ("weight_decay", self.weight_decay, 0 <= self.weight_decay < math.inf, "0 or more"),
                ("routing_rate", self.routing_rate, 0 < self.routing_rate < math.inf, "above 0"),
                ("warm_up", self.warm_up, 0 < self.warm_up < 1, "between 0 and 1"),
                ("label_smoothing", self.label_smoothing, 0 <= self.label_smoothing < 1, "from 0 to below 1"),
                ("seed", self.seed, self.seed >= 0, "0 or more"),
            )
            if not right
        ]
        if problems:
            place = "training"
            raise SettingsError(place, problems)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What came of it. `held_out_accuracy` is the share of `held_out_count` pictures named rightly."""

    epoch_losses: tuple[float, ...]
    held_out_accuracy: float
    held_out_count: int
    seconds: float


def train(
    module: nn.Module,
    data: ImageData,
    settings: TrainingSettings,
    report_progress: Callable[[TrainingProgress], None],
) -> TrainingResult:
    """`module` is trained in place and left in eval mode; `report_progress` is called after each epoch.

    At the end the statistics of batch norm are measured again on the undistorted pictures.

    The same weights, data, settings and number of threads give the same result; torch's global generator is
    left as it was. Raises `TrainingError` where pictures do not fit the network or the loss is no longer a
    number.
    """
    started = time.perf_counter()
    images, labels = torch.from_numpy(data.train_images), torch.from_numpy(data.train_labels)
    steps = full_batches(len(images), settings.batch_size)
    _check(module, images, len(data.class_names))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        generator = torch.Generator().manual_seed(settings.seed)
        optimizer, schedule = optimizer_of(module, settings, steps=settings.epochs * steps)
        module.train()
        losses = run_epochs(
            lambda _: _one_epoch(module, images, labels, optimizer, schedule, generator, settings),
            settings.epochs,
            report_progress,
        )
        measure_statistics_again(module, images, generator)
    accuracy = measure_accuracy(module, data)
    return TrainingResult(
        epoch_losses=losses,
        held_out_accuracy=accuracy,
        held_out_count=len(data.held_out_labels),
        seconds=time.perf_counter() - started,
    )


def measure_accuracy(module: nn.Module, data: ImageData) -> float:
    """The share of held-out pictures whose highest score is their label's; leaves the module in eval mode."""
    module.eval()
    images, labels = torch.from_numpy(data.held_out_images), torch.from_numpy(data.held_out_labels)
    with torch.no_grad():
        named = torch.cat(
            [
                module(images[start : start + _EVALUATION_BATCH]).argmax(1)
                for start in range(0, len(images), _EVALUATION_BATCH)
            ]
        )
    return float((named == labels).float().mean())


def _check(module: nn.Module, images: Tensor, classes: int) -> None:
    module.eval()
    try:
        with torch.no_grad():
            scores = module(images[:2])
    except RuntimeError as error:
        message = (
            f"training: the network does not run on pictures of (channels, height, width) = "
            f"{tuple(images.shape[1:])}: {error}"
        )
        raise TrainingError(message) from error
    if scores.shape != (2, classes):
        message = (
            f"training: the network gives scores of shape {tuple(scores.shape[1:])}, expected "
            f"({classes},), one a class; build it with that num_classes"
        )
        raise TrainingError(message)


def optimizer_of(
    module: nn.Module, settings: TrainingSettings, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW in three groups: decay keeps kernels small, not biases and batch norm; gates start all at one half
    and have to move apart, so the routing learns faster and is not pulled back."""
    routing = [parameter for part in module.modules() if isinstance(part, Routing) for parameter in part.parameters()]
    routed = set(routing)
    rest = [parameter for parameter in module.parameters() if parameter not in routed]
    groups = (
        ([parameter for parameter in rest if parameter.ndim > 1], settings.weight_decay, 1.0),
        ([parameter for parameter in rest if parameter.ndim <= 1], 0.0, 1.0),
        (routing, 0.0, settings.routing_rate),
    )
    kept = [group for group in groups if group[0]]
    optimizer = torch.optim.AdamW([{"params": parameters, "weight_decay": decay} for parameters, decay, _ in kept])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        [settings.learning_rate * factor for _, _, factor in kept],
        total_steps=max(steps, 2),
        pct_start=settings.warm_up,
        cycle_momentum=False,
    )
    return optimizer, schedule


def _one_epoch(
    module: nn.Module,
    images: Tensor,
    labels: Tensor,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    generator: torch.Generator,
    settings: TrainingSettings,
) -> float:
    order = torch.randperm(len(images), generator=generator)
    steps = full_batches(len(images), settings.batch_size)
    total = 0.0
    for chosen in order[: steps * settings.batch_size].reshape(steps, settings.batch_size):
        batch = settings.augmentation.apply(images[chosen], generator)
        loss = functional.cross_entropy(module(batch), labels[chosen], label_smoothing=settings.label_smoothing)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        total += loss.item()
    return total / steps
