"""Repeated gradings in, one row of figures for each criterion out. Pure.

What formulas expect is in grader/mark/stability.py; here it is put beside what was seen.
"""

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from grader.course.model import Band, Criterion
from grader.mark import stability
from grader.mark.scale import JITTER, scaled, unclipped
from grader.mark.stability import Frequency, Scale, Spread
from grader.records import Mark, Measurement, Record, Usage
from grader.stability.repeat import Graded, Repeated, Subject, graded_again, points_of


class Seen(Record):
    """How often something was seen, with its standard error and the upper end of a 95 % interval."""

    value: float
    standard_error: float
    at_most: float


class Change(Record):
    """How often two gradings differ, or a recorded mark moves: seen, and expected under normal noise."""

    here: Seen
    """The marks as they were given."""
    here_expected: float
    any_place: Seen
    """The same points moved along the grid, over all places on it: also where no border was near."""
    any_place_expected: float


class MetricRow(Record):
    """A criterion that a measured figure decides."""

    criterion: str
    metric: str
    unit: str
    out_of: float
    step: float
    mean: float
    deviation: float
    """Of the figure, over the gradings with fresh noise."""
    own_error: float
    """The standard error that the figure claims for itself: root of the mean square."""
    points: float
    points_deviation: float
    """Of the points before rounding and clipping."""
    marks: dict[str, int]
    """How often each mark was given."""
    change: Change
    """Two gradings with nothing recorded give different marks."""
    small_noise: float
    """2 sd/(√π step): what is expected of little noise, wherever the points lie."""
    settled: Change
    """A grading more moves the recorded mark."""


class OtherRow(Record):
    """A criterion without a figure to look at: decided by checks, or not measured every time."""

    criterion: str
    marks: dict[str, int]
    change: Seen
    settled: Seen


class Figures(Record):
    """What the table shows."""

    assignment: str
    subject: str
    tasks: tuple[str, ...]
    seed: int
    repeats: int
    reruns: int
    fresh: str
    sandbox: str
    engine: str
    examined: int
    ran: int
    reran: int
    """Of the examinations from scratch, how many this command carried out; the others were stored."""
    usage: Usage
    regrade_changes: int
    """Marks that changed when the stored examination was marked again, over all criteria and repeats."""
    rerun_changes: int
    """Marks that changed when the same was examined from scratch, with nothing recorded."""
    jitter: float
    """Largest relative difference of a figure between examinations from scratch."""
    metrics: tuple[MetricRow, ...]
    others: tuple[OtherRow, ...]
    total_deviation: float
    """Of the sum of the points that were given, over the gradings with fresh noise."""
    total_change: Seen
    """Two gradings with nothing recorded differ in some mark."""
    total_settled: Seen


def figures_of(repeated: Repeated) -> Figures:
    """All figures of a repetition.

    Raises:
        ValueError: fewer than three gradings with fresh noise.
    """
    subject, plan = repeated.subject, repeated.plan
    changed = _changed_when_recorded(subject, repeated.fresh)
    rows = [_row(subject, number, repeated.fresh, changed[number]) for number in range(len(subject.criteria))]
    usual = repeated.usual.examinations[0].environment
    given = [points_of(graded) for graded in repeated.fresh]
    return Figures(
        assignment=subject.material.assignment.id,
        subject=subject.name,
        tasks=tuple(request.tasks[0] for request in subject.requests),
        seed=usual.seed,
        repeats=plan.repeats,
        reruns=plan.reruns,
        fresh=plan.fresh,
        sandbox=usual.sandbox,
        engine=usual.engine,
        examined=repeated.examined,
        ran=repeated.ran,
        reran=repeated.reran,
        usage=repeated.usage,
        regrade_changes=_changes(repeated.usual, repeated.regrades),
        rerun_changes=_changes(repeated.usual, repeated.reruns),
        jitter=_jitter(repeated.usual, repeated.reruns),
        metrics=tuple(row for row in rows if isinstance(row, MetricRow)),
        others=tuple(row for row in rows if isinstance(row, OtherRow)),
        total_deviation=statistics.stdev(float(sum(p or 0 for p in points)) for points in given),
        total_change=_seen(stability.seen_change(given)),
        total_settled=_seen(stability.seen(_any(changed))),
    )


Matrix = list[list[bool]]


def _changed_when_recorded(subject: Subject, fresh: Sequence[Graded]) -> list[Matrix]:
    """For each criterion: whether grading j moves the mark that grading i gave."""
    by_first: dict[tuple[tuple[object, ...], int], Graded] = {}

    def second(first: Graded, number: int) -> Graded:
        """Equal marks on the same scale move alike, so each is tried once."""
        name = (tuple((mark.points, mark.full_at) for mark in first.marks), number)
        if name not in by_first:
            by_first[name] = graded_again(subject, fresh[number], recorded=first)
        return by_first[name]

    count, again = len(fresh), range(len(fresh))
    after = [[points_of(second(fresh[i], j)) for j in again] for i in again]
    before = [points_of(graded) for graded in fresh]
    return [
        [[after[i][j][number] != before[i][number] for j in range(count)] for i in range(count)]
        for number in range(len(subject.criteria))
    ]


