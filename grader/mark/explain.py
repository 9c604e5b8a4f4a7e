"""A grade row or marksheet in, the rows of its show-your-work table as text out. Pure.

Figures are shown with two decimals; nothing is computed from what is shown.
"""

from collections.abc import Mapping
from decimal import Decimal

from grader.mark.gradebook import team_rule
from grader.mark.reasons import OPEN, shown
from grader.records import Cell, GradeRow, Marksheet, Record


class WorkLine(Record):
    """One line of a show-your-work table; the last one is the total."""

    item: str
    component: str = ""
    raw: str
    """Points before the late rule, of how many."""
    late: str = ""
    """What the late rule took away; empty where there is none for this item."""
    weight: str = ""
    contribution: str
    """What it adds to the final mark."""
    rule: str


class PointsLine(Record):
    """One criterion of a marksheet, the late rule, or the total."""

    title: str
    points: str
    out_of: str
    reason: str


def explain_grade(row: GradeRow, marksheets: Mapping[tuple[str, str], Marksheet]) -> tuple[WorkLine, ...]:
    """How the final mark of a student comes about.

    Args:
        row: of the gradebook.
        marksheets: by team and assignment, as the gradebook had them.
    """
    lines = (_work_line(cell, _sheet_behind(cell, row.team, marksheets)) for cell in row.cells)
    return (*lines, _total_line(row))


def explain_marksheet(sheet: Marksheet) -> tuple[PointsLine, ...]:
    """How the total of an assignment comes about: its criteria, the late rule, the total."""
    criteria = tuple(
        PointsLine(title=m.title, points=shown(m.points), out_of=shown(m.out_of), reason=m.reason)
        for m in sheet.marks
    )
    deducted = sheet.lateness.deducted
    late = PointsLine(title="late rule", points=_minus(deducted), out_of="", reason=sheet.lateness.rule)
    reason = "some criteria are open" if sheet.total is None else "sum of the above, never below 0"
    total = PointsLine(title="total", points=shown(sheet.total), out_of=shown(sheet.out_of), reason=reason)
    return (*criteria, late, total)


def _sheet_behind(cell: Cell, team: str, marksheets: Mapping[tuple[str, str], Marksheet]) -> Marksheet | None:
    """The marksheet that a cell was taken from; None where the student has a mark of their own."""
    sheet = marksheets.get((team, cell.item))
    return sheet if sheet is not None and cell.rule.startswith(team_rule(sheet)) else None


def _work_line(cell: Cell, sheet: Marksheet | None) -> WorkLine:
    earned, late = cell.points, ""
    if sheet is not None and sheet.total is not None:
        earned, late = sheet.total + sheet.lateness.deducted, _minus(sheet.lateness.deducted)
    return WorkLine(
        item=cell.item,
        component=cell.component,
        raw=cell.state.replace("_", " ") if earned is None else f"{shown(earned)} of {shown(cell.out_of)}",
        late=late,
        weight=f"{shown(cell.weight)} %",
        contribution=shown(cell.contribution),
        rule=cell.rule,
    )


def _total_line(row: GradeRow) -> WorkLine:
    if row.total is None:
        return WorkLine(item="total", raw=OPEN, contribution=OPEN, rule="; ".join(row.flags))
    parts = " + ".join(shown(cell.contribution) for cell in row.cells if cell.contribution is not None)
    return WorkLine(
        item="total",
        raw=row.letter or "",
        contribution=shown(row.total),
        rule=f"{parts}, rounded once, half up, to a whole percent; letter by the {row.level} scale",
    )


def _minus(deducted: Decimal) -> str:
    return f"-{shown(deducted)}" if deducted else "0"
