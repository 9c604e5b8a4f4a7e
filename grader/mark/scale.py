"""A measured value and a calibrated band in, points out. Pure and exact: `Decimal` throughout.

Full points at the tolerance bound of the reference solution or better, none at the trivial baseline or
worse, linear or logarithmic between. The student has the benefit of the doubt: the favourable end of the
interval (2 standard errors) is what counts, where the interval is no wider than a step of points. A wider one
earns what the figure itself does, until a person has looked: one answer that is absurdly wrong would make an
interval as wide as one likes. Noise moves no recorded mark: see `settled`.
"""

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

from grader.course.model import Band, Criterion
from grader.records import Measurement

ARITHMETIC = Context(prec=40)
"""Forty digits, whatever the caller's context is; logarithms are the same on every machine."""

JITTER = Decimal("0.001")
"""Share of the points that a repeated measurement may move by rounding alone."""


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """The points of one measurement, and how sure they are."""

    points: Decimal
    """Quantised, at the favourable end of the interval."""
    least: Decimal
    """Quantised, at the other end."""
    middle: Decimal
    """Quantised, at the figure itself."""
    raw: Decimal
    """Before quantising, at the favourable end."""
    width: Decimal
    """What the interval (4 standard errors) spans on the scale of points, before quantising."""
    is_unsure: bool
    """Whether the ends are more than a step apart, so that a person has to look."""

    @property
    def earned(self) -> Decimal:
        """What counts: the favourable end, but of an interval that is too wide the figure itself."""
        return self.middle if self.is_unsure else self.points


def scaled(measurement: Measurement, *, criterion: Criterion, band: Band) -> Scaled:
    """Put a measurement on the scale of a criterion.

    Args:
        measurement: with a finite value; without an interval the value stands for both its ends.
        criterion: of kind 'metric'; its direction says which end is favourable.
        band: with anchors that fit the criterion (`band_problem` is None).
    """
    ends = [_end(end, measurement) for end in (measurement.low, measurement.high)]
    best, worst = ends if criterion.direction == "lower" else reversed(ends)
    figure = _end(None, measurement)
    with localcontext(ARITHMETIC):
        raw, raw_worst, raw_middle = (
            share(value, criterion=criterion, band=band) * criterion.points for value in (best, worst, figure)
        )
        points, least, middle = (
            quantised(each, step=criterion.step, most=criterion.points)
            for each in (raw, raw_worst, raw_middle)
        )
        return Scaled(
            points=points,
            least=least,
            middle=middle,
            raw=raw,
            width=raw - raw_worst,
            is_unsure=points - least > criterion.step,
        )


def unclipped(measurement: Measurement, *, criterion: Criterion, band: Band) -> tuple[Decimal, Decimal]:
    """`Scaled.raw` and `Scaled.width` as if the scale went on beyond both anchors, where noise hides.

    Infinite where a logarithm is: at or below 0 on a scale of logarithms.
    """
    ends = [_end(end, measurement) for end in (measurement.low, measurement.high)]
    best, worst = ends if criterion.direction == "lower" else reversed(ends)
    with localcontext(ARITHMETIC):
        raw, raw_worst = (
            position(end, criterion=criterion, band=band) * criterion.points for end in (best, worst)
        )
        return raw, raw - raw_worst if raw.is_finite() else raw


def share(value: float, *, criterion: Criterion, band: Band) -> Decimal:
    """How far `value` has come from the baseline (0) to the reference's bound (1); never beyond either."""
    return min(max(position(value, criterion=criterion, band=band), Decimal(0)), Decimal(1))


def position(value: float, *, criterion: Criterion, band: Band) -> Decimal:
    """As `share`, and beyond the anchors as well."""
    if criterion.scale == "log" and value <= 0:
        return Decimal("Infinity" if criterion.direction == "lower" else "-Infinity")
    with localcontext(ARITHMETIC):
        here, none_at, full_at = (Decimal(number) for number in (value, band.none_at, band.full_at))
        if criterion.scale == "log":
            here, none_at, full_at = here.ln(), none_at.ln(), full_at.ln()
        return (none_at - here) / (none_at - full_at)


def quantised(raw: Decimal, *, step: Decimal, most: Decimal) -> Decimal:
    """The multiple of `step` nearest to `raw`, halves up; never above `most`, which stays reachable."""
    with localcontext(ARITHMETIC):
        if raw >= most:
            return most
        return min((raw / step).to_integral_value(rounding=ROUND_HALF_UP) * step, most)


def settled(fresh: Scaled, *, recorded: Decimal, criterion: Criterion) -> Decimal:
    """The mark after grading again: the recorded one, unless the new interval excludes it.

    A recorded mark stands while the new points lie within half a step of quantising, the interval (4 standard
    errors) and the jitter of rounding from it.
    """
    with localcontext(ARITHMETIC):
        tolerance = criterion.step / 2 + fresh.width + JITTER * criterion.points
        return recorded if abs(fresh.raw - recorded) <= tolerance else fresh.earned


def _end(end: float | None, measurement: Measurement) -> float:
    if end is not None and not math.isnan(end):
        return end
    assert measurement.value is not None  # the caller marks only what was measured
    return measurement.value
