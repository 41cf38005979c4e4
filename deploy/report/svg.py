"""SVG as escaped text: elements, words, and the frame with a title and a description that every picture has.

Nothing here names a colour: pictures carry classes, and the page's style sheet says what they mean in light, in dark
and on paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from markupsafe import Markup, escape

WIDTH = 360.0
"""Of every chart, in its own units: about the CSS pixels of a phone, so that words of 12 units stay readable there."""
TEXT_SIZE = 12.0
CHARACTER_WIDTH = 6.9
"""Of a wide sans-serif font at TEXT_SIZE: what a place is kept free for."""


def element(name: str, attributes: Mapping[str, str | float], *children: Markup) -> Markup:
    """The element with its attributes escaped; `children` are markup already."""
    written = "".join(f' {key}="{_attribute(value)}"' for key, value in attributes.items())
    inner = "".join(children)
    return Markup(f"<{name}{written}>{inner}</{name}>" if inner else f"<{name}{written}/>")


def words(x: float, y: float, text: str, *, anchor: str = "start", classes: str = "") -> Markup:
    """The text at a place; `anchor` is start, middle or end."""
    attributes: dict[str, str | float] = {"x": x, "y": y}
    if anchor != "start":
        attributes["text-anchor"] = anchor
    if classes:
        attributes["class"] = classes
    return element("text", attributes, escape(text))


def line(x1: float, y1: float, x2: float, y2: float, classes: str) -> Markup:
    """A straight line."""
    return element("path", {"d": f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}", "class": classes})


def rectangle(x: float, y: float, width: float, height: float, classes: str, *, opacity: float | None = None) -> Markup:
    """A filled rectangle, never of negative size."""
    size = {"x": x, "y": y, "width": max(width, 0.0), "height": max(height, 0.0)}
    extra: dict[str, str | float] = {} if opacity is None else {"fill-opacity": opacity}
    return element("rect", {**size, "class": classes, **extra})


def polyline(points: Iterable[tuple[float, float]], classes: str) -> Markup:
    """A line through the points; nothing without any."""
    drawn = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return element("path", {"d": f"M{drawn}", "class": classes}) if drawn else Markup("")


def dots(points: Iterable[tuple[float, float]], classes: str) -> Markup:
    """A round dot at each point, all in one path; of dots within half a unit of each other one is drawn.

    So tens of thousands of runs stay a small file, and nobody could see the others.
    """
    seen = dict.fromkeys((round(2 * x) / 2, round(2 * y) / 2) for x, y in points)
    drawn = "".join(f"M{number(x)} {number(y)}h0" for x, y in seen)
    return element("path", {"d": drawn, "class": f"dots {classes}"}) if drawn else Markup("")


def group(*children: Markup, classes: str = "") -> Markup:
    """The children as one."""
    return element("g", {"class": classes} if classes else {}, *children)


def tooltip(text: str) -> Markup:
    """The title of the element it is a child of: browsers show it under the pointer, readers speak it."""
    return element("title", {}, escape(text))


def picture(*children: Markup, height: float, identity: str, title: str, description: str) -> Markup:
    """A whole picture, WIDTH wide, that scales with its place in the page.

    identity: of letters, digits and dashes, unlike that of any other picture of the page.
    """
    if not identity.replace("-", "").isalnum() or not identity.isascii():
        message = f"identity must be of ASCII letters, digits and dashes, found {identity!r}"
        raise ValueError(message)
    attributes: dict[str, str | float] = {
        "viewBox": f"0 0 {number(WIDTH)} {number(height)}",
        "class": "chart",
        "role": "img",
        "id": identity,
        "aria-labelledby": f"{identity}-title {identity}-text",
        "xmlns": "http://www.w3.org/2000/svg",
    }
    named = element("title", {"id": f"{identity}-title"}, escape(title))
    described = element("desc", {"id": f"{identity}-text"}, escape(description))
    return element("svg", attributes, named, described, *children)


def number(value: float) -> str:
    """A coordinate, to a tenth of a unit."""
    text = f"{value:.1f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"


def text_width(text: str) -> float:
    """About how wide the text is drawn, rather too wide than too narrow."""
    return CHARACTER_WIDTH * len(text)


def shortened(text: str, width: float) -> str:
    """The text, or its two ends around an ellipsis where it is wider than `width`: module paths differ at the end."""
    most = max(int(width / CHARACTER_WIDTH), 5)
    if len(text) <= most:
        return text
    tail = (most - 1) * 2 // 3
    return f"{text[: most - 1 - tail]}…{text[-tail:]}"


def _attribute(value: str | float) -> Markup:
    return escape(value if isinstance(value, str) else number(value) if abs(value) >= 1 else f"{value:.3g}")
