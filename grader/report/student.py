"""One student's view in, one HTML page out: marks with their reasons, the evidence, and how to reproduce it.

Nothing about anyone else is on the page: no ranks, no class figures, no other handle.
"""

from dataclasses import dataclass

from grader.course.counting import plural
from grader.records import Cell, Examination, GradeRow
from grader.report import figures
from grader.report.checks import Checks, checks_of
from grader.report.evidence import Shown, shown_evidence
from grader.report.marks import (
    MarkGroup,
    MarkLine,
    command,
    earned,
    mark_groups,
    marks_by_hand,
    open_points,
    total_text,
)
from grader.report.page import page
from grader.report.view import AssignmentView, StudentView
from grader.report.words import CELLS, NOTHING, Said, decision_said, evidence_said


@dataclass(frozen=True)
class Section:
    """One assignment, ready for the template."""

    anchor: str
    view: AssignmentView
    total: str
    out_of: str
    share: float | None
    """Total as a share of the points, for the bar; None while it is open."""
    earned: str
    open_points: str
    deducted: str
    marks: tuple[MarkGroup, ...]
    has_strips: bool
    decision: Said
    level: str
    late: str
    checks: Checks
    evidence: Shown
    command: str
    reproduction: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class GradeLine:
    """One line of the working of the final mark."""

    component: str
    item: str
    said: Said
    points: str
    out_of: str
    weight: str
    contribution: str
    rule: str


@dataclass(frozen=True)
class ByHand:
    """The exam or the project, criterion by criterion."""

    title: str
    said: Said
    marks: tuple[MarkLine, ...]
    points: str
    out_of: str
    open_points: str
    """Empty where every criterion is marked."""


def render_student(view: StudentView) -> str:
    """The report that a student gets.

    Args:
        view: handles and records only.

    Returns:
        One self-contained HTML document: no script, nothing fetched from anywhere.
    """
    sections = tuple(_section(item, anchor=f"item-{place}") for place, item in enumerate(view.items, start=1))
    return page(
        "student.html", view=view, sections=sections, by_hand=_by_hand(view), grade=_grade_lines(view)
    )


def _section(view: AssignmentView, *, anchor: str) -> Section:
    sheet = view.marksheet
    marks = mark_groups(view, prefix=anchor)
    share = None if sheet.total is None or not sheet.out_of else float(sheet.total / sheet.out_of)
    return Section(
        anchor=anchor,
        view=view,
        total=total_text(sheet),
        out_of=figures.points(sheet.out_of),
        share=share,
        earned=figures.points(earned(sheet.marks)),
        open_points=figures.points(open_points(sheet.marks)),
        deducted=figures.points(-sheet.lateness.deducted),
        marks=marks,
        has_strips=any(line.strip for group in marks for line in group.lines),
        decision=decision_said(view.snapshot),
        level=evidence_said(view.snapshot.evidence),
        late=_late(view),
        checks=checks_of(view),
        evidence=shown_evidence(view, prefix=anchor),
        command=command(assignment=view.assignment.id, team=sheet.team),
        reproduction=_reproduction(view),
    )


def _late(view: AssignmentView) -> str:
    days = view.marksheet.lateness.days_late
    if view.snapshot.commit is None:
        return "nothing handed in"
    return f"{plural(days, 'started day')} late" if days else "on time"


def _reproduction(view: AssignmentView) -> tuple[tuple[str, str], ...]:
    if view.examination is None:
        return ()
    return (
        ("Commit", view.snapshot.commit or "none"),
        ("Tree", view.snapshot.tree or "none"),
        *_environment(view.examination),
    )


def _environment(examination: Examination) -> tuple[tuple[str, str], ...]:
    used = examination.environment
    return (
        ("Key", examination.key),
        ("Grader", used.engine),
        ("Python", used.python),
        ("PyTorch", used.torch),
        ("Device", used.device),
        ("Sandbox", used.sandbox),
    )


def _by_hand(view: StudentView) -> tuple[ByHand, ...]:
    cells = view.grade.cells if view.grade else ()
    return tuple(_by_hand_of(cell) for cell in cells if cell.marks)


def _by_hand_of(cell: Cell) -> ByHand:
    waiting = open_points(cell.marks)
    return ByHand(
        title=cell.item.capitalize(),
        said=CELLS[cell.state],
        marks=marks_by_hand(cell.marks),
        points=figures.points(earned(cell.marks)),
        out_of=figures.points(cell.out_of),
        open_points=figures.points(waiting) if waiting else "",
    )


def _grade_lines(view: StudentView) -> tuple[GradeLine, ...]:
    titles = {item.assignment.id: item.assignment.title for item in view.items}
    return _lines_of(view.grade, titles) if view.grade else ()


def _lines_of(grade: GradeRow, titles: dict[str, str]) -> tuple[GradeLine, ...]:
    return tuple(
        GradeLine(
            component=cell.component,
            item=titles.get(cell.item, cell.item),
            said=CELLS[cell.state],
            points=NOTHING if cell.points is None else figures.points(cell.points),
            out_of=figures.points(cell.out_of),
            weight=figures.points(cell.weight),
            contribution=NOTHING if cell.contribution is None else figures.contribution(cell.contribution),
            rule=cell.rule,
        )
        for cell in grade.cells
    )
