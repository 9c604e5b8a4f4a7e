"""A class in, one HTML page for the course staff out: who needs a person first, then every mark.

In the roster's order: no ranks. Distributions only where the class is too large to be a list of people.
"""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import quote

from markupsafe import Markup

from grader.course.model import Assignment
from grader.records import Cell, CellState, Snapshot, Status
from grader.report import figures
from grader.report.attention import Blocker, Group, Urgency, attention, blockers, submissions
from grader.report.distributions import (
    CriterionStatistics,
    OutcomeCounts,
    criterion_statistics,
    outcome_counts,
)
from grader.report.histogram import histogram
from grader.report.marks import command, state
from grader.report.page import page
from grader.report.view import AssignmentView, OverviewView, StudentView, page_path
from grader.report.words import CELLS, Said, Tone, decision_said, evidence_said


@dataclass(frozen=True)
class Square:
    """One cell of a matrix: an icon, words for it, and the figure."""

    said: Said
    figure: str


@dataclass(frozen=True)
class MatrixRow:
    """One student's line."""

    student: str
    href: str
    squares: tuple[Square, ...]


@dataclass(frozen=True)
class Decided:
    """One line of the deadline decisions."""

    students: tuple[str, ...]
    snapshot: Snapshot
    said: Said
    level: str


@dataclass(frozen=True)
class AssignmentTable:
    """Everything about one assignment."""

    anchor: str
    assignment: Assignment
    columns: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    statistics: tuple[CriterionStatistics, ...]
    totals: Markup | None
    checks: tuple[OutcomeCounts, ...]
    decisions: tuple[Decided, ...]
    sandboxes: tuple[tuple[str, int], ...]
    """What the submissions ran in, with how many did, most of them first."""


@dataclass(frozen=True)
class Gradebook:
    """All items of all students."""

    columns: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    chart: Markup | None


@dataclass(frozen=True)
class Counts:
    """The figures at the top."""

    students: int
    submissions: int
    missing: int
    passed: int
    failed: int
    could_not_check: int
    people: int


def render_overview(view: OverviewView) -> str:
    """The class overview, `index.html`.

    Args:
        view: the students in the order they are listed in; their artifacts are not needed.

    Returns:
        One self-contained HTML document that links to the students' pages by `view.page_path`.
    """
    queue = attention(view.students)
    return page(
        "overview.html",
        view=view,
        href=student_href,
        command=command,
        counts=_counts(view, queue),
        queue=queue,
        blockers=_blockers(view),
        gradebook=_gradebook(view),
        tables=tuple(
            _table(view, assignment, place) for place, assignment in enumerate(_assignments(view), start=1)
        ),
    )


def student_href(student: str) -> str:
    """Address of a student's page, relative to the overview."""
    return quote(page_path(student))


def _assignments(view: OverviewView) -> tuple[Assignment, ...]:
    return tuple({item.assignment.id: item.assignment for s in view.students for item in s.items}.values())


def _counts(view: OverviewView, queue: tuple[Group, ...]) -> Counts:
    items = [item for _, item in submissions(view.students)]
    statuses = [outcome.status for item in items if item.examination for outcome in item.examination.outcomes]
    return Counts(
        students=len(view.students),
        submissions=sum(item.snapshot.commit is not None for item in items),
        missing=sum(item.snapshot.commit is None for item in items),
        passed=statuses.count(Status.PASSED),
        failed=statuses.count(Status.FAILED),
        could_not_check=statuses.count(Status.COULD_NOT_CHECK),
        people=sum(case.urgency is not Urgency.WEAK for group in queue for case in group.cases),
    )


def _blockers(view: OverviewView) -> tuple[Blocker, ...]:
    return () if view.final else blockers(view.students)


