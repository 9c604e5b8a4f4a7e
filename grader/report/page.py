"""A template's name and its values in, HTML out. The one place where text becomes a page.

Two defences stand before every value, and no template can forget them: `finalize` makes invisible and
reordering characters visible, then autoescape makes markup inert. What is markup already, `svg.py` and
`images.py` made.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from grader.course.counting import plural
from grader.report import figures, text


def page(template: str, **values: Any) -> str:
    """Fill a template of this package.

    Args:
        template: file name in `templates/`.
        values: views and lines; strings in them may be a stranger's.

    Returns:
        A whole HTML document with a new line at its end.
    """
    return "".join(pieces(template, **values))


def pieces(template: str, **values: Any) -> Iterator[str]:
    """As `page`, piece by piece, so that a page may be larger than what fits into memory."""
    yield from _environment().get_template(template).generate(**values)
    yield "\n"


def _made_visible(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        return text.visible(value)
    return value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("grader.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_made_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "points": figures.points,
        "figure": figures.figure,
        "contribution": figures.contribution,
        "percent": figures.percent,
        "plural": plural,
        "listed": text.listed,
    }
    return environment
