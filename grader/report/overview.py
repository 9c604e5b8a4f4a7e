"""A class in, one HTML page for the course staff out: who needs a person first, then every mark.

In the roster's order: no ranks. Distributions only where the class is too large to be a list of people.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup

from grader.course.model import Assignment
from grader.records import Status
from grader.report.attention import Urgency
from grader.report.distributions import (
    CriterionStatistics,
    OutcomeCounts,
    criterion_statistics,
    outcome_counts,
)
from grader.report.histogram import histogram
from grader.report.lines import CheckOutcome, Square, StudentLine, SubmissionLine
from grader.report.marks import command
from grader.report.page import pieces
from grader.report.queue import Blocker, Group, attention, blockers, submissions
from grader.report.view import page_path
from grader.report.words import Said, Tone

LARGE = 1000
"""Students from which on a browser lays out the tables of the page only where they are looked at: with 10,000
that takes less than half of the time and of the memory. Below, an exact scroll bar is worth more."""

NO_GRADE = Square(Said(Tone.OPEN, "no entry"), "")
NO_MARK = Square(Said(Tone.PLAIN, "no entry"), "")
Submissions = Sequence[tuple[tuple[str, ...], SubmissionLine]]
"""Each once, with the handles of those who handed it in."""


@dataclass(frozen=True, kw_only=True)
class OverviewView:
    """The class."""

    course_title: str
    term: str = ""
    students: tuple[StudentLine, ...]
    """In the order that they are listed in."""
    final: bool = False


@dataclass(frozen=True)
class MatrixRow:
    """One student's line."""

    student: str
    href: str
    squares: tuple[Square, ...]


@dataclass(frozen=True)
class AssignmentTable:
    """Everything about one assignment."""

    anchor: str
    assignment: Assignment
    columns: tuple[str, ...]
    rows: Iterable[MatrixRow]
    """Made as they are read, once."""
    statistics: tuple[CriterionStatistics, ...]
    totals: Markup | None
    checks: tuple[OutcomeCounts, ...]
    submissions: Submissions
    sandboxes: tuple[tuple[str, int], ...]
    """What the submissions ran in, with how many did, most of them first."""


@dataclass(frozen=True)
class Gradebook:
    """All items of all students."""

    columns: tuple[str, ...]
    rows: Iterable[MatrixRow]
    """Made as they are read, once."""
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


def render_overview(view: OverviewView) -> Iterator[str]:
    """The class overview, `index.html`, piece by piece.

    Args:
        view: what is left of every student.

    Returns:
        The pieces of one self-contained HTML document that links to the students' pages by `view.page_path`.
    """
    queue, handed_in = attention(view.students), submissions(view.students)
    assignments = {line.assignment.id: line.assignment for _, line in handed_in}
    return pieces(
        "overview.html",
        view=view,
        is_large=len(view.students) >= LARGE,
        href=student_href,
        command=command,
        counts=_counts(view, handed_in, queue),
        queue=queue,
        blockers=_blockers(view),
        gradebook=_gradebook(view, assignments),
        tables=tuple(
            _table(view, assignment, [one for one in handed_in if one[1].assignment.id == name], place)
            for place, (name, assignment) in enumerate(assignments.items(), start=1)
        ),
    )


def student_href(student: str) -> str:
    """Address of a student's page, relative to the overview."""
    return quote(page_path(student))


def _outcomes(handed_in: Submissions) -> Iterator[CheckOutcome]:
    return (outcome for _, line in handed_in for outcome in line.outcomes)


def _counts(view: OverviewView, handed_in: Submissions, queue: tuple[Group, ...]) -> Counts:
    statuses = Counter(outcome.status for outcome in _outcomes(handed_in))
    missing = sum(line.commit is None for _, line in handed_in)
    return Counts(
        students=len(view.students),
        submissions=len(handed_in) - missing,
        missing=missing,
        passed=statuses[Status.PASSED],
        failed=statuses[Status.FAILED],
        could_not_check=statuses[Status.COULD_NOT_CHECK],
        people=sum(case.urgency is not Urgency.WEAK for group in queue for case in group.cases),
    )


def _blockers(view: OverviewView) -> tuple[Blocker, ...]:
    return () if view.final else blockers(view.students)


def _gradebook(view: OverviewView, assignments: dict[str, Assignment]) -> Gradebook | None:
    """Items in the order in which the first grade lists them; None where nobody has a grade yet."""
    items = tuple(dict.fromkeys(item for student in view.students for item, _ in student.cells))
    if not items:
        return None
    titles = (assignments[item].title if item in assignments else item for item in items)
    shares = [student.share for student in view.students if student.share is not None]
    return Gradebook(
        columns=(*titles, "Final mark", "Letter"),
        rows=(_grade_row(student, items) for student in view.students),
        chart=histogram("totals", title="Final marks of the class", shares=shares),
    )


def _grade_row(student: StudentLine, items: tuple[str, ...]) -> MatrixRow:
    cells = dict(student.cells)
    squares = (*(cells.get(item, NO_GRADE) for item in items), student.total, student.letter)
    return MatrixRow(student.student, student_href(student.student), squares)


def _table(view: OverviewView, assignment: Assignment, handed_in: Submissions, place: int) -> AssignmentTable:
    lines = [line for _, line in handed_in]
    columns = dict.fromkeys((mark.criterion, mark.title) for line in lines for mark in line.marks)
    anchor = f"assignment-{place}"
    shares = [line.share for line in lines if line.share is not None]
    return AssignmentTable(
        anchor=anchor,
        assignment=assignment,
        columns=tuple(title for _, title in columns),
        rows=_matrix(view, assignment, tuple(criterion for criterion, _ in columns)),
        statistics=criterion_statistics((line.scores for line in lines), prefix=anchor),
        totals=histogram(f"{anchor}-totals", title=f"{assignment.title}: totals", shares=shares),
        checks=outcome_counts(_outcomes(handed_in)),
        submissions=handed_in,
        sandboxes=tuple(Counter(line.sandbox for line in lines if line.sandbox).most_common()),
    )


def _matrix(view: OverviewView, assignment: Assignment, criteria: tuple[str, ...]) -> Iterator[MatrixRow]:
    for student in view.students:
        for line in student.submissions:
            if line.assignment.id == assignment.id:
                squares = {mark.criterion: mark.square for mark in line.marks}
                marks = (squares.get(criterion, NO_MARK) for criterion in criteria)
                yield MatrixRow(student.student, student_href(student.student), (*marks, line.total))
