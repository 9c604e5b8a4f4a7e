"""CSV files of marks given by people in; frozen records by student or team, or every mistake, out.

exam.csv and project.csv hold one line for each student, or are divided into criteria (criteria_csv.py); the
manual marks of an assignment are one line for each team and criterion. Nothing is guessed: a number has a
decimal point, and no mark is a state, not a blank.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TypeVar

from grader.course.criteria_csv import is_divided, load_exam_criteria, load_project_criteria
from grader.course.given_marks import FULL, ComponentMark, ManualMark
from grader.course.mistakes import nearest, refuse, resolved
from grader.course.model import Criterion, Roster, Rubric
from grader.course.tables import Row, Table, read_table
from grader.course.tree import CourseTree
from grader.errors import ConfigurationError
from grader.records import CellState

Key = TypeVar("Key")
STATES = tuple(state.value for state in CellState)


def load_component_marks(path: Path, *, students: Collection[str]) -> dict[str, ComponentMark]:
    """Read exam.csv or project.csv: student, points, and if wanted out_of (100) and state (mark).

    Raises:
        ConfigurationError: with one line for every mistake: unknown or repeated students, numbers with a
            comma, more points than there are, blanks without a state.
    """
    table = read_table(path, required=("student", "points"), optional=("out_of", "state"))
    marks = [mark for _, mark in _component_marks(table, students)]
    table.refuse_repeated(("student",))
    refuse(table.mistakes)
    return {mark.student: mark for mark in marks}


def load_item_marks(
    path: Path, *, students: Collection[str], items: Collection[str]
) -> dict[tuple[str, str], ComponentMark]:
    """Read items.csv: what holds for one student in the place of the team's mark for an item.

    Columns student, item, points, and if wanted out_of and state: an excused assignment, a withheld one, a
    member whose mark differs from the team's.

    Raises:
        ConfigurationError: with one line for every mistake.
    """
    table = read_table(path, required=("student", "item", "points"), optional=("out_of", "state"))
    marks: dict[tuple[str, str], ComponentMark] = {}
    for row, mark in _component_marks(table, students):
        try:
            key = mark.student, resolved(row["item"], items, noun="item")
        except ConfigurationError as error:
            table.note(row, "item", str(error))
            continue
        if marks.setdefault(key, mark) is not mark:
            table.note(row, "item", f"'{key[1]}' of '{key[0]}' is already in an earlier line")
    refuse(table.mistakes)
    return marks


def load_manual_marks(
    path: Path, *, teams: Collection[str], rubric: Rubric
) -> dict[str, dict[str, ManualMark]]:
    """Read the manual marks of one assignment: team, criterion, points, reason.

    A line without points is not marked yet and counts as absent, so a prepared list can be filled in.

    Returns:
        Team → criterion → mark.

    Raises:
        ConfigurationError: with one line for every mistake.
    """
    table = read_table(path, required=("team", "criterion", "points", "reason"))
    criteria = {criterion.id: criterion for criterion in rubric.criteria}
    marks: dict[str, dict[str, ManualMark]] = {}
    for row in table.rows:
        mark = _manual_mark(table, row, teams=teams, criteria=criteria)
        if mark is not None:
            marks.setdefault(mark.team, {})[mark.criterion] = mark
    table.refuse_repeated(("team", "criterion"))
    refuse(table.mistakes)
    return marks


@dataclass(frozen=True, kw_only=True)
class ClassMarks:
    """Every mark that people have given so far."""

    exam: Mapping[str, ComponentMark]
    """By student."""
    project: Mapping[str, ComponentMark]
    """By student."""
    items: Mapping[tuple[str, str], ComponentMark]
    """By student and item; in the place of the team's mark."""
    manual: Mapping[str, Mapping[str, Mapping[str, ManualMark]]]
    """Assignment → team → criterion."""

    def manual_of(self, *, assignment: str, team: str) -> Mapping[str, ManualMark]:
        """What people gave one team for one assignment, by criterion."""
        return self.manual.get(assignment, {}).get(team, {})


