"""Looking into a drawn chart."""

from __future__ import annotations

from xml.etree import ElementTree

SPACE = "{http://www.w3.org/2000/svg}"


def tree(svg: str) -> ElementTree.Element:
    """The picture, parsed."""
    return ElementTree.fromstring(svg)


def texts(svg: str) -> list[str]:
    """Every visible text, in order."""
    return [element.text or "" for element in tree(svg).iter(f"{SPACE}text")]


def of_class(svg: str, name: str) -> list[ElementTree.Element]:
    """Every element with that class, in order."""
    return [element for element in tree(svg).iter() if name in element.attrib.get("class", "").split()]


def description(svg: str) -> str:
    """What a reader hears."""
    return tree(svg).findtext(f"{SPACE}desc") or ""
