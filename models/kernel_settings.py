"""Settings of the kernels: CondConv, MixConv or ordinary, and where."""

import dataclasses
from typing import ClassVar, Literal

from condmix.models.mixconv import KERNEL_SIZES, Partition
from condmix.models.padding import Padding
from condmix.models.settings import NetworkSettings

RoutingScope = Literal["block", "layer"]
"""Whether the layers of a block share one routing (the paper) or each has its own."""

Kernels = Literal["condconv", "mixconv", "static"]
"""What the kernels are; "static" is the same network with ordinary convolutions."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class KernelSettings(NetworkSettings):
    """Adds the kind of kernels; each family allows some kinds."""

    allowed_kernels: ClassVar[tuple[Kernels, ...]] = ("static",)

    kernels: Kernels = "static"

    def problems(self) -> list[str]:
        """Adds: a kind of kernels that the family has."""
        found = super().problems()
        if self.kernels not in self.allowed_kernels:
            allowed = " or ".join(repr(kind) for kind in self.allowed_kernels)
            found.append(f"kernels is {self.kernels!r}, expected {allowed}")
        return found

    def silenced(self, kernels: Kernels, *names: str) -> dict[str, str]:
        """The named fields as idle unless the kernels are of that kind."""
        return {} if self.kernels == kernels else dict.fromkeys(names, f"kernels = {self.kernels!r}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CondConvSettings(KernelSettings):
    """Adds the choices of CondConv. `condconv_blocks` are indices of blocks, counted from 0 after the stem;
    None is the paper's placement."""

    allowed_kernels: ClassVar[tuple[Kernels, ...]] = ("condconv", "static")

    kernels: Kernels = "condconv"
    experts: int = 8
    condconv_blocks: tuple[int, ...] | None = None
    condconv_classifier: bool = False
    routing_scope: RoutingScope = "block"

    def problems(self) -> list[str]:
        """Adds: at least one expert, blocks that are in the network, each once."""
        found = super().problems()
        if self.experts < 1:
            found.append(f"experts is {self.experts}, expected at least 1")
        if self.condconv_blocks is not None:
            count = self.block_count()
            wrong = [index for index in self.condconv_blocks if not 0 <= index < count]
            if wrong:
                found.append(f"condconv_blocks names {wrong}, expected indices from 0 to {count - 1}")
            if len(set(self.condconv_blocks)) < len(self.condconv_blocks):
                found.append(f"condconv_blocks is {self.condconv_blocks}, expected each index once")
        return found

    def idle(self) -> dict[str, str]:
        """Adds: the choices of CondConv, where the kernels are of another kind."""
        names = ("experts", "condconv_blocks", "condconv_classifier", "routing_scope")
        return super().idle() | self.silenced("condconv", *names)

    def block_count(self) -> int:
        """How many blocks the network has."""
        raise NotImplementedError

    def paper_blocks(self) -> tuple[int, ...]:
        """The blocks that are CondConv in the paper."""
        raise NotImplementedError

    def experts_of(self, block: int) -> int | None:
        """How many experts the block has; None if its kernels are ordinary."""
        if self.kernels != "condconv":
            return None
        blocks = self.paper_blocks() if self.condconv_blocks is None else self.condconv_blocks
        return self.experts if block in blocks else None

    def classifier_experts(self) -> int | None:
        """How many experts the classifier has; None if it is an ordinary linear layer."""
        return self.experts if self.kernels == "condconv" and self.condconv_classifier else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class EitherSettings(CondConvSettings):
    """Adds the choices of MixConv for networks that can have either: every depthwise layer gets
    `mix_groups` groups with kernel sizes 3, 5, 7, 9, 11."""

    allowed_kernels: ClassVar[tuple[Kernels, ...]] = ("condconv", "mixconv", "static")

    mix_groups: int = 3
    mix_partition: Partition = "equal"
    mix_dilated: bool = False

    def problems(self) -> list[str]:
        """Adds: one to five groups."""
        found = super().problems()
        if not 1 <= self.mix_groups <= len(KERNEL_SIZES):
            found.append(f"mix_groups is {self.mix_groups}, expected 1 to {len(KERNEL_SIZES)}")
        return found

    def idle(self) -> dict[str, str]:
        """Adds: the choices of MixConv, where the kernels are of another kind."""
        return super().idle() | self.silenced("mixconv", "mix_groups", "mix_partition", "mix_dilated")

    def depthwise_kernels(self) -> tuple[int, ...]:
        """Kernel sizes of every depthwise layer."""
        return KERNEL_SIZES[: self.mix_groups] if self.kernels == "mixconv" else (3,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixSettings(KernelSettings):
    """Adds the choices of networks whose block table has mixed kernels; "static" makes every depthwise
    layer an ordinary 3x3 one and every 1x1 layer dense."""

    allowed_kernels: ClassVar[tuple[Kernels, ...]] = ("mixconv", "static")

    kernels: Kernels = "mixconv"
    mix_partition: Partition = "equal"
    mix_dilated: bool = False
    padding: Padding = "symmetric"

    def idle(self) -> dict[str, str]:
        """Adds: the choices of MixConv, where the kernels are ordinary."""
        return super().idle() | self.silenced("mixconv", "mix_partition", "mix_dilated")
