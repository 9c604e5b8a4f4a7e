"""One student's view in, the little of it that the page of the class shows out. Pure.

A class is too large to be held with all that was found out about it. These lines are what is left of a
student when the next one is read; what many of them say is there once.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from grader.course.model import Assignment
from grader.records import Cell, CellState, Marksheet, Status
from grader.report import figures
from grader.report.attention import Doubt, doubt_of, open_work
from grader.report.distributions import Score, scores_of
from grader.report.marks import state
from grader.report.view import AssignmentView, StudentView
from grader.report.words import CELLS, LEVELS, Said, Tone, decision_said

SHARED = 4096
"""How many different squares and outcomes are kept to be shared; a class has a few hundred."""


@dataclass(frozen=True, slots=True)
class Square:
    """One cell of a matrix: an icon, words for it, and the figure."""

    said: Said
    figure: str


class MarkSquare(NamedTuple):
    """The cell of one criterion."""

    criterion: str
    title: str
    square: Square


class CheckOutcome(NamedTuple):
    """What one check came to."""

    check: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionLine:
    """One submission."""

    assignment: Assignment
    team: str
    commit: str | None
    """Its first twelve digits."""
    decision: Said
    explanation: str
    """Of the decision."""
    level: str
    days_late: int
    marks: tuple[MarkSquare, ...]
    scores: tuple[Score, ...]
    total: Square
    share: float | None
    """Total as a share of the points; None while it is open, or out of nothing."""
    outcomes: tuple[CheckOutcome, ...]
    sandbox: str | None
    """What it was examined in; None where it was not."""
    doubt: Doubt | None
    """Why a person must look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentLine:
    """One student."""

    student: str
    submissions: tuple[SubmissionLine, ...]
    cells: tuple[tuple[str, Square], ...]
    """Of the gradebook, by item; empty without a grade."""
    total: Square
    letter: Square
    share: float | None
    """The final mark from 0 to 1; None while it is open."""
    open_work: tuple[str, ...]
    """What stands between this student and a final mark."""


def line_of(view: StudentView) -> StudentLine:
    """What the page of the class shows of one student."""
    grade = view.grade
    total = grade.total if grade else None
    return StudentLine(
        student=view.student,
        submissions=tuple(map(_submission, view.items)),
        cells=tuple((sys.intern(cell.item), _cell(cell)) for cell in grade.cells) if grade else (),
        total=_total(total),
        letter=_square(Said(Tone.PLAIN, ""), (grade.letter if grade else None) or ""),
        share=None if total is None else float(total) / 100,
        open_work=tuple(map(sys.intern, open_work(view))),
    )


def _submission(view: AssignmentView) -> SubmissionLine:
    snapshot, examination = view.snapshot, view.examination
    outcomes = examination.outcomes if examination else ()
    return SubmissionLine(
        assignment=view.assignment,
        team=view.marksheet.team,
        commit=snapshot.commit[:12] if snapshot.commit is not None else None,
        decision=decision_said(snapshot),
        explanation=snapshot.evidence.explanation,
        level=LEVELS[snapshot.evidence.level],
        days_late=snapshot.days_late,
        marks=tuple(_mark_squares(view)),
        scores=scores_of(view),
        total=_total(view.marksheet.total),
        share=_share(view.marksheet),
        outcomes=tuple(_outcome(outcome.check, outcome.status) for outcome in outcomes),
        sandbox=sys.intern(examination.environment.sandbox) if examination else None,
        doubt=doubt_of(view),
    )


def _mark_squares(view: AssignmentView) -> Iterable[MarkSquare]:
    for mark in view.marksheet.marks:
        figure = "" if mark.points is None else figures.points(mark.points)
        said = state(mark, view.criterion(mark.criterion))
        yield _mark_square(mark.criterion, mark.title, said, figure)


def _share(sheet: Marksheet) -> float | None:
    return float(sheet.total / sheet.out_of) if sheet.total is not None and sheet.out_of > 0 else None


def _total(total: Decimal | None) -> Square:
    if total is None:
        return _square(Said(Tone.OPEN, "still open"), "")
    return _square(Said(Tone.PLAIN, ""), figures.points(total))


def _cell(cell: Cell) -> Square:
    figure = figures.points(cell.points) if cell.points is not None and cell.state is CellState.MARK else ""
    return _square(CELLS[cell.state], figure)


@lru_cache(SHARED)
def _square(said: Said, figure: str) -> Square:
    return Square(said, figure)


@lru_cache(SHARED)
def _mark_square(criterion: str, title: str, said: Said, figure: str) -> MarkSquare:
    return MarkSquare(criterion, title, _square(said, figure))


@lru_cache(SHARED)
def _outcome(check: str, status: Status) -> CheckOutcome:
    return CheckOutcome(check, status)
