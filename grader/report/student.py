"""One student's view in, one HTML page out: marks with their reasons, the evidence, and how to reproduce it.

Nothing about anyone else is on the page: no ranks, no class figures, no other handle.
"""

from dataclasses import dataclass

from grader.course.check_ids import covers
from grader.course.model import Criterion
from grader.records import Examination, GradeRow, Outcome, Status
from grader.report import figures
from grader.report.evidence import Shown, shown_evidence
from grader.report.marks import MarkLine, command, earned, mark_lines, open_points, total_text
from grader.report.page import page
from grader.report.text import plural
from grader.report.view import AssignmentView, StudentView
from grader.report.words import CELLS, DECISIONS, LEVELS, NOTHING, Said


@dataclass(frozen=True)
class CheckLine:
    """One check: what it is called, in words, and what came of it."""

    name: str
    check: str
    hidden: bool
    message: str
    counts_for: tuple[str, ...]
    """Titles of the criteria that it counts for."""


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
    marks: tuple[MarkLine, ...]
    decision: Said
    level: str
    late: str
    failed: tuple[CheckLine, ...]
    not_checked: tuple[CheckLine, ...]
    passed: tuple[CheckLine, ...]
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


def render_student(view: StudentView) -> str:
    """The report that a student gets.

    Args:
        view: handles and records only.

    Returns:
        One self-contained HTML document: no script, nothing fetched from anywhere.
    """
    sections = tuple(_section(item, anchor=f"item-{place}") for place, item in enumerate(view.items, start=1))
    return page("student.html", view=view, sections=sections, grade=_grade_lines(view))


def _section(view: AssignmentView, *, anchor: str) -> Section:
    sheet = view.marksheet
    share = None if sheet.total is None or not sheet.out_of else float(sheet.total / sheet.out_of)
    return Section(
        anchor=anchor,
        view=view,
        total=total_text(sheet),
        out_of=figures.points(sheet.out_of),
        share=share,
        earned=figures.points(earned(sheet)),
        open_points=figures.points(open_points(sheet)),
        deducted=figures.points(-sheet.lateness.deducted),
        marks=mark_lines(view, prefix=anchor),
        decision=DECISIONS[view.snapshot.evidence.decision],
        level=LEVELS[view.snapshot.evidence.level],
        late=_late(view),
        failed=_checks(view, Status.FAILED),
        not_checked=_checks(view, Status.COULD_NOT_CHECK),
        passed=_checks(view, Status.PASSED),
        evidence=shown_evidence(view, prefix=anchor),
        command=command(view),
        reproduction=_reproduction(view),
    )


def _late(view: AssignmentView) -> str:
    days = view.marksheet.lateness.days_late
    if view.snapshot.commit is None:
        return "nothing handed in"
    return f"{plural(days, 'started day')} late" if days else "on time"


def _checks(view: AssignmentView, status: Status) -> tuple[CheckLine, ...]:
    outcomes = view.examination.outcomes if view.examination else ()
    return tuple(_check_line(view, outcome) for outcome in outcomes if outcome.status is status)


def _check_line(view: AssignmentView, outcome: Outcome) -> CheckLine:
    criteria = view.rubric.criteria
    counts_for = (c.title for c in criteria if _counts_for(c, outcome))
    return CheckLine(
        name=check_words(outcome.check),
        check=outcome.check,
        hidden=outcome.check.startswith("hidden/"),
        message=outcome.message,
        counts_for=tuple(counts_for),
    )


def _counts_for(criterion: Criterion, outcome: Outcome) -> bool:
    return any(covers(pattern, outcome.check) for pattern in (*criterion.checks, *criterion.requires))


def check_words(check: str) -> str:
    """`public/test_vae.py::test_kl_is_closed_form[3]` as `kl is closed form [3]`."""
    name, bracket, parameters = check.rpartition("::")[2].partition("[")
    words = name.removeprefix("test_").replace("_", " ").strip() or check
    return f"{words} [{parameters}" if bracket else words


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
