"""One or two curves in, a line chart and its summary out. Pure.

The curves are what a submission reports about its own training: shown for orientation, never marked.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from grader.course.counting import plural
from grader.report.figures import figure
from grader.report.svg import drawing, element, label, line

WIDTH, HEIGHT = 520.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 516.0, 10.0, 164.0
MOST_POINTS = 120
LARGEST_SHOWN = 1e30
"""Beyond this a value is drawn, and counted, as not finite."""


@dataclass(frozen=True)
class Curve:
    """A line of the chart."""

    name: str
    css_class: str
    values: NDArray[np.float64]

    @classmethod
    def of(cls, name: str, css_class: str, values: NDArray[Any]) -> "Curve":
        """Flatten whatever was reported; what is not finite becomes a gap."""
        numbers = np.asarray(values, dtype=np.float64).reshape(-1)
        usable = np.isfinite(numbers) & (np.abs(np.nan_to_num(numbers)) < LARGEST_SHOWN)
        return cls(name, css_class, np.where(usable, numbers, np.nan))


@dataclass(frozen=True)
class Summary:
    """A curve as a line of the data table."""

    name: str
    steps: int
    first: str
    lowest: str
    last: str
    not_finite: int


@dataclass(frozen=True)
class Frame:
    """The part of the plane that the chart shows."""

    longest: int
    low: float
    high: float

    def place(self, step: float, value: float) -> tuple[float, float]:
        """Step and value as a point of the drawing."""
        across = step / max(self.longest - 1, 1)
        up = (value - self.low) / (self.high - self.low)
        return LEFT + across * (RIGHT - LEFT), BOTTOM - up * (BOTTOM - TOP)


def summary(curve: Curve) -> Summary:
    """Steps, first, lowest and last value."""
    finite = curve.values[np.isfinite(curve.values)]
    first, lowest, last = (
        (figure(float(finite[0])), figure(float(finite.min())), figure(float(finite[-1])))
        if finite.size
        else ("none", "none", "none")
    )
    missing = int(curve.values.size - finite.size)
    return Summary(curve.name, int(curve.values.size), first, lowest, last, missing)


def curve_chart(identifier: str, *, title: str, curves: Sequence[Curve]) -> Markup | None:
    """The chart, or None where no curve has a finite value.

    Args:
        identifier: unique on the page.
        title: what is drawn.
        curves: drawn back to front, on common axes.
    """
    finite = np.concatenate([c.values[np.isfinite(c.values)] for c in curves] or [np.empty(0)])
    if not finite.size:
        return None
    frame = _frame(finite, longest=max(c.values.size for c in curves))
    return drawing(
        *_axes(frame),
        *(part for curve in curves for part in _lines(frame, curve)),
        identifier=identifier,
        width=WIDTH,
        height=HEIGHT,
        title=title,
        description=" ".join(map(_sentence, curves)),
    )


def ticks(low: float, high: float, *, about: int = 4) -> list[float]:
    """Round figures between two ends: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _frame(finite: NDArray[np.float64], *, longest: int) -> Frame:
    low, high = float(finite.min()), float(finite.max())
    margin = max(0.04 * (high - low), 1e-6 * max(abs(low), abs(high)), 1e-9)
    return Frame(longest, low - margin, high + margin)


def _axes(frame: Frame) -> list[Markup]:
    parts = []
    for tick in ticks(frame.low, frame.high):
        _, y = frame.place(0, tick)
        parts.append(line((LEFT, y), (RIGHT, y), "grid"))
        parts.append(label((LEFT - 8, y + 3.5), figure(tick), anchor="end"))
    parts.append(line((LEFT, BOTTOM), (RIGHT, BOTTOM), "axis"))
    parts.append(label((LEFT, BOTTOM + 16), "1", anchor="start"))
    parts.append(label(((LEFT + RIGHT) / 2, BOTTOM + 16), "step", css_class="label faint"))
    parts.append(label((RIGHT, BOTTOM + 16), str(frame.longest), anchor="end"))
    return parts


def _lines(frame: Frame, curve: Curve) -> list[Markup]:
    """The curve as runs of finite values, thinned to means of neighbours."""
    steps, values = _thinned(curve.values)
    runs: list[list[tuple[float, float]]] = [[]]
    for step, value in zip(steps, values, strict=True):
        if math.isnan(value):
            runs.append([])
        else:
            runs[-1].append(frame.place(step, value))
    return [_run(run, curve.css_class) for run in runs if run]


def _run(run: list[tuple[float, float]], css_class: str) -> Markup:
    if len(run) == 1:
        return element("circle", {"class": f"dot {css_class}", "cx": run[0][0], "cy": run[0][1], "r": 2.0})
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
    return element("polyline", {"class": f"curve {css_class}", "points": corners})


def _thinned(values: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    if values.size <= MOST_POINTS:
        return [float(step) for step in range(values.size)], values.tolist()
    groups = np.array_split(np.arange(values.size), MOST_POINTS)
    steps = [float(group.mean()) for group in groups]
    steps[0], steps[-1] = 0.0, float(values.size - 1)
    return steps, [float(values[group].mean()) for group in groups]


def _sentence(curve: Curve) -> str:
    told = summary(curve)
    gaps = f", {plural(told.not_finite, 'value')} not finite" if told.not_finite else ""
    course = f"from {told.first} to {told.last}, lowest {told.lowest}"
    return f"{told.name}: {plural(told.steps, 'step')}, {course}{gaps}."
