"""Published costs beside counted ones: where they agree, by how much they differ, and that the page says so."""

from functools import cache
from pathlib import Path

import pytest

from condmix.models import published, zoo
from condmix.models.published import PUBLISHED, CountComparison, compare

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"

# Percent by which the count differs from the published one; the reasons are on the page.
DIFFERENCE_PERCENT = {
    "mobilenet_v1": 0.31,
    "condconv_mobilenet_v1": 0.24,
    "mobilenet_v2": -0.07,
    "condconv_mobilenet_v2": -1.85,
    "mnasnet_a1": -0.14,
    "condconv_mnasnet_a1": -0.23,
    "resnet50": -0.09,
    "condconv_resnet50": -0.11,
    "efficientnet_b0": -1.33,
    "condconv_efficientnet_b0_4e": -1.37,
    "condconv_efficientnet_b0_8e": -1.40,
    "condconv_efficientnet_b0_depth_8e": -1.28,
    "mixnet_s": -6.57,
    "mixnet_m": -5.79,
    "mixnet_l": -1.73,
}


@cache
def compared(name: str) -> CountComparison:
    return compare(name)


@pytest.fixture(scope="module")
def comparisons() -> dict[str, CountComparison]:
    """All of the zoo: counting takes three seconds."""
    return {name: compared(name) for name in zoo.names()}


def test_every_published_network_is_in_the_zoo() -> None:
    assert set(PUBLISHED) == set(DIFFERENCE_PERCENT)
    assert set(PUBLISHED) <= set(zoo.names())


@pytest.mark.slow
def test_counts_differ_from_the_published_ones_by_what_the_page_explains(
    comparisons: dict[str, CountComparison],
) -> None:
    found = {name: comparisons[name].difference_percent for name in PUBLISHED}
    assert found == pytest.approx(DIFFERENCE_PERCENT, abs=0.01)
    unpublished = [each for name, each in comparisons.items() if name not in PUBLISHED]
    assert all(each.difference_percent is None for each in unpublished)


@pytest.mark.parametrize("name", ["mobilenet_v2", "mnasnet_a1"])
def test_counts_that_agree_to_the_published_digit(name: str) -> None:
    assert round(compared(name).multiply_adds_millions) == PUBLISHED[name].multiply_adds_millions


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mixed", "static"),
    [
        ("condconv_mobilenet_v1", "mobilenet_v1"),
        ("condconv_mnasnet_a1", "mnasnet_a1"),
        ("condconv_resnet50", "resnet50"),
        ("condconv_efficientnet_b0_4e", "efficientnet_b0"),
        ("condconv_efficientnet_b0_8e", "efficientnet_b0"),
    ],
)
def test_what_condconv_adds_is_what_is_published(
    mixed: str, static: str, comparisons: dict[str, CountComparison]
) -> None:
    added = comparisons[mixed].multiply_adds_millions - comparisons[static].multiply_adds_millions
    published_added = PUBLISHED[mixed].multiply_adds_millions - PUBLISHED[static].multiply_adds_millions
    # Both published figures are rounded to a million.
    assert added == pytest.approx(published_added, abs=1.0)


@pytest.mark.slow
def test_parameters_agree_with_every_published_digit(comparisons: dict[str, CountComparison]) -> None:
    compared = 0
    for name, figures in PUBLISHED.items():
        if figures.parameters_millions is not None:
            assert round(comparisons[name].counted.parameters / 1e6, 1) == figures.parameters_millions
            compared += 1
    assert compared == 7


@pytest.mark.slow
def test_the_page_has_the_table_as_counted(comparisons: dict[str, CountComparison]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = ["| " + " | ".join(published.cells(each)) + " |" for each in comparisons.values()]
    assert "| " + " | ".join(published.HEADINGS) + " |" in text
    assert [row for row in rows if row not in text] == []


def test_a_row_has_a_cell_for_every_heading() -> None:
    assert published.cells(compared("mixnet_s")) == (
        "mixnet_s",
        "3 x 224 x 224",
        "4 134 606",
        "239.2",
        "0.0",
        "256",
        "-6.6 %",
    )
    assert published.cells(compared("mixnet_xl"))[-2:] == ("", "")
