"""exam.csv or project.csv divided into criteria in; what each student was given, or every mistake, out.

A line is about one student (exam), one team or one member of it (project). It gives points for a criterion of
the rubric, or a state for the whole mark: excused, deferred. What a member is given stands in the place of
what the team is given. A line without points is not marked yet, so a prepared list can be filled in.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.course.given_marks import ComponentMark, GivenPoints
from grader.course.mistakes import nearest, refuse
from grader.course.model import Criterion, Rubric
from grader.course.tables import Row, Table, columns_of, read_table
from grader.records import CellState

DIVIDED_BY = "criterion"
STATES = tuple(state.value for state in CellState)


def is_divided(path: Path) -> bool:
    """Whether the file gives points for criteria; otherwise it gives whole marks."""
    return DIVIDED_BY in columns_of(path)


def load_exam_criteria(path: Path, *, students: Collection[str], rubric: Rubric) -> dict[str, ComponentMark]:
    """Read student, criterion, points, reason and, if wanted, state.

    Raises:
        ConfigurationError: with one line for every mistake.
    """
    table = read_table(path, required=("student", "criterion", "points", "reason"), optional=("state",))
    lines = []
    for row in table.rows:
        table.check_known(row, "student", students)
        lines.append(_line(table, row, rubric, people=(row["student"],), is_own=False))
    table.refuse_repeated(("student", "criterion"))
    return _marks(table, lines)


def load_project_criteria(
    path: Path, *, members: Mapping[str, Collection[str]], rubric: Rubric
) -> dict[str, ComponentMark]:
    """Read team, criterion, points, reason and, if wanted, student and state.

    A line without a student is for every member of the team, one with a student for that member alone.

    Args:
        path: project.csv.
        members: team of the project → its students.
        rubric: says which criteria are given to each member alone.

    Raises:
        ConfigurationError: with one line for every mistake.
    """
    required = ("team", "criterion", "points", "reason")
    table = read_table(path, required=required, optional=("student", "state"))
    lines = []
    for row in table.rows:
        team = tuple(members.get(row["team"], ()))
        _check_member(table, row, members)
        people = (row["student"],) if row["student"] else team
        line = _line(table, row, rubric, people=people, is_own=bool(row["student"]))
        _check_whom(table, line, rubric)
        lines.append(line)
    table.refuse_repeated(("team", "student", "criterion"))
    return _marks(table, lines)


@dataclass(frozen=True, kw_only=True)
class _Line:
    """One line: whom it is about, and the state or the points that it gives, if it gives any yet."""

    row: Row
    people: tuple[str, ...]
    is_own: bool
    """True: it holds for one member in the place of what the team is given."""
    state: CellState | None = None
    given: GivenPoints | None = None


def _line(table: Table, row: Row, rubric: Rubric, *, people: tuple[str, ...], is_own: bool) -> _Line:
    state = row["state"] or CellState.MARK
    if state not in STATES:
        table.note(row, "state", f"unknown state '{state}'{nearest(state, STATES)}")
    if state != CellState.MARK:
        for column in ("criterion", "points"):
            if row[column]:
                found = f"{row[column]!r} beside the state '{state}'"
                table.note(row, column, f"{found}, which is for the whole mark; leave one of them out")
        known = CellState(state) if state in STATES else None
        return _Line(row=row, people=people, is_own=is_own, state=known)
    return _Line(row=row, people=people, is_own=is_own, given=_points(table, row, rubric))


def _points(table: Table, row: Row, rubric: Rubric) -> GivenPoints | None:
    """The points of a line; None while it has none, or no good ones."""
    table.check_known(row, "criterion", [criterion.id for criterion in rubric.criteria])
    criterion = _criterion(rubric, row)
    points = table.decimal(row, "points") if row["points"] else None
    if points is None or criterion is None:
        return None
    if points > criterion.points:
        table.note(row, "points", f"{points} is more than the {criterion.points} of '{criterion.id}'")
    return GivenPoints(criterion=criterion.id, points=points, reason=row["reason"])


def _criterion(rubric: Rubric, row: Row) -> Criterion | None:
    return next((c for c in rubric.criteria if c.id == row["criterion"]), None)


def _check_member(table: Table, row: Row, members: Mapping[str, Collection[str]]) -> None:
    table.check_known(row, "team", members)
    team = members.get(row["team"])
    if row["student"] and team is not None and row["student"] not in team:
        others = nearest(row["student"], team)
        table.note(row, "student", f"'{row['student']}' is not in team '{row['team']}'{others}")


def _check_whom(table: Table, line: _Line, rubric: Rubric) -> None:
    """What is for each member alone names the member; what differs from the team's says why."""
    criterion = _criterion(rubric, line.row)
    if criterion is None or line.state is not None:
        return
    if criterion.per_member and not line.is_own:
        table.note(line.row, "student", f"empty; '{criterion.id}' is given to each member alone")
    if line.is_own and line.given and not criterion.per_member and not line.given.reason:
        table.note(line.row, "reason", "empty; points in the place of the team's need a reason")


def _marks(table: Table, lines: Iterable[_Line]) -> dict[str, ComponentMark]:
    about: dict[str, list[_Line]] = {}
    for line in lines:
        for person in line.people:
            about.setdefault(person, []).append(line)
    for those in about.values():
        _refuse_contradictions(table, those)
    refuse(dict.fromkeys(table.mistakes))
    return {person: _mark(person, those) for person, those in about.items()}


def _refuse_contradictions(table: Table, lines: Iterable[_Line]) -> None:
    """A state beside points, unless it is a member's own and the points are the team's."""
    points = [line for line in lines if line.given is not None]
    for line in (line for line in lines if line.state is not None):
        for other in points:
            if other.is_own or not line.is_own:
                found = f"'{line.state}' beside the points of line {other.row.line}"
                table.note(line.row, "state", f"{found}; leave one of them out")


def _mark(student: str, lines: Iterable[_Line]) -> ComponentMark:
    """The member's own lines stand in the place of the team's."""
    ordered = sorted(lines, key=lambda line: line.is_own)
    states = [line.state for line in ordered if line.state is not None]
    if states:
        return ComponentMark(student=student, state=states[-1])
    given = {points.criterion: points for points in _given(ordered)}
    return ComponentMark(student=student, state=CellState.MARK, criteria=tuple(given.values()))


def _given(lines: Iterable[_Line]) -> Iterator[GivenPoints]:
    return (line.given for line in lines if line.given is not None)
