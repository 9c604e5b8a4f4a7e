"""Marksheets, exam and project marks in; one row with its working for every active student out. Pure.

A mark is `points / out_of * weight`, summed over all cells as an exact fraction and rounded once, half up,
to a whole percent. A cell without a mark has a state, never a blank, and says which rule applied.

The rule for what is excused: its weight goes to the other items of its component in equal shares; where a
whole component is excused, its weight goes to the other components in proportion to theirs.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal
from fractions import Fraction
from types import MappingProxyType

from grader.course.given_marks import ComponentMark
from grader.course.model import Component, Course, Roster, Rubric, Student
from grader.mark.components import component_marks, how_summed, summed
from grader.mark.letters import letter, scale_of
from grader.mark.reasons import shown
from grader.records import Cell, CellState, GradeRow, Mark, Marksheet

NOBODY: Mapping[tuple[str, str], ComponentMark] = MappingProxyType({})
UNDIVIDED: Mapping[str, Rubric] = MappingProxyType({})
SHOWN = Context(prec=28)
COUNTS = (CellState.MARK, CellState.MISSING)
BLOCKS = (CellState.DEFERRED, CellState.WITHHELD, CellState.NOT_YET_MARKED)


def gradebook(
    *,
    course: Course,
    roster: Roster,
    sheet_of: Callable[[str, str], Marksheet | None],
    exam: Mapping[str, ComponentMark],
    project: Mapping[str, ComponentMark],
    items: Mapping[tuple[str, str], ComponentMark] = NOBODY,
    rubrics: Mapping[str, Rubric] = UNDIVIDED,
) -> Iterator[GradeRow]:
    """The final mark of every active student, in the order of the roster, one after the other.

    Args:
        course: weights, items and letter scales.
        roster: who is in which team; a team's mark is the mark of each of its members.
        sheet_of: the marksheet of a team (first) for an assignment, None where there is none; asked once for
            each student and item.
        exam: by student.
        project: by student.
        items: by student and assignment: a mark or state of one student in the place of the team's.
        rubrics: of the exam and the project, by these names, where their marks are divided into criteria.

    Raises:
        ConfigurationError: a student's level has no letter scale.
    """
    sources = _Sources(course=course, exam=exam, project=project, items=items, rubrics=rubrics)
    for student in roster.students:
        if student.status == "active":
            found = {item: sheet_of(student.team, item) for item in course.components.assignments.items}
            sheets = {item: sheet for item, sheet in found.items() if sheet is not None}
            yield _row(student, replace(sources, sheets=sheets))


def round_half_up(exact: Fraction) -> Decimal:
    """The nearest whole number; halves go up."""
    return Decimal(math.floor(exact + Fraction(1, 2)))


def team_rule(sheet: Marksheet) -> str:
    """How a cell says that it is the team's mark."""
    return f"mark of team {sheet.team}, {sheet.lateness.rule}"


@dataclass(frozen=True, kw_only=True)
class _Sources:
    course: Course
    exam: Mapping[str, ComponentMark]
    project: Mapping[str, ComponentMark]
    items: Mapping[tuple[str, str], ComponentMark]
    rubrics: Mapping[str, Rubric]
    sheets: Mapping[str, Marksheet] = field(default_factory=dict)
    """Of the one student's team, by item."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A cell before its weight is known."""

    item: str
    component: str
    state: CellState
    points: Decimal | None = None
    out_of: Decimal = Decimal(100)
    rule: str
    marks: tuple[Mark, ...] = ()

    @property
    def share(self) -> Fraction:
        """Of the possible points, exactly; 0 where nothing was handed in."""
        return Fraction(self.points or 0) / Fraction(self.out_of)


def _row(student: Student, sources: _Sources) -> GradeRow:
    scale = scale_of(sources.course, level=student.level, student=student.student)
    entries = _entries(student, sources)
    weights = _weights(entries, sources.course)
    is_open = any(entry.state in BLOCKS for entry in entries) or not any(weights.values())
    exact = sum((entry.share * weights[entry.item] for entry in entries), Fraction(0))
    total = None if is_open else round_half_up(exact)
    return GradeRow(
        student=student.student,
        team=student.team,
        level=student.level,
        cells=tuple(_cell(entry, weights, sources.course) for entry in entries),
        total=total,
        letter=None if total is None else letter(total, scale),
        flags=_flags(student, entries, sources),
    )


def _entries(student: Student, sources: _Sources) -> list[_Entry]:
    """One for each assignment, the exam and the project, in this order; none for what has no weight."""
    assignments = [
        _assignment(student, item, sources) for item in sources.course.components.assignments.items
    ]
    entries = [
        *assignments,
        _whole("exam", sources.exam.get(student.student), sources),
        _whole("project", sources.project.get(student.student), sources),
    ]
    return [entry for entry in entries if _component(sources.course, entry.component).weight > 0]


def _assignment(student: Student, item: str, sources: _Sources) -> _Entry:
    individual = sources.items.get((student.student, item))
    if individual is not None:
        return _given(item, "assignments", individual)
    sheet = _sheet_of(student, item, sources)
    if sheet is None or sheet.total is None or not sheet.out_of:
        return _Entry(
            item=item, component="assignments", state=CellState.NOT_YET_MARKED, rule=_why_open(sheet)
        )
    return _Entry(
        item=item,
        component="assignments",
        state=CellState.MARK,
        points=sheet.total,
        out_of=sheet.out_of,
        rule=team_rule(sheet),
    )


