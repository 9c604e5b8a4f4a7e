"""How long each row of each list is in, how many rows one A4 page has room for out. Pure.

`audit.css` cuts what it prints to the same lengths (`line-clamp`), so a page never runs over.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LINES = 36
"""Lines that a page has besides what every team has, at the sizes that `audit.css` prints in."""
HEADING_LINES = 3
"""What a list takes besides its rows: its heading, its column titles and the note on what is left out."""
BETWEEN_ROWS = 0.25
"""Lines that a row takes for the space and the rule below it."""
LETTERS = 120
"""Letters of a line across the page, on average."""


@dataclass(frozen=True)
class Wanted:
    """A list of the page."""

    lines: tuple[float, ...]
    """Of each row, without the space between rows."""
    most: int
    """Rows that are enough for anybody."""


def allotted(lists: Sequence[Wanted], lines: float) -> tuple[int, ...]:
    """Rows of each list that are printed: one each in turn, the first list first, until the page is full.

    Args:
        lists: in order of importance.
        lines: of the page, for all of them together.
    """
    given = [0] * len(lists)
    left = float(lines) - HEADING_LINES * sum(bool(wanted.lines) for wanted in lists)
    for turn in range(max((wanted.most for wanted in lists), default=0)):
        for place, wanted in enumerate(lists):
            if turn == given[place] and turn < min(len(wanted.lines), wanted.most):
                cost = wanted.lines[turn] + BETWEEN_ROWS
                if cost <= left:
                    given[place] += 1
                    left -= cost
    return tuple(given)


def lines_of(text: str, *, most: int) -> int:
    """Lines that a text takes across the page; it is cut after `most`."""
    width = sum(1.0 if letter.islower() or letter in " .,;:'-il1" else 1.5 for letter in text)
    return min(most, max(1, math.ceil(width / LETTERS)))
