"""What one foreign network is, and what is expected to be found in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from tests.foreign.settle import settled


@dataclass(frozen=True, kw_only=True)
class ForeignCase:
    """A network somebody else could have written, with what a recogniser has to say about it.

    `condconv_layers` and `mixconv_layers` are the module paths that have to be recognised, and no others
    may be. `refused` holds (module path, word in the reason): those layers have to be named with such a
    reason. Other layers may be refused as well. `batch_safe` tells whether the PyTorch network itself is
    right beyond batch 1. `routers` are the modules that produce the routing logits, one for each expert, in
    the order of the network.
    """

    name: str
    build: Callable[[], nn.Module]
    input_size: tuple[int, int, int]
    condconv_layers: tuple[str, ...] = ()
    mixconv_layers: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    routers: tuple[str, ...] = ()
    batch_safe: bool = True
    notes: str

    def __post_init__(self) -> None:
        """Refuse a record that contradicts itself, naming every contradiction.

        Raises:
            ValueError: a path stands under two headings or twice under one, a size is not positive, or a
            text is empty.
        """
        problems = [f"{field} is empty" for field in ("name", "notes") if not getattr(self, field).strip()]
        if min(self.input_size) < 1:
            problems.append(f"input_size {self.input_size} is not three positive sizes")
        paths = [*self.condconv_layers, *self.mixconv_layers, *(path for path, _ in self.refused)]
        repeated = sorted({path for path in paths if paths.count(path) > 1})
        if repeated:
            problems.append(f"stand twice among condconv_layers, mixconv_layers and refused: {repeated}")
        if not all(word.strip() for _, word in self.refused):
            problems.append("refused has a layer without a word for its reason")
        if problems:
            message = f"case {self.name!r}: " + "; ".join(problems)
            raise ValueError(message)


def foreign_case(
    *,
    name: str,
    construct: Callable[[], nn.Module],
    seed: int,
    notes: str,
    input_size: tuple[int, int, int] = (3, 24, 24),
    condconv_layers: tuple[str, ...] = (),
    mixconv_layers: tuple[str, ...] = (),
    refused: tuple[tuple[str, str], ...] = (),
    routers: tuple[str, ...] = (),
    hidden_routers: tuple[str, ...] = (),
    routing_spread: float = 2.0,
    batch_safe: bool = True,
) -> ForeignCase:
    """A case whose `build` constructs the network under `seed` and settles it (see `settled`)."""

    def build() -> nn.Module:
        return settled(
            construct,
            seed=seed,
            input_size=input_size,
            hidden_routers=hidden_routers,
            routers=routers,
            routing_spread=routing_spread,
            images_at_once=16 if batch_safe else 1,
        )

    return ForeignCase(
        name=name,
        build=build,
        input_size=input_size,
        condconv_layers=condconv_layers,
        mixconv_layers=mixconv_layers,
        refused=refused,
        routers=routers,
        batch_safe=batch_safe,
        notes=notes,
    )
