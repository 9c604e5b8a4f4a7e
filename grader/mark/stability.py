"""Points of repeated gradings in, how often two gradings give different marks out: seen and expected. Pure.

Points before rounding are taken for normal with mean m and deviation sd; marks are rounded to a step s.

* Wherever m lies on the grid, two gradings differ with probability E min(1, |D|/s), D ~ N(0, 2 sd²). Where sd
  is much smaller than s this is E|D|/s = 2 sd/(√π s).
* Where m is known it is 1 - Σ p², p the probability of each mark; at full points everything above the grid's
  last border falls together, so the same sd moves fewer marks.
* A recorded mark r stands while the new points are within t = s/2 + w + jitter of it (`scale.settled`), w the
  width of the interval. It moves with probability Σ p(r) P(|X - r| > t), X clipped to the scale.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The grid that points are rounded to."""

    step: float
    most: float


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Points before rounding and clipping, over repeated gradings."""

    mean: float
    deviation: float


@dataclass(frozen=True, kw_only=True)
class Frequency:
    """How often something was seen, and how well that is known."""

    value: float
    standard_error: float
    at_most: float
    """Upper end of a 95 % interval; where nothing was seen, what n gradings without it can rule out."""


def small_noise_change(deviation: float, *, step: float) -> float:
    """2 sd/(√π s): two gradings differ, for sd much smaller than s and any place on the grid."""
    return 2 * deviation / (math.sqrt(math.pi) * step)


def any_place_change(deviation: float, *, step: float) -> float:
    """E min(1, |D|/s) with D ~ N(0, 2sd²): the same for any sd.

    With τ = √2 sd it is 2τ/s (φ(0) - φ(s/τ)) + 2 (1 - Φ(s/τ)).
    """
    if deviation == 0:
        return 0.0
    between = math.sqrt(2) * deviation
    inside = 2 * between / step * (_density(0.0) - _density(step / between))
    return inside + 2 * _upper_tail(step / between)


def change_here(spread: Spread, scale: Scale) -> float:
    """1 - Σ p²: two gradings differ, for points that lie where these do."""
    return 1 - sum(probability**2 for _, probability in _marks(spread, scale))


def settled_change_here(spread: Spread, scale: Scale, *, width: float, jitter: float) -> float:
    """A recorded mark is moved by one grading more, for points that lie where these do.

    Args:
        spread: of the points.
        scale: what they are rounded to.
        width: of the interval in points, 4 standard errors of one figure.
        jitter: what rounding alone may move.
    """
    tolerance = scale.step / 2 + width + jitter
    return sum(p * _outside(spread, scale, mark, tolerance) for mark, p in _marks(spread, scale))


def settled_any_place_change(deviation: float, *, step: float, width: float) -> float:
    """The same far from the ends of the grid, wherever: 2/s (g(w) - g(w + s)), g(a) = E max(D - a, 0)."""
    if deviation == 0:
        return 0.0
    between = math.sqrt(2) * deviation

    def excess(bound: float) -> float:
        ratio = bound / between
        return between * (_density(ratio) - ratio * _upper_tail(ratio))

    return 2 / step * (excess(width) - excess(width + step))


def seen_change(marks: Sequence[Hashable]) -> Frequency:
    """Share of all pairs of gradings whose marks differ.

    Raises:
        ValueError: fewer than three gradings.
    """
    return seen([[one != other for other in marks] for one in marks])


def seen_at_any_place(points: Sequence[float], *, step: float) -> Frequency:
    """The same with the points moved along the grid, over all places: min(1, |D|/s) for each pair."""
    return seen([[min(1.0, abs(one - other) / step) for other in points] for one in points])


def settled_seen_at_any_place(points: Sequence[float], *, step: float, width: float) -> Frequency:
    """A recorded mark moves, over all places on the grid: by a pair D apart with probability (|D| - w)/s."""

    def moved(one: float, other: float) -> float:
        return min(1.0, max(0.0, (abs(one - other) - width) / step))

    return seen([[moved(one, other) for other in points] for one in points])


def seen(changed: Sequence[Sequence[float]]) -> Frequency:
    """Share of all ordered pairs of gradings, a first and a second, in which something changed.

    Its error is that of the jackknife over gradings; pairs are not independent of each other.

    Args:
        changed: n rows of n, whether or with which probability; the diagonal is not looked at.

    Raises:
        ValueError: fewer than three gradings.
    """
    n = len(changed)
    if n < 3:
        raise ValueError(f"gradings: expected at least 3, got {n}")
    shares = [
        sum(changed[i][j] + changed[j][i] for j in range(n) if j != i) / (2 * (n - 1)) for i in range(n)
    ]
    value = sum(shares) / n
    spread = math.sqrt(sum((share - value) ** 2 for share in shares) / (n - 1))
    error = 2 * spread / math.sqrt(n)
    odd = 1 - (1 - CONFIDENCE) ** (1 / n)  # the share of odd gradings that n even ones leave possible
    at_most = value + 2 * error if value else 2 * odd * (1 - odd)
    return Frequency(value=value, standard_error=error, at_most=min(1.0, at_most))


def _marks(spread: Spread, scale: Scale) -> list[tuple[float, float]]:
    """Every mark and its probability; the last step may be shorter than the others."""
    whole = math.ceil(round(scale.most / scale.step, 9))
    borders = [(k - 0.5) * scale.step for k in range(1, whole)]
    borders.append(min((whole - 0.5) * scale.step, scale.most))
    below = [0.0, *(_below(spread, border) for border in borders), 1.0]
    levels = [min(k * scale.step, scale.most) for k in range(whole + 1)]
    return [(level, below[k + 1] - below[k]) for k, level in enumerate(levels)]


def _outside(spread: Spread, scale: Scale, mark: float, tolerance: float) -> float:
    """Points, clipped to the scale, lie further than the tolerance from a mark."""
    above = 1 - _below(spread, mark + tolerance) if mark + tolerance < scale.most else 0.0
    under = _below(spread, mark - tolerance) if mark - tolerance > 0 else 0.0
    return above + under


def _below(spread: Spread, bound: float) -> float:
    if spread.deviation == 0:
        return float(spread.mean < bound)
    return 1 - _upper_tail((bound - spread.mean) / spread.deviation)


def _density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _upper_tail(x: float) -> float:
    return math.erfc(x / math.sqrt(2)) / 2
