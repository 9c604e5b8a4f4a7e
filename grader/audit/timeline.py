"""Sightings, signatures and claimed dates of one team in, a drawing of them around the deadline out. Pure.

Time runs to the right, by the logarithm of its distance from the deadline: a second differs from a minute,
and a week still fits. What is further away than the axis stands at its end with an arrow.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from grader.audit.moments import DAY_S, HOUR_S, MINUTE_S, distance
from grader.course.counting import plural
from grader.report.svg import drawing, element, label, line, rectangle

WIDTH = 720.0
LEFT, RIGHT = 150.0, 708.0
TOP, LANE = 34.0, 30.0
AXIS = 24.0
"""Height below the lanes."""
LINEAR_S = 5.0
"""Around the deadline the axis is straight for about this long."""
SHORTEST_S, LONGEST_S = 2 * DAY_S, 400 * DAY_S
"""Least and most that the axis shows on either side of the deadline."""
CLOSEST_MARK = 5.0
"""A mark is drawn at least this far from the line of the deadline, on its own side of it."""
CLOSEST_TICK = 20.0
"""Nearer to the deadline than this its label would lie on that of the other side."""
MARGIN = 12.0
"""Between the ends of the axis and those of the lanes."""
CHARACTER = 6.0
"""Width of a label's character, roughly."""
TICKS = (
    (MINUTE_S, "1 min"),
    (10 * MINUTE_S, "10 min"),
    (HOUR_S, "1 h"),
    (6 * HOUR_S, "6 h"),
    (DAY_S, "1 d"),
    (7 * DAY_S, "7 d"),
    (30 * DAY_S, "30 d"),
    (365 * DAY_S, "1 y"),
)


@dataclass(frozen=True)
class Mark:
    """Something at an instant."""

    time: int
    """Seconds since the epoch."""
    name: str = ""
    """A short label; marks without one are only drawn."""
    main: bool = True
    """False for what is about another branch."""


@dataclass(frozen=True)
class Lane:
    """One kind of evidence, on a line of its own."""

    title: str
    css_class: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Axis:
    """From an instant to a place in the drawing."""

    first_late: int
    reach_s: float

    def place(self, time: int) -> float:
        """The horizontal coordinate, within the drawing."""
        away = max(-self.reach_s, min(self.reach_s, time - self.first_late))
        share = _folded(away) / _folded(self.reach_s)
        return (LEFT + RIGHT) / 2 + share * (RIGHT - LEFT - 2 * MARGIN) / 2

    def clipped(self, time: int) -> bool:
        """Whether the instant lies beyond the axis."""
        return abs(time - self.first_late) > self.reach_s


def timeline(identifier: str, *, title: str, lanes: Sequence[Lane], first_late: int) -> Markup:
    """The drawing.

    Args:
        identifier: unique on the page.
        title: what is drawn.
        lanes: top to bottom; an empty one is drawn as such.
        first_late: the deadline, exclusive, in seconds since the epoch.
    """
    axis = Axis(first_late, _reach(lanes, first_late))
    bottom = TOP + LANE * len(lanes)
    middle = axis.place(first_late)
    return drawing(
        rectangle((middle, TOP - 8), (RIGHT - middle, bottom - TOP + 8), "late"),
        *_ticks(axis, bottom),
        line((middle, TOP - 14), (middle, bottom), "deadline"),
        *(part for place, lane in enumerate(lanes) for part in _lane(axis, lane, TOP + LANE * (place + 0.5))),
        label((middle, TOP - 19), "deadline", css_class="value"),
        label((LEFT + MARGIN, TOP - 19), "before", anchor="start"),
        label((RIGHT, TOP - 19), "late", anchor="end"),
        identifier=identifier,
        width=WIDTH,
        height=bottom + AXIS,
        title=title,
        description=_description(lanes, first_late),
    )


def _reach(lanes: Iterable[Lane], first_late: int) -> float:
    furthest = max((abs(mark.time - first_late) for lane in lanes for mark in lane.marks), default=0)
    return float(min(max(1.2 * furthest, SHORTEST_S), LONGEST_S))


def _folded(away: float) -> float:
    return math.copysign(math.log1p(abs(away) / LINEAR_S), away)


