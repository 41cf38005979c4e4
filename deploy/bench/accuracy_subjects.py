"""The full-size networks whose accuracy in int8 is measured, and how each is trained on the digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from condmix.deploy.digits_training import train_digits
from condmix.deploy.loading import Loading, load_network
from condmix.models.epochs import TrainingProgress
from condmix.models.network import TorchNetwork
from condmix.models.training import TrainingSettings

FULL_SIZE: Mapping[str, object] = MappingProxyType(
    {"in_channels": 1, "num_classes": 10, "input_size": 64, "batch_norm_momentum": 0.1}
)


@dataclass(frozen=True, kw_only=True)
class AccuracySubject:
    """One network of the zoo, its settings, and its training."""

    network: str
    training: TrainingSettings
    settings: Mapping[str, object] = field(default_factory=lambda: FULL_SIZE)

    @property
    def command(self) -> str:
        """What trains the same network from the command line."""
        plain = TrainingSettings()
        flags = [
            f"--{name.replace('_', '-')} {getattr(self.training, name):g}"
            for name in ("epochs", "learning_rate", "batch_size", "routing_rate", "seed")
            if getattr(self.training, name) != getattr(plain, name)
        ]
        flags += [f"--set {name}={value}" for name, value in self.settings.items()]
        return " ".join(("condmix train", self.network, f"-o {self.network}.pt", *flags))


SUBJECTS = (
    AccuracySubject(network="mixnet_s", training=TrainingSettings(epochs=12)),
    AccuracySubject(
        network="condconv_mobilenet_v2",
        # A faster routing shuts all gates of the classifier on some digits: scores of 1e-7, which rounding makes equal.
        training=TrainingSettings(epochs=20, learning_rate=1e-3, batch_size=32, routing_rate=0.5),
    ),
    AccuracySubject(
        network="condconv_efficientnet_b0_4e",
        training=TrainingSettings(epochs=20, learning_rate=2e-3, batch_size=32, routing_rate=2.0),
    ),
)


def trained_network(
    subject: AccuracySubject, folder: Path, report_epoch: Callable[[TrainingProgress], None]
) -> tuple[TorchNetwork, Path]:
    """The network in `<folder>/<name>.pt`, and that file, which is trained and written where there is none.

    Raises what training, saving and loading raise.
    """
    path = folder / f"{subject.network}.pt"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        train_digits(subject.network, subject.settings, subject.training, path, report_epoch)
    return load_network(Loading(model=path)), path