def _any(changed: Sequence[Matrix]) -> Matrix:
    count = len(changed[0])
    return [[any(matrix[i][j] for matrix in changed) for j in range(count)] for i in range(count)]


def _row(subject: Subject, number: int, fresh: Sequence[Graded], changed: Matrix) -> MetricRow | OtherRow:
    criterion = subject.criteria[number]
    marks = [graded.marks[number] for graded in fresh]
    change = _seen(stability.seen_change([mark.points for mark in marks]))
    settled = _seen(stability.seen(changed))
    band = subject.bands.bands.get(criterion.metric) if subject.bands else None
    measured = [mark.measurement for mark in marks if mark.measurement is not None]
    free = [unclipped(f, criterion=criterion, band=band) for f in measured] if band else []
    on_the_scale = all(raw.is_finite() and width.is_finite() for raw, width in free)
    if band is None or len(measured) < len(marks) or not on_the_scale:
        return OtherRow(criterion=criterion.id, marks=_counted(marks), change=change, settled=settled)
    return _metric_row(criterion, band, measured, marks, change=change, settled=settled)


def _metric_row(
    criterion: Criterion,
    band: Band,
    measured: Sequence[Measurement],
    marks: Sequence[Mark],
    *,
    change: Seen,
    settled: Seen,
) -> MetricRow:
    values = [float(figure.value or 0.0) for figure in measured]
    free = [unclipped(figure, criterion=criterion, band=band) for figure in measured]
    points = [float(raw) for raw, _ in free]
    width = Width(
        clipped=statistics.fmean(float(scaled(f, criterion=criterion, band=band).width) for f in measured),
        unclipped=statistics.fmean(float(width) for _, width in free),
    )
    spread = Spread(mean=statistics.fmean(points), deviation=statistics.stdev(points))
    scale = Scale(step=float(criterion.step), most=float(criterion.points))
    return MetricRow(
        criterion=criterion.id,
        metric=criterion.metric,
        unit=measured[0].unit,
        out_of=scale.most,
        step=scale.step,
        mean=statistics.fmean(values),
        deviation=statistics.stdev(values),
        own_error=math.sqrt(statistics.fmean(_own_error(figure) ** 2 for figure in measured)),
        points=spread.mean,
        points_deviation=spread.deviation,
        marks=_counted(marks),
        change=Change(
            here=change,
            here_expected=stability.change_here(spread, scale),
            any_place=_seen(stability.seen_at_any_place(points, step=scale.step)),
            any_place_expected=stability.any_place_change(spread.deviation, step=scale.step),
        ),
        small_noise=stability.small_noise_change(spread.deviation, step=scale.step),
        settled=_settled(points, spread, scale, width, settled),
    )


@dataclass(frozen=True, kw_only=True)
class Width:
    """Of the interval in points: where the points lie, near an end of the scale, and where none is near."""

    clipped: float
    unclipped: float


def _settled(points: Sequence[float], spread: Spread, scale: Scale, width: Width, here: Seen) -> Change:
    jitter = float(JITTER) * scale.most
    room = width.unclipped + jitter
    return Change(
        here=here,
        here_expected=stability.settled_change_here(spread, scale, width=width.clipped, jitter=jitter),
        any_place=_seen(stability.settled_seen_at_any_place(points, step=scale.step, width=room)),
        any_place_expected=stability.settled_any_place_change(spread.deviation, step=scale.step, width=room),
    )


def _own_error(figure: Measurement) -> float:
    return 0.0 if figure.low is None or figure.high is None else (figure.high - figure.low) / 4


def _counted(marks: Sequence[Mark]) -> dict[str, int]:
    counts = Counter(mark.points for mark in marks)
    ordered = sorted(counts, key=lambda points: -1 if points is None else points)
    return {"open" if points is None else f"{points.normalize():f}": counts[points] for points in ordered}


def _changes(first: Graded, others: Sequence[Graded]) -> int:
    return sum(
        one != other
        for graded in others
        for one, other in zip(points_of(first), points_of(graded), strict=True)
    )


def _jitter(first: Graded, others: Sequence[Graded]) -> float:
    """Over every figure that was recorded, whether or not it is marked."""
    before = {f.name: f.value for e in first.examinations for f in e.measurements}
    after = [(f.name, f.value) for g in others for e in g.examinations for f in e.measurements]
    return max((_apart(before.get(name), value) for name, value in after), default=0.0)


def _apart(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else math.inf
    return abs(one - other) / max(abs(one), abs(other), 1e-300)


def _seen(frequency: Frequency) -> Seen:
    return Seen(value=frequency.value, standard_error=frequency.standard_error, at_most=frequency.at_most)