def _gradebook(view: OverviewView) -> Gradebook | None:
    """Items in the order in which the first grade lists them; None where nobody has a grade yet."""
    titles = {assignment.id: assignment.title for assignment in _assignments(view)}
    items = tuple(dict.fromkeys(cell.item for s in view.students if s.grade for cell in s.grade.cells))
    if not items:
        return None
    totals = [float(s.grade.total) / 100 for s in view.students if s.grade and s.grade.total is not None]
    return Gradebook(
        columns=(*(titles.get(item, item) for item in items), "Final mark", "Letter"),
        rows=tuple(_grade_row(student, items) for student in view.students),
        chart=histogram("totals", title="Final marks of the class", shares=totals),
    )


def _grade_row(student: StudentView, items: tuple[str, ...]) -> MatrixRow:
    cells = {cell.item: cell for cell in student.grade.cells} if student.grade else {}
    total = student.grade.total if student.grade else None
    letter = (student.grade.letter if student.grade else None) or ""
    final = Square(Said(Tone.OPEN, "still open"), "") if total is None else _plain(figures.points(total))
    squares = (*(_cell(cells.get(item)) for item in items), final, _plain(letter))
    return MatrixRow(student.student, student_href(student.student), squares)


def _cell(cell: Cell | None) -> Square:
    if cell is None:
        return Square(Said(Tone.OPEN, "no entry"), "")
    said = CELLS[cell.state]
    figure = figures.points(cell.points) if cell.points is not None and cell.state is CellState.MARK else ""
    return Square(said, figure)


def _plain(figure: str) -> Square:
    return Square(Said(Tone.PLAIN, ""), figure)


def _table(view: OverviewView, assignment: Assignment, place: int) -> AssignmentTable:
    teams = [
        (handles, item) for handles, item in submissions(view.students) if item.assignment.id == assignment.id
    ]
    items = [item for _, item in teams]
    columns = dict.fromkeys((mark.criterion, mark.title) for item in items for mark in item.marksheet.marks)
    anchor = f"assignment-{place}"
    return AssignmentTable(
        anchor=anchor,
        assignment=assignment,
        columns=tuple(title for _, title in columns),
        rows=_matrix(view, assignment, tuple(criterion for criterion, _ in columns)),
        statistics=criterion_statistics(items, prefix=anchor),
        totals=histogram(
            f"{anchor}-totals", title=f"{assignment.title}: totals", shares=_total_shares(items)
        ),
        checks=outcome_counts(items),
        decisions=tuple(_decided(handles, item.snapshot) for handles, item in teams),
        sandboxes=tuple(
            Counter(i.examination.environment.sandbox for i in items if i.examination).most_common()
        ),
    )


def _total_shares(items: list[AssignmentView]) -> list[float]:
    sheets = [item.marksheet for item in items]
    return [float(s.total / s.out_of) for s in sheets if s.total is not None and s.out_of > Decimal(0)]


def _matrix(view: OverviewView, assignment: Assignment, criteria: tuple[str, ...]) -> tuple[MatrixRow, ...]:
    return tuple(
        MatrixRow(student.student, student_href(student.student), _squares(item, criteria))
        for student in view.students
        for item in student.items
        if item.assignment.id == assignment.id
    )


def _squares(item: AssignmentView, criteria: tuple[str, ...]) -> tuple[Square, ...]:
    marks = {mark.criterion: mark for mark in item.marksheet.marks}
    squares = [
        Square(
            state(marks[name], item.criterion(name)),
            "" if marks[name].points is None else figures.points(marks[name].points or Decimal(0)),
        )
        if name in marks
        else Square(Said(Tone.PLAIN, "no entry"), "")
        for name in criteria
    ]
    total = item.marksheet.total
    last = Square(Said(Tone.OPEN, "still open"), "") if total is None else _plain(figures.points(total))
    return (*squares, last)


def _decided(handles: tuple[str, ...], snapshot: Snapshot) -> Decided:
    return Decided(handles, snapshot, decision_said(snapshot), evidence_said(snapshot.evidence))