def _ticks(axis: Axis, bottom: float) -> Iterable[Markup]:
    yield line((LEFT, bottom), (RIGHT, bottom), "axis")
    for away, words in TICKS:
        if away < axis.reach_s:
            for side in (-away, away):
                across = axis.place(axis.first_late + side)
                if abs(across - axis.place(axis.first_late)) < CLOSEST_TICK:
                    continue
                yield line((across, TOP - 8), (across, bottom), "grid")
                yield label((across, bottom + 14), words)


def _lane(axis: Axis, lane: Lane, height: float) -> Iterable[Markup]:
    yield label((0, height + 4), lane.title, anchor="start", css_class="lane")
    yield line((LEFT, height), (RIGHT, height), "grid")
    if not lane.marks:
        yield label((LEFT + MARGIN, height - 4), "none", anchor="start")
    # Marks that would lie on each other are drawn once; those of the branch that counts last, on top.
    drawn = {(mark.main, round(axis.place(mark.time))): mark for mark in lane.marks}
    for mark in sorted(drawn.values(), key=lambda one: one.main):
        yield _mark(axis, mark, lane.css_class, height)
    yield from _names(axis, lane.marks, height)


def _mark(axis: Axis, mark: Mark, css_class: str, height: float) -> Markup:
    across = _clear_of_deadline(axis, mark.time)
    css = f"{css_class} {'main' if mark.main else 'other'}"
    if axis.clipped(mark.time):
        side = 1 if mark.time > axis.first_late else -1
        corners = f"{across + 6 * side:.1f},{height:.1f} " + " ".join(
            f"{across - 4 * side:.1f},{height + up:.1f}" for up in (-6, 6)
        )
        return element("polygon", {"class": css, "points": corners})
    if css_class == "claimed":
        return rectangle((across - 1.5, height - 7), (3, 14), css)
    if css_class == "own":
        return rectangle((across - 4.5, height - 4.5), (9, 9), css)
    if css_class == "signed":
        corners = " ".join(
            f"{across + x:.1f},{height + y:.1f}" for x, y in ((0, -6.5), (6.5, 0), (0, 6.5), (-6.5, 0))
        )
        return element("polygon", {"class": css, "points": corners})
    return element("circle", {"class": css, "cx": across, "cy": height, "r": 5.0})


def _names(axis: Axis, marks: Sequence[Mark], height: float) -> Iterable[Markup]:
    """Names above their marks, and none where it would lie on another or on the line of the deadline."""
    middle = axis.place(axis.first_late)
    taken: list[tuple[float, float]] = [(middle - 2, middle + 2)]
    for mark in sorted(marks, key=lambda one: abs(one.time - axis.first_late)):
        half = len(mark.name) * CHARACTER / 2
        centre = _beside(_clear_of_deadline(axis, mark.time), half, middle)
        span = (centre - half - 3, centre + half + 3)
        if mark.name and not any(low < span[1] and span[0] < high for low, high in taken):
            taken.append(span)
            yield label((centre, height - 8), mark.name, css_class="name")


def _clear_of_deadline(axis: Axis, time: int) -> float:
    middle, across = axis.place(axis.first_late), axis.place(time)
    if time < axis.first_late:
        return min(across, middle - CLOSEST_MARK)
    return max(across, middle + CLOSEST_MARK)


def _beside(centre: float, half: float, middle: float) -> float:
    """Moved away from the line of the deadline and kept within the drawing."""
    if abs(centre - middle) < half + 5:
        centre = middle + (half + 6 if centre >= middle else -half - 6)
    return min(max(centre, LEFT + half), RIGHT - half)


def _description(lanes: Iterable[Lane], first_late: int) -> str:
    return " ".join(_sentence(lane, first_late) for lane in lanes)


def _sentence(lane: Lane, first_late: int) -> str:
    before = [mark.time for mark in lane.marks if mark.time < first_late]
    after = [mark.time for mark in lane.marks if mark.time >= first_late]
    if not lane.marks:
        return f"{lane.title}: none."
    parts = []
    if before:
        last = distance(max(before) - first_late)
        parts.append(f"{plural(len(before), 'mark')} before the deadline, the last {last} before it")
    if after:
        parts.append(
            f"{plural(len(after), 'mark')} after it, the first {distance(min(after) - first_late)} after it"
        )
    return f"{lane.title}: {'; '.join(parts)}."
