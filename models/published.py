"""What the papers and released code say their networks cost, beside what is counted here."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from condmix.models import zoo
from condmix.models.counting import NetworkCount, count
from condmix.models.weightless import weightless

_CONDCONV_PAPER = "arXiv 1904.04971, table of ImageNet results"
_CONDCONV_CODE = "README of the released CondConv EfficientNet"
_MIXNET_PAPER = "arXiv 1907.09595, table of ImageNet results"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedCount:
    """A network's published cost, in millions as printed there; None where it is not printed."""

    multiply_adds_millions: float
    parameters_millions: float | None = None
    source: str


PUBLISHED: Mapping[str, PublishedCount] = MappingProxyType(
    {
        "mobilenet_v1": PublishedCount(multiply_adds_millions=567, source=_CONDCONV_PAPER),
        "condconv_mobilenet_v1": PublishedCount(multiply_adds_millions=600, source=_CONDCONV_PAPER),
        "mobilenet_v2": PublishedCount(multiply_adds_millions=301, source=_CONDCONV_PAPER),
        "condconv_mobilenet_v2": PublishedCount(multiply_adds_millions=329, source=_CONDCONV_PAPER),
        "mnasnet_a1": PublishedCount(multiply_adds_millions=312, source=_CONDCONV_PAPER),
        "condconv_mnasnet_a1": PublishedCount(multiply_adds_millions=325, source=_CONDCONV_PAPER),
        "resnet50": PublishedCount(multiply_adds_millions=4093, source=_CONDCONV_PAPER),
        "condconv_resnet50": PublishedCount(multiply_adds_millions=4213, source=_CONDCONV_PAPER),
        "efficientnet_b0": PublishedCount(multiply_adds_millions=391, parameters_millions=5.3, source=_CONDCONV_CODE),
        "condconv_efficientnet_b0_4e": PublishedCount(
            multiply_adds_millions=402, parameters_millions=13.3, source=_CONDCONV_CODE
        ),
        "condconv_efficientnet_b0_8e": PublishedCount(
            multiply_adds_millions=413, parameters_millions=24.0, source=_CONDCONV_CODE
        ),
        "condconv_efficientnet_b0_depth_8e": PublishedCount(
            multiply_adds_millions=614, parameters_millions=39.7, source=_CONDCONV_CODE
        ),
        "mixnet_s": PublishedCount(multiply_adds_millions=256, parameters_millions=4.1, source=_MIXNET_PAPER),
        "mixnet_m": PublishedCount(multiply_adds_millions=360, parameters_millions=5.0, source=_MIXNET_PAPER),
        "mixnet_l": PublishedCount(multiply_adds_millions=565, parameters_millions=7.3, source=_MIXNET_PAPER),
    }
)
"""By zoo name; networks that are not here have no published cost that could be read."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CountComparison:
    """A network of the zoo at its default settings: what is counted, and what is published if anything."""

    name: str
    counted: NetworkCount
    published: PublishedCount | None

    @property
    def multiply_adds_millions(self) -> float:
        """Counted multiply-adds in millions."""
        return self.counted.multiply_adds / 1e6

    @property
    def difference_percent(self) -> float | None:
        """How far the count is above (or below, negative) the published one."""
        if self.published is None:
            return None
        return 100 * (self.multiply_adds_millions / self.published.multiply_adds_millions - 1)


def compare(name: str) -> CountComparison:
    """The named network counted at its default input size, without memory for its weights.

    Raises `UnknownArchitectureError`.
    """
    entry = zoo.describe(name)
    with weightless():
        network = zoo.build(name)
    return CountComparison(name=name, counted=count(network, entry.input_size), published=PUBLISHED.get(name))


HEADINGS = (
    "network",
    "input",
    "parameters",
    "multiply-adds (M)",
    "of these mixing kernels (M)",
    "published (M)",
    "difference",
)


def cells(comparison: CountComparison) -> tuple[str, ...]:
    """The comparison as one row of text under `HEADINGS`."""
    counted, published = comparison.counted, comparison.published
    difference = comparison.difference_percent
    return (
        comparison.name,
        " x ".join(str(size) for size in counted.input_size),
        f"{counted.parameters:,}".replace(",", " "),
        f"{comparison.multiply_adds_millions:.1f}",
        f"{counted.kernel_mixing_multiply_adds / 1e6:.1f}",
        "" if published is None else f"{published.multiply_adds_millions:g}",
        "" if difference is None else f"{difference:+.1f} %",
    )
