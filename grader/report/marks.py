"""A marksheet and its rubric in, the lines of the marks table out. Pure."""

import shlex
from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup

from grader.course.model import Criterion
from grader.records import Mark, Marksheet
from grader.report import figures
from grader.report.band import BETTER, Scale, band_strip
from grader.report.view import AssignmentView
from grader.report.words import NOTHING, Said, Tone


@dataclass(frozen=True)
class MarkLine:
    """One criterion of the marks table."""

    said: Said
    title: str
    reason: str
    needs_person: bool
    points: str
    out_of: str
    measured: str | None
    """Value ± interval with its unit; None for a criterion that measures nothing."""
    samples: str
    thresholds: tuple[str, ...]
    strip: Markup | None


def state(mark: Mark, criterion: Criterion | None) -> Said:
    """What became of a criterion, in words."""
    if mark.points is None:
        by_hand = criterion is not None and criterion.kind == "manual"
        return Said(Tone.OPEN, "not yet marked") if by_hand else Said(Tone.PERSON, "could not be marked")
    if criterion is not None and criterion.kind == "penalty":
        return Said(Tone.NONE, "penalty") if mark.points else Said(Tone.PLAIN, "no penalty")
    if mark.points >= mark.out_of:
        return Said(Tone.FULL, "full points")
    return Said(Tone.PART, "part of the points") if mark.points > 0 else Said(Tone.NONE, "no points")


def mark_lines(view: AssignmentView, *, prefix: str) -> tuple[MarkLine, ...]:
    """The rows of the marks table, in the marksheet's order.

    Args:
        view: of the assignment.
        prefix: makes the drawings' ids unique on the page.
    """
    return tuple(
        _line(view, mark, identifier=f"{prefix}-band-{place}")
        for place, mark in enumerate(view.marksheet.marks)
    )


def command(view: AssignmentView) -> str:
    """What runs this one submission again, ready for a shell whatever the team is called."""
    return f"grader grade {shlex.quote(view.assignment.id)} --only {shlex.quote(view.marksheet.team)}"


def earned(marksheet: Marksheet) -> Decimal:
    """Sum of the points that are known, before the late rule."""
    return sum((mark.points for mark in marksheet.marks if mark.points is not None), Decimal(0))


def open_points(marksheet: Marksheet) -> Decimal:
    """Points that are still to be given."""
    return sum((mark.out_of for mark in marksheet.marks if mark.points is None), Decimal(0))


def total_text(marksheet: Marksheet) -> str:
    """`82.5`, or `still open`."""
    return "still open" if marksheet.total is None else figures.points(marksheet.total)


def _line(view: AssignmentView, mark: Mark, *, identifier: str) -> MarkLine:
    criterion = view.criterion(mark.criterion)
    band = view.bands.bands.get(criterion.metric) if view.bands and criterion else None
    strip = band_strip(identifier, mark=mark, criterion=criterion, band=band) if criterion else None
    measurement = mark.measurement
    return MarkLine(
        said=state(mark, criterion),
        title=mark.title,
        reason=mark.reason,
        needs_person=mark.needs_person,
        points=NOTHING if mark.points is None else figures.points(mark.points),
        out_of=figures.points(mark.out_of),
        measured=figures.measured(measurement) if measurement else None,
        samples=_samples(mark),
        thresholds=_thresholds(mark, criterion),
        strip=strip,
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
