"""A metric's mark and its band in, one strip out: the value between no points and full points. Pure.

Better is always to the right, whichever way the figure runs, so that all strips of a page read alike.
"""

import math
from dataclasses import dataclass
from typing import Self

from markupsafe import Markup

from grader.course.model import Band, Criterion
from grader.records import Mark
from grader.report.figures import figure, measured
from grader.report.svg import drawing, element, label, line, rectangle

WIDTH, HEIGHT = 420.0, 52.0
TRACK_TOP, TRACK_HEIGHT = 22.0, 9.0
FIRST_SHARE, LAST_SHARE = -0.14, 1.26
"""Part of the scale that the strip shows; 0 is no points, 1 full points."""

BETTER = {"lower": "lower is better", "higher": "higher is better"}


@dataclass(frozen=True)
class Scale:
    """Where a figure lies between no points (0) and full points (1)."""

    none_at: float
    full_at: float
    logarithmic: bool

    @classmethod
    def of(cls, mark: Mark, criterion: Criterion) -> Self | None:
        """The scale of a metric's mark, or None where its anchors make none."""
        none_at, full_at = mark.none_at, mark.full_at
        if none_at is None or full_at is None or none_at == full_at:
            return None
        if not (math.isfinite(none_at) and math.isfinite(full_at)):
            return None
        return cls(none_at, full_at, criterion.scale == "log" and min(none_at, full_at) > 0)

    def share(self, value: float) -> float:
        """Position on the scale; beyond 0 and 1 it goes on."""
        start, end = self._place(self.none_at), self._place(self.full_at)
        return (self._place(value) - start) / (end - start)

    def x(self, value: float) -> float:
        """Horizontal place on the strip, held at its ends."""
        share = min(max(self.share(value), FIRST_SHARE), LAST_SHARE)
        return WIDTH * (share - FIRST_SHARE) / (LAST_SHARE - FIRST_SHARE)

    def holds(self, value: float) -> bool:
        """Whether a value lies on the part that is drawn."""
        return FIRST_SHARE <= self.share(value) <= LAST_SHARE

    def _place(self, value: float) -> float:
        return math.log(max(value, 1e-300)) if self.logarithmic else value


def band_strip(identifier: str, *, mark: Mark, criterion: Criterion, band: Band | None) -> Markup | None:
    """The strip of one metric criterion.

    Args:
        identifier: unique on the page.
        mark: with measurement and anchors.
        criterion: says which way is better, and the scale.
        band: spread of the reference solution, when it was calibrated.

    Returns:
        Inline SVG, or None where there is no finite value or no scale to show it on.
    """
    scale = Scale.of(mark, criterion)
    value = mark.measurement.value if mark.measurement else None
    if scale is None or value is None or not math.isfinite(value):
        return None
    return drawing(
        *_track(scale),
        *_reference(scale, band),
        *_anchors(scale, criterion),
        *_marker(scale, mark, value),
        identifier=identifier,
        width=WIDTH,
        height=HEIGHT,
        title=f"{mark.title}: the measured value between no points and full points",
        description=_description(scale, mark, criterion, band),
    )


def _track(scale: Scale) -> tuple[Markup, ...]:
    none_x, full_x = scale.x(scale.none_at), scale.x(scale.full_at)
    return (
        rectangle((0, TRACK_TOP), (none_x, TRACK_HEIGHT), "zone-none"),
        rectangle((none_x, TRACK_TOP), (full_x - none_x, TRACK_HEIGHT), "zone-part"),
        rectangle((full_x, TRACK_TOP), (WIDTH - full_x, TRACK_HEIGHT), "zone-full"),
    )


def _reference(scale: Scale, band: Band | None) -> tuple[Markup, ...]:
    """Mean ± 2 standard deviations of the reference solution, with a tick at the mean."""
    if band is None or not (math.isfinite(band.mean) and math.isfinite(band.standard_deviation)):
        return ()
    ends = sorted(scale.x(band.mean + side * 2 * band.standard_deviation) for side in (-1, 1))
    top = TRACK_TOP + TRACK_HEIGHT / 2 - 2
    mean_x = scale.x(band.mean)
    return (
        rectangle((ends[0], top), (max(ends[1] - ends[0], 2.0), 4), "reference"),
        line((mean_x, TRACK_TOP), (mean_x, TRACK_TOP + TRACK_HEIGHT), "reference-mean"),
    )


def _anchors(scale: Scale, criterion: Criterion) -> tuple[Markup, ...]:
    none_x, full_x = scale.x(scale.none_at), scale.x(scale.full_at)
    bottom = TRACK_TOP + TRACK_HEIGHT
    baseline = HEIGHT - 7
    return (
        line((none_x, TRACK_TOP - 3), (none_x, bottom + 3), "tick"),
        line((full_x, TRACK_TOP - 3), (full_x, bottom + 3), "tick"),
        label((0, baseline), f"none at {figure(scale.none_at)}", anchor="start"),
        label(((none_x + full_x) / 2, baseline), f"{BETTER[criterion.direction]} →", css_class="label faint"),
        label((full_x, baseline), f"full at {figure(scale.full_at)}"),
    )


def _marker(scale: Scale, mark: Mark, value: float) -> tuple[Markup, ...]:
    """The value with its interval; an arrow where it lies beyond the strip."""
    x, middle = scale.x(value), TRACK_TOP + TRACK_HEIGHT / 2
    text = label(
        (min(max(x, 3), WIDTH - 3), TRACK_TOP - 9), figure(value), anchor=_anchor(x), css_class="value"
    )
    if not scale.holds(value):
        tip, back = (WIDTH - 1, WIDTH - 11) if x > WIDTH / 2 else (1.0, 11.0)
        arrow = f"{tip:.1f},{middle:.1f} {back:.1f},{middle - 7:.1f} {back:.1f},{middle + 7:.1f}"
        return (element("polygon", {"class": "marker", "points": arrow}), text)
    dot = element("circle", {"class": "marker", "cx": x, "cy": middle, "r": 5.0})
    return (*_whisker(scale, mark, middle), dot, text)


def _whisker(scale: Scale, mark: Mark, middle: float) -> tuple[Markup, ...]:
    figures = mark.measurement
    if figures is None or figures.low is None or figures.high is None:
        return ()
    if not (math.isfinite(figures.low) and math.isfinite(figures.high)):
        return ()
    low, high = scale.x(figures.low), scale.x(figures.high)
    return (
        line((low, middle), (high, middle), "whisker"),
        line((low, middle - 4), (low, middle + 4), "whisker"),
        line((high, middle - 4), (high, middle + 4), "whisker"),
    )


def _anchor(x: float) -> str:
    if x < WIDTH * 0.1:
        return "start"
    return "end" if x > WIDTH * 0.9 else "middle"


def _description(scale: Scale, mark: Mark, criterion: Criterion, band: Band | None) -> str:
    value = measured(mark.measurement) if mark.measurement else "not measured"
    sentences = [
        f"Measured {value}; {BETTER[criterion.direction]}.",
        f"No points at {figure(scale.none_at)}, full points at {figure(scale.full_at)}.",
    ]
    if band is not None:
        spread = f"{figure(band.mean)} with standard deviation {figure(band.standard_deviation)}"
        sentences.append(f"The reference solution reaches {spread} over {band.n} seeds.")
    return " ".join(sentences)
