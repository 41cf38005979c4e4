"""How subjects are told apart: a letter, a colour, a dash and a marker, of which any one is enough."""

from __future__ import annotations

from markupsafe import Markup

from condmix.deploy.report.svg import element, number

COLOURS = 8
DASHES = 5
MARKERS = 7
MARKER_SIZE = 4.5


def letter(index: int) -> str:
    """A to Z, then AA, AB."""
    text = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 26)
        text = chr(ord("A") + digit) + text
    return text


def line_classes(index: int) -> str:
    """The classes of a line: colour and dash."""
    return f"series c{index % COLOURS} d{index % DASHES}"


def colour_class(index: int) -> str:
    """The class of its colour alone."""
    return f"c{index % COLOURS}"


def marker(index: int, x: float, y: float, *, size: float = MARKER_SIZE, hollow: bool = False) -> Markup:
    """The marker at a place: circle, square, triangle, diamond, triangle downwards, plus, cross."""
    shape = (_circle, _square, _triangle, _diamond, _downwards, _plus, _cross)[index % MARKERS]
    kind = "stroke-marker" if shape in (_plus, _cross) else "hollow-marker" if hollow else "marker"
    return element("path", {"d": shape(x, y, size), "class": f"{kind} {colour_class(index)}"})


def swatch(index: int) -> Markup:
    """The line and marker of a subject as a small picture for a legend; the words beside it say what it is."""
    parts = element("path", {"d": "M1 7L27 7", "class": line_classes(index)}), marker(index, 14, 7)
    attributes = {
        "viewBox": "0 0 28 14",
        "class": "swatch",
        "aria-hidden": "true",
        "xmlns": "http://www.w3.org/2000/svg",
    }
    return element("svg", attributes, *parts)


def _closed(*points: tuple[float, float]) -> str:
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points) + "Z"


def _circle(x: float, y: float, size: float) -> str:
    radius = number(size)
    arcs = (f"a{radius} {radius} 0 1 0 {number(across)} 0" for across in (2 * size, -2 * size))
    return f"M{number(x - size)} {number(y)}{''.join(arcs)}Z"


def _square(x: float, y: float, size: float) -> str:
    half = size * 0.9
    return _closed((x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half))


def _triangle(x: float, y: float, size: float) -> str:
    return _closed((x, y - size * 1.2), (x + size * 1.1, y + size * 0.8), (x - size * 1.1, y + size * 0.8))


def _diamond(x: float, y: float, size: float) -> str:
    half = size * 1.2
    return _closed((x, y - half), (x + half, y), (x, y + half), (x - half, y))


def _downwards(x: float, y: float, size: float) -> str:
    return _closed((x, y + size * 1.2), (x + size * 1.1, y - size * 0.8), (x - size * 1.1, y - size * 0.8))


def _plus(x: float, y: float, size: float) -> str:
    return f"M{number(x - size)} {number(y)}h{number(2 * size)}M{number(x)} {number(y - size)}v{number(2 * size)}"


def _cross(x: float, y: float, size: float) -> str:
    half, whole = number(size * 0.85), number(size * 1.7)
    start = f"M{number(x - size * 0.85)} {number(y - size * 0.85)}"
    return (
        f"{start}l{whole} {whole}M{number(x - size * 0.85)} {number(y + size * 0.85)}l{whole} -{whole}" if half else ""
    )
