"""A marksheet and its rubric in, the lines of the marks table out. Pure."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from markupsafe import Markup

from grader.course.model import Criterion
from grader.records import Mark, Marksheet
from grader.report import figures
from grader.report.band import BETTER, Scale, band_strip
from grader.report.checks import task_title
from grader.report.view import AssignmentView
from grader.report.words import NOTHING, Said, Tone

WRITTEN, OTHER = "Written questions", "Everything else"
"""Headings of what belongs to no task."""


@dataclass(frozen=True)
class MarkLine:
    """One criterion of the marks table."""

    said: Said
    title: str
    reason: str
    needs_person: bool
    points: str
    out_of: str
    measured: str | None = None
    """Value ± interval with its unit; None for a criterion that measures nothing."""
    samples: str = ""
    thresholds: tuple[str, ...] = ()
    strip: Markup | None = None


@dataclass(frozen=True)
class MarkGroup:
    """The criteria of one task, or the written ones, with their sum."""

    title: str
    """Empty where there is one group only."""
    lines: tuple[MarkLine, ...]
    points: str
    """Of the criteria that are marked."""
    out_of: str
    open_points: str
    """Of the criteria that are not; empty where there is none."""


def state(mark: Mark, criterion: Criterion | None, *, by_hand: bool = False) -> Said:
    """What became of a criterion, in words; `by_hand`: a person gives it whatever the rubric says."""
    if mark.points is None:
        by_hand = by_hand or (criterion is not None and criterion.kind == "manual")
        return Said(Tone.OPEN, "not yet marked") if by_hand else Said(Tone.PERSON, "could not be marked")
    penalty = (by_hand and not mark.out_of) or (criterion is not None and criterion.kind == "penalty")
    if penalty:
        return Said(Tone.NONE, "penalty") if mark.points else Said(Tone.PLAIN, "no penalty")
    if mark.points >= mark.out_of:
        return Said(Tone.FULL, "full points")
    return Said(Tone.PART, "part of the points") if mark.points > 0 else Said(Tone.NONE, "no points")


def mark_groups(view: AssignmentView, *, prefix: str) -> tuple[MarkGroup, ...]:
    """The rows of the marks table by task, in the marksheet's order.

    Args:
        view: of the assignment.
        prefix: makes the drawings' ids unique on the page.
    """
    by_task: dict[str, list[tuple[int, Mark]]] = {}
    for place, mark in enumerate(view.marksheet.marks):
        criterion = view.criterion(mark.criterion)
        by_task.setdefault(criterion.task if criterion else "", []).append((place, mark))
    several = len(by_task) > 1
    return tuple(
        _group(view, placed, title=_title(view, task) if several else "", prefix=prefix)
        for task, placed in by_task.items()
    )


def marks_by_hand(marks: Iterable[Mark]) -> tuple[MarkLine, ...]:
    """The rows of the exam's or the project's table: nothing in it was measured."""
    return tuple(_plain_line(mark, state(mark, None, by_hand=True)) for mark in marks)


def command(*, assignment: str, team: str) -> str:
    """What runs one submission again, ready for a shell whatever the team is called."""
    return f"grader grade {shlex.quote(assignment)} --only {shlex.quote(team)}"


def earned(marks: Iterable[Mark]) -> Decimal:
    """Sum of the points that are known, before the late rule."""
    return sum((mark.points for mark in marks if mark.points is not None), Decimal(0))


def open_points(marks: Iterable[Mark]) -> Decimal:
    """Points that are still to be given."""
    return sum((mark.out_of for mark in marks if mark.points is None), Decimal(0))


def total_text(marksheet: Marksheet) -> str:
    """`82.5`, or `still open`."""
    return "still open" if marksheet.total is None else figures.points(marksheet.total)


def _group(view: AssignmentView, placed: list[tuple[int, Mark]], *, title: str, prefix: str) -> MarkGroup:
    marks = [mark for _, mark in placed]
    waiting = open_points(marks)
    return MarkGroup(
        title=title,
        lines=tuple(_line(view, mark, identifier=f"{prefix}-band-{place}") for place, mark in placed),
        points=figures.points(earned(marks)) if any(m.points is not None for m in marks) else NOTHING,
        out_of=figures.points(sum((mark.out_of for mark in marks), Decimal(0))),
        open_points=figures.points(waiting) if waiting else "",
    )


def _title(view: AssignmentView, task: str) -> str:
    """The task's title; what belongs to no task is written work, or the rest."""
    if task:
        return task_title(view, task) or task
    loose = [criterion for criterion in view.rubric.criteria if not criterion.task]
    return WRITTEN if all(criterion.kind == "manual" for criterion in loose) else OTHER


def _line(view: AssignmentView, mark: Mark, *, identifier: str) -> MarkLine:
    criterion = view.criterion(mark.criterion)
    band = view.bands.bands.get(criterion.metric) if view.bands and criterion else None
    strip = band_strip(identifier, mark=mark, criterion=criterion, band=band) if criterion else None
    measurement = mark.measurement
    return replace(
        _plain_line(mark, state(mark, criterion)),
        measured=figures.measured(measurement) if measurement else None,
        samples=_samples(mark),
        thresholds=_thresholds(mark, criterion),
        strip=strip,
    )


def _plain_line(mark: Mark, said: Said) -> MarkLine:
    return MarkLine(
        said=said,
        title=mark.title,
        reason=mark.reason,
        needs_person=mark.needs_person,
        points=NOTHING if mark.points is None else figures.points(mark.points),
        out_of=figures.points(mark.out_of),
    )


def _samples(mark: Mark) -> str:
    measurement = mark.measurement
    if measurement is None or measurement.value is None:
        return ""
    by = f", {measurement.extractor}" if measurement.extractor else ""
    return f"n = {measurement.n}{by}"


def _thresholds(mark: Mark, criterion: Criterion | None) -> tuple[str, ...]:
    if mark.full_at is None or mark.none_at is None:
        return ()
    anchors = (f"full at {figures.figure(mark.full_at)}", f"none at {figures.figure(mark.none_at)}")
    if criterion is None:
        return anchors
    scale = Scale.of(mark, criterion)
    between = ("log scale between",) if scale and scale.logarithmic else ()
    return (*anchors, BETTER[criterion.direction], *between)
