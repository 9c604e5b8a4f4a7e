"""How many rows each list has in, how many of them one A4 page has room for out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

LINES = 46
"""Lines of a page that are left for lists, at the sizes that audit.css prints in."""
HEADING_LINES = 3
"""What a list takes besides its rows: its heading, its column titles and the note on what is left out."""


@dataclass(frozen=True)
class Wanted:
    """A list of the page."""

    rows: int
    lines_each: int
    most: int
    """Rows that are enough for anybody."""


def allotted(lists: Sequence[Wanted], lines: int = LINES) -> tuple[int, ...]:
    """Rows of each list that are printed: one each in turn, the first list first, until the page is full.

    Args:
        lists: in order of importance.
        lines: of the page, for all of them together.
    """
    given = [0] * len(lists)
    left = lines - HEADING_LINES * sum(wanted.rows > 0 for wanted in lists)
    for turn in range(max((wanted.most for wanted in lists), default=0)):
        for place, wanted in enumerate(lists):
            if turn < min(wanted.rows, wanted.most) and wanted.lines_each <= left:
                given[place] += 1
                left -= wanted.lines_each
    return tuple(given)