def read_class_marks(tree: CourseTree, roster: Roster) -> ClassMarks:
    """Read `marks/` of the course: exam.csv, project.csv, items.csv and <assignment id>.csv, each if there.

    Raises:
        ConfigurationError: a file has mistakes; a line for each.
    """
    folder = tree.root / "marks"
    students = {student.student for student in roster.students}
    items = tree.course.components.assignments.items
    by_item = partial(load_item_marks, students=students, items=items)
    teams = {student.team for student in roster.students}
    manual = {
        name: load_manual_marks(path, teams=teams, rubric=tree.rubric(name))
        for name in tree.assignment_ids()
        if (path := folder / f"{name}.csv").exists()
    }
    return ClassMarks(
        exam=_if_there(folder / "exam.csv", partial(_exam_marks, tree=tree, roster=roster)),
        project=_if_there(folder / "project.csv", partial(_project_marks, tree=tree, roster=roster)),
        items=_if_there(folder / "items.csv", by_item),
        manual=manual,
    )


def _exam_marks(path: Path, *, tree: CourseTree, roster: Roster) -> dict[str, ComponentMark]:
    students = {student.student for student in roster.students}
    if not is_divided(path):
        return load_component_marks(path, students=students)
    return load_exam_criteria(path, students=students, rubric=_rubric_of(tree, path))


def _project_marks(path: Path, *, tree: CourseTree, roster: Roster) -> dict[str, ComponentMark]:
    if not is_divided(path):
        return load_component_marks(path, students={student.student for student in roster.students})
    members: dict[str, list[str]] = {}
    for student in roster.students:
        members.setdefault(student.group, []).append(student.student)
    return load_project_criteria(path, members=members, rubric=_rubric_of(tree, path))


def _rubric_of(tree: CourseTree, path: Path) -> Rubric:
    rubric = tree.component_rubric(path.stem)
    if rubric is None:
        missing = tree.name_of(tree.rubric_path(path.stem))
        raise ConfigurationError(f"{path}: line 1: the column 'criterion' needs {missing}, which is missing")
    return rubric


def _if_there(path: Path, load: Callable[[Path], dict[Key, ComponentMark]]) -> dict[Key, ComponentMark]:
    return load(path) if path.exists() else {}


def _component_marks(table: Table, students: Collection[str]) -> Iterator[tuple[Row, ComponentMark]]:
    """The good lines; whatever is wrong with the others is noted in the table."""
    for row in table.rows:
        before = len(table.mistakes)
        table.check_known(row, "student", students)
        state = _state(table, row)
        points = _points_of_state(table, row, state)
        out_of = _out_of(table, row, points)
        if len(table.mistakes) == before:
            yield row, ComponentMark(student=row["student"], state=state, points=points, out_of=out_of)


def _state(table: Table, row: Row) -> CellState:
    text = row["state"] or CellState.MARK
    if text in STATES:
        return CellState(text)
    table.note(row, "state", f"unknown state '{text}'{nearest(text, STATES)}")
    return CellState.NOT_YET_MARKED


def _points_of_state(table: Table, row: Row, state: CellState) -> Decimal | None:
    others = ", ".join(state for state in STATES if state != CellState.MARK)
    if state is not CellState.MARK:
        if row["points"]:
            table.note(row, "points", f"{row['points']!r} beside the state '{state}'; leave one of them out")
        return None
    if not row["points"]:
        table.note(row, "points", f"empty; write a number, or in the column state one of {others}")
        return None
    return table.decimal(row, "points")


def _out_of(table: Table, row: Row, points: Decimal | None) -> Decimal:
    out_of = table.decimal(row, "out_of") if row["out_of"] else FULL
    if out_of == 0:
        table.note(row, "out_of", "is 0; write the most points that one can get")
    if points is not None and out_of is not None and points > out_of:
        table.note(row, "points", f"{points} is more than {out_of}")
    return out_of or FULL


def _manual_mark(
    table: Table, row: Row, *, teams: Collection[str], criteria: Mapping[str, Criterion]
) -> ManualMark | None:
    table.check_known(row, "team", teams)
    table.check_known(row, "criterion", criteria)
    points = table.decimal(row, "points") if row["points"] else None
    criterion = criteria.get(row["criterion"])
    if points is None or criterion is None:
        return None
    if points > criterion.points:
        table.note(row, "points", f"{points} is more than the {criterion.points} of '{criterion.id}'")
    if criterion.kind != "manual" and not row["reason"]:
        table.note(row, "reason", "empty; a mark in the place of the grader's own needs a reason")
    return ManualMark(team=row["team"], criterion=criterion.id, points=points, reason=row["reason"])
