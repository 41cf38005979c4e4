"""What a run over damaged files found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One input that a reader did not stand: which, and what happened."""

    seed: int
    what: str


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Over all inputs of a reader: taken as sound, refused by which named error, and faults."""

    reader: str
    inputs: int
    accepted: int
    refused: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    slowest_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError where an input is not accounted for."""
        counted = self.accepted + sum(self.refused.values()) + len(self.faults)
        if counted != self.inputs:
            message = f"{self.reader}: {counted} outcomes of {self.inputs} inputs"
            raise ValueError(message)

    def sentence(self) -> str:
        """One line for people."""
        refused = sum(self.refused.values())
        return (
            f"{self.reader}: {self.inputs} inputs, {refused} refused by name, {self.accepted} sound, "
            f"{len(self.faults)} faults, slowest {self.slowest_seconds:.2f} s"
        )
