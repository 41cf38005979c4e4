"""What one network of the conformance suite is, and what has to come out of its exports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import nn

from condmix.exporters.options import ExportOptions


@dataclass(frozen=True, kw_only=True)
class Export:
    """One build of a case: its options, and, where it has to be refused, words of the reason."""

    options: ExportOptions
    refused: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The options that are not the default, as a user would type them."""
        chosen, default = self.options, ExportOptions()
        parts = [f"--batch {'dynamic' if chosen.batch is None else chosen.batch}"]
        parts += [
            f"--{name} {getattr(chosen, name)}"
            for name in ("condconv", "mixconv", "opset")
            if getattr(chosen, name) != getattr(default, name)
        ]
        return " ".join(parts)


ONE_IMAGE = ExportOptions()
ANY_BATCH = ExportOptions(batch=None)


@dataclass(frozen=True, kw_only=True)
class ConformanceCase:
    """A network, and what is expected of it.

    `condconv_layers` and `mixconv_layers` are how many have to be recognised, `paths` which ones where the network is
    small enough to list them ("CondConv blocks.0.dw"). `declined` holds (module path, word in the reason) of all layers
    that have to be declined; no other may be. `two_group_layers` of the MixConv layers become a grouped 1x1 Conv at
    batch 1. `exports` are the builds, the first one at batch 1 and the second at any batch. `needs` is a package
    beyond those of the test environment, `tflite_refused` words of the reason why there is no TFLite file, `quick` a
    case of `make check`.
    """

    name: str
    source: str
    style: str
    build: Callable[[], nn.Module]
    input_size: tuple[int, int, int]
    condconv_layers: int = 0
    mixconv_layers: int = 0
    two_group_layers: int | None = None
    paths: frozenset[str] | None = None
    declined: Mapping[str, str] = field(default_factory=dict)
    exports: tuple[Export, ...]
    needs: str | None = None
    tflite_refused: tuple[str, ...] = ()
    quick: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError, naming every contradiction of the record."""
        options = [export.options for export in self.exports]
        problems = []
        if options[:2] != [ONE_IMAGE, ANY_BATCH]:
            problems.append("the first two exports are not one image and any batch")
        if len(set(options)) != len(options):
            problems.append("an export stands there twice")
        if self.exports and self.exports[0].refused:
            problems.append("an export at batch 1 is never refused")
        if self.paths is not None:
            kinds = [path.split()[0] for path in self.paths]
            if (kinds.count("CondConv"), kinds.count("MixConv")) != (self.condconv_layers, self.mixconv_layers):
                problems.append("paths and numbers of layers disagree")
        if problems:
            message = f"case {self.name!r}: " + "; ".join(problems)
            raise ValueError(message)


def exports(*more: Export, dynamic_refused: tuple[str, ...] = ()) -> tuple[Export, ...]:
    """The two builds of every case, and more."""
    return (Export(options=ONE_IMAGE), Export(options=ANY_BATCH, refused=dynamic_refused), *more)