def _sheet_of(student: Student, item: str, sources: _Sources) -> Marksheet | None:
    """The marksheet that counts for a student; None where the student has a mark of their own, or nothing."""
    own = (student.student, item) in sources.items
    return None if own else sources.sheets.get(item)


def _why_open(sheet: Marksheet | None) -> str:
    if sheet is None:
        return "not graded yet"
    waiting = [mark for mark in sheet.marks if mark.points is None]
    return _first_of(waiting) if waiting else "the rubric gives no points"


def _first_of(waiting: list[Mark]) -> str:
    more = f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else ""
    return f"{waiting[0].title}: {waiting[0].reason}{more}"


def _whole(component: str, mark: ComponentMark | None, sources: _Sources) -> _Entry:
    """The exam or the project: one given mark, or the sum of its criteria."""
    if mark is None or mark.criteria is None:
        return _given(component, component, mark)
    rubric = sources.rubrics[component]
    marks = component_marks(rubric, mark.criteria)
    points = summed(marks)
    return _Entry(
        item=component,
        component=component,
        state=CellState.NOT_YET_MARKED if points is None else CellState.MARK,
        points=points,
        out_of=rubric.out_of,
        rule=how_summed(marks),
        marks=marks,
    )


def _given(item: str, component: str, mark: ComponentMark | None) -> _Entry:
    if mark is None:
        return _Entry(
            item=item, component=component, state=CellState.NOT_YET_MARKED, rule="no mark entered yet"
        )
    rules = {
        CellState.MARK: "mark entered by hand",
        CellState.MISSING: "nothing was handed in: counts as 0",
        CellState.EXCUSED: "excused: the weight goes to the rest",
        CellState.DEFERRED: "deferred to a later date",
        CellState.WITHHELD: "withheld until a person releases it",
        CellState.NOT_YET_MARKED: "not marked yet",
    }
    return _Entry(
        item=item,
        component=component,
        state=mark.state,
        points=Decimal(0) if mark.state is CellState.MISSING else mark.points,
        out_of=mark.out_of,
        rule=rules[mark.state],
    )


def _weights(entries: list[_Entry], course: Course) -> dict[str, Fraction]:
    """Each item's share of the final mark in percent, after the rule for what is excused."""
    live: dict[str, list[str]] = {}
    for entry in entries:
        if entry.state is not CellState.EXCUSED:
            live.setdefault(entry.component, []).append(entry.item)
    total = sum((Fraction(_component(course, name).weight) for name in live), Fraction(0))
    weights = dict.fromkeys((entry.item for entry in entries), Fraction(0))
    for name, names in live.items():
        for item in names:
            weights[item] = Fraction(_component(course, name).weight) * 100 / total / len(names)
    return weights


def _component(course: Course, name: str) -> Component:
    parts = course.components
    return {"assignments": parts.assignments, "exam": parts.exam, "project": parts.project}[name]


def _cell(entry: _Entry, weights: Mapping[str, Fraction], course: Course) -> Cell:
    weight = weights[entry.item]
    component = _component(course, entry.component)
    usual = Fraction(component.weight) / max(len(component.items), 1)
    raised = weight not in {usual, 0}
    note = (
        f"; weight {shown(_decimal(usual))} raised to {shown(_decimal(weight))} as other work is excused"
        if raised
        else ""
    )
    return Cell(
        item=entry.item,
        component=entry.component,
        state=entry.state,
        points=entry.points,
        out_of=entry.out_of,
        weight=_decimal(weight),
        contribution=_decimal(entry.share * weight) if entry.state in COUNTS else None,
        rule=entry.rule + note,
        marks=entry.marks,
    )


def _decimal(exact: Fraction) -> Decimal:
    return SHOWN.divide(Decimal(exact.numerator), Decimal(exact.denominator))


def _flags(student: Student, entries: list[_Entry], sources: _Sources) -> tuple[str, ...]:
    """What blocks the final mark, then what a person must look at; each once, with the items it is about."""
    said: dict[str, list[str]] = {}
    for entry in entries:
        if entry.state in BLOCKS:
            for text in _blocking(entry, _sheet_of(student, entry.item, sources)):
                said.setdefault(text, []).append(entry.item)
    for entry in entries:
        sheet = sources.sheets.get(entry.item)
        for flag in sheet.flags if sheet else ():
            said.setdefault(flag, []).append(entry.item)
    flags = [f"{', '.join(items)}: {text}" for text, items in said.items()]
    if all(entry.state is CellState.EXCUSED for entry in entries):
        flags.append("everything is excused: no mark can be computed")
    return tuple(flags)


def _blocking(entry: _Entry, sheet: Marksheet | None) -> list[str]:
    """Why an entry is open, unless the flags of its marksheet say so."""
    waiting = [mark for mark in sheet.marks if mark.points is None] if sheet else []
    for_people = [mark for mark in waiting if not mark.needs_person]
    if not waiting or sheet is None:
        return [entry.rule]
    if not for_people:
        return [] if sheet.flags else [entry.rule]
    return [_first_of(for_people)]
