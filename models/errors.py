"""What can go wrong between a settings mapping or a weights file and a network."""

from collections.abc import Sequence


class ModelError(ValueError):
    """Base of every error of condmix.models: the text names the place, the finding and the next step."""


class UnknownArchitectureError(ModelError):
    """Raised when a name is not in the zoo; carries the name and the nearest names that are."""

    def __init__(self, name: str, nearest: Sequence[str]) -> None:
        self.name = name
        self.nearest = tuple(nearest)
        hint = f"nearest: {', '.join(self.nearest)}" if self.nearest else "no name comes near"
        super().__init__(f"unknown architecture {name!r}; {hint}; condmix.models.zoo.names() lists them all")


class SettingsError(ModelError):
    """Raised when settings of a layer or a network are unknown, mistyped, out of range or contradict
    each other; carries every problem found, one sentence each."""

    def __init__(self, place: str, problems: Sequence[str]) -> None:
        self.place = place
        self.problems = tuple(problems)
        super().__init__(f"{place}: " + "; ".join(self.problems))


class CheckpointError(ModelError):
    """Base of what can go wrong between a weights file and a loaded network, in either direction."""


class NotACheckpointError(CheckpointError):
    """Raised when a path holds no readable weights: absent, a folder, empty, cut off, another format."""


class PickleRefusedError(CheckpointError):
    """Raised when reading a file would run code and that is not allowed; `wants` is what it imports."""

    def __init__(self, message: str, wants: Sequence[str]) -> None:
        self.wants = tuple(wants)
        super().__init__(message)


class KeyMismatchError(CheckpointError):
    """Raised when the tensors of a file and those of a network differ in name, shape or kind of number;
    carries the names: what the network lacks from the file, what it does not know, what has another form."""

    def __init__(
        self, message: str, *, missing: Sequence[str], unexpected: Sequence[str], misshapen: Sequence[str]
    ) -> None:
        self.missing = tuple(missing)
        self.unexpected = tuple(unexpected)
        self.misshapen = tuple(misshapen)
        super().__init__(message)


class NonFiniteWeightsError(CheckpointError):
    """Raised when weights hold NaN or infinity; `names` are the tensors."""

    def __init__(self, message: str, names: Sequence[str]) -> None:
        self.names = tuple(names)
        super().__init__(message)


class ArchitectureNeededError(CheckpointError):
    """Raised when weights do not say of which network they are; `fitting` are names whose tensors fit."""

    def __init__(self, message: str, fitting: Sequence[str] = ()) -> None:
        self.fitting = tuple(fitting)
        super().__init__(message)


class InputSizeError(CheckpointError):
    """Raised when the input size of a network is not known, or the network does not run on the one given."""


class BatchStatisticsError(CheckpointError):
    """Raised when batch norms measure every batch instead of having statistics; `norms` are their paths."""

    def __init__(self, message: str, norms: Sequence[str]) -> None:
        self.norms = tuple(norms)
        super().__init__(message)


class FactoryError(CheckpointError):
    """Raised when `package.module:function` does not lead to a network."""


class OptionalPackageError(CheckpointError):
    """Raised when a choice needs a package that is not installed; names the package and the extra."""


class TrainingError(ModelError):
    """Raised when training data does not fit the network, or the loss stops being a number."""
