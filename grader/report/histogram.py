"""Shares of the points that a class earned in, a small histogram out. Pure.

Below `SMALLEST_CLASS` nothing is drawn: in a small class a histogram is a list of people.
"""

from collections.abc import Sequence

from markupsafe import Markup

from grader.course.counting import plural
from grader.report.figures import percent
from grader.report.svg import drawing, label, line, rectangle

SMALLEST_CLASS = 10
BINS = 10
WIDTH, HEIGHT = 150.0, 46.0
BASE = 34.0


def histogram(identifier: str, *, title: str, shares: Sequence[float]) -> Markup | None:
    """Ten bins from 0 to 100 %.

    Args:
        identifier: unique on the page.
        title: what is counted.
        shares: each in [0, 1]; what lies beyond counts in the outermost bin.

    Returns:
        Inline SVG, or None for a class of fewer than `SMALLEST_CLASS`.
    """
    if len(shares) < SMALLEST_CLASS:
        return None
    counts = bin_counts(shares)
    bars = (_bar(place, count, max(counts)) for place, count in enumerate(counts) if count)
    return drawing(
        *bars,
        line((0, BASE), (WIDTH, BASE), "axis"),
        label((0, HEIGHT - 2), "0", anchor="start"),
        label((WIDTH, HEIGHT - 2), "100 %", anchor="end"),
        identifier=identifier,
        width=WIDTH,
        height=HEIGHT,
        title=title,
        description=_description(counts),
    )


def bin_counts(shares: Sequence[float]) -> list[int]:
    """How many shares lie in each tenth; the last tenth includes 1."""
    counts = [0] * BINS
    for share in shares:
        counts[min(max(int(share * BINS), 0), BINS - 1)] += 1
    return counts


def _bar(place: int, count: int, highest: int) -> Markup:
    width = WIDTH / BINS
    height = (BASE - 2) * count / highest
    return rectangle((place * width + 1, BASE - height), (width - 2, height), "column")


def _description(counts: Sequence[int]) -> str:
    filled = (
        f"{plural(count, 'submission')} from {percent(place / BINS)} to {percent((place + 1) / BINS)}"
        for place, count in enumerate(counts)
        if count
    )
    return "; ".join(filled) + "."
