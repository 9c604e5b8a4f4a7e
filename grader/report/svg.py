"""Names, attributes and children in, escaped inline SVG out. Pure.

Every drawing carries a title and a description.
"""

from collections.abc import Mapping

from markupsafe import Markup, escape

from grader.report.text import visible

Attribute = str | float


def element(name: str, attributes: Mapping[str, Attribute], *children: str) -> Markup:
    """One element; attributes and text are escaped, children that are markup already are kept.

    Args:
        name: a name of ours, never a stranger's.
        attributes: numbers are written as coordinates.
        children: in order.
    """
    written = "".join(f' {key}="{escape(_attribute(value))}"' for key, value in attributes.items())
    inner = "".join(map(_child, children))
    end = f">{inner}</{name}>" if inner else "/>"
    return Markup(f"<{name}{written}{end}")  # noqa: S704 - names are ours, all the rest was escaped above


def drawing(
    *children: str, identifier: str, width: float, height: float, title: str, description: str
) -> Markup:
    """A whole picture that a screen reader can tell.

    Args:
        children: what is painted, back to front.
        identifier: unique on the page.
        width: of the view box.
        height: of the view box.
        title: what it is.
        description: what there is to see, with the figures.
    """
    return element(
        "svg",
        {
            "class": "chart",
            "role": "img",
            "viewBox": f"0 0 {coordinate(width)} {coordinate(height)}",
            "aria-labelledby": f"{identifier}-t {identifier}-d",
        },
        element("title", {"id": f"{identifier}-t"}, title),
        element("desc", {"id": f"{identifier}-d"}, description),
        *children,
    )


def coordinate(value: float) -> str:
    """A coordinate to a tenth of a unit, the same text on every machine."""
    text = f"{value:.1f}"
    short = text.removesuffix(".0")
    return "0" if short == "-0" else short


def line(start: tuple[float, float], end: tuple[float, float], css_class: str) -> Markup:
    """A straight line."""
    return element("line", {"class": css_class, "x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]})


def rectangle(
    corner: tuple[float, float], size: tuple[float, float], css_class: str, *, radius: float = 0
) -> Markup:
    """A rectangle by its upper left corner; a negative size is drawn as nothing."""
    attributes: dict[str, Attribute] = {
        "class": css_class,
        "x": corner[0],
        "y": corner[1],
        "width": max(size[0], 0.0),
        "height": max(size[1], 0.0),
    }
    return element("rect", attributes | ({"rx": radius} if radius else {}))


def label(
    place: tuple[float, float], text: str, *, anchor: str = "middle", css_class: str = "label"
) -> Markup:
    """A line of text."""
    return element("text", {"class": css_class, "x": place[0], "y": place[1], "text-anchor": anchor}, text)


def _attribute(value: Attribute) -> str:
    return visible(value) if isinstance(value, str) else coordinate(value)


def _child(child: str) -> Markup:
    return child if isinstance(child, Markup) else escape(visible(child))
