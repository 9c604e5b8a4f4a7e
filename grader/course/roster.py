"""roster.csv and the extensions.csv beside it in; students and teams, or every mistake, out.

Names, student numbers and addresses are read into `Student` and go no further than the roster.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from grader.course.instants import wall_clock_to_epoch
from grader.course.mistakes import nearest, refuse, resolved
from grader.course.model import Course, Roster, Student
from grader.course.tables import Row, Table, read_table
from grader.errors import ConfigurationError
from grader.records import Extension, Team

REQUIRED = ("student", "team", "repo_url")
OPTIONAL = ("name", "student_number", "email", "level", "project_team", "status")
STATUSES = ("active", "dropped")
EXTENSION_COLUMNS = ("team", "assignment", "deadline", "approver", "reason_code")
DEFAULT_LEVEL = "undergraduate"


def load_roster(path: Path, *, course: Course, assignment_ids: tuple[str, ...]) -> Roster:
    """Read the roster and, where there is one, the `extensions.csv` in the same folder.

    Args:
        path: roster.csv with the columns student, team, repo_url and, if wanted, name, student_number, email,
            level, project_team, status.
        course: says which levels there are and which zone the deadlines of extensions are in.
        assignment_ids: what an extension may be for.

    Returns:
        Students in the order of the file; teams of their active members in order of first appearance.

    Raises:
        ConfigurationError: with one line for every mistake in both files.
    """
    table = read_table(path, required=REQUIRED, optional=OPTIONAL)
    table.refuse_formulas()
    _check_students(table)
    _check_teams(table)
    _check_groups(table)
    _check_choice(table, "level", tuple(course.scales))
    _check_choice(table, "status", STATUSES)
    if not table.rows and not table.mistakes:
        table.note(Row(2, {}), "", "no students")
    teams = {row["team"] for row in table.rows}
    extensions, extension_table = _extensions(
        path.with_name("extensions.csv"), teams=teams, course=course, assignment_ids=assignment_ids
    )
    refuse([*table.mistakes, *extension_table.mistakes])
    students = tuple(_student(row) for row in table.rows)
    return Roster(students=students, teams=_teams(students, extensions))


def _student(row: Row) -> Student:
    status: Literal["active", "dropped"] = "dropped" if row["status"] == "dropped" else "active"
    return Student(
        student=row["student"],
        name=row["name"],
        student_number=row["student_number"],
        email=row["email"],
        level=row["level"] or DEFAULT_LEVEL,
        team=row["team"],
        project_team=row["project_team"],
        repo_url=row["repo_url"],
        status=status,
    )


def _teams(students: Iterable[Student], extensions: dict[str, list[Extension]]) -> tuple[Team, ...]:
    active: dict[str, list[Student]] = defaultdict(list)
    for student in students:
        if student.status == "active":
            active[student.team].append(student)
    return tuple(
        Team(
            id=team,
            members=tuple(member.student for member in members),
            repo_url=members[0].repo_url,
            extensions=tuple(extensions.get(team, ())),
        )
        for team, members in active.items()
    )


def _check_students(table: Table) -> None:
    """Every handle is good and nobody is there twice; case does not tell two students apart."""
    first: dict[str, int] = {}
    for row in table.rows:
        student = table.handle(row, "student")
        earlier = first.setdefault(student.casefold(), row.line)
        if student and earlier != row.line:
            table.note(row, "student", f"'{student}' is already in line {earlier}")


def _check_teams(table: Table) -> None:
    """A team has one spelling and one repository, and a repository one team."""
    first_of_team: dict[str, Row] = {}
    first_of_url: dict[str, Row] = {}
    for row in table.rows:
        team, url = table.handle(row, "team"), row["repo_url"]
        if not url:
            table.note(row, "repo_url", "empty; a team needs a repository to collect from")
            continue
        earlier = first_of_team.setdefault(team.casefold(), row)
        if earlier["team"] != team:
            table.note(row, "team", f"'{team}' is spelt '{earlier['team']}' in line {earlier.line}")
        elif earlier["repo_url"] != url:
            table.note(row, "repo_url", f"team '{team}' has another repository in line {earlier.line}")
        else:
            _check_owner(table, row, first_of_url.setdefault(url, row))


def _check_owner(table: Table, row: Row, earlier: Row) -> None:
    if earlier["team"] != row["team"]:
        owner = f"team '{earlier['team']}' (line {earlier.line})"
        table.note(row, "repo_url", f"is already the repository of {owner}")


def _check_groups(table: Table) -> None:
    """A team of the project has one spelling; it needs no repository."""
    first: dict[str, Row] = {}
    for row in table.rows:
        if row["project_team"]:
            group = table.handle(row, "project_team")
            earlier = first.setdefault(group.casefold(), row)
            if earlier["project_team"] != group:
                spelt = f"'{earlier['project_team']}' in line {earlier.line}"
                table.note(row, "project_team", f"'{group}' is spelt {spelt}")


def _check_choice(table: Table, column: str, choices: tuple[str, ...]) -> None:
    for row in table.rows:
        text = row[column]
        if text and text not in choices:
            table.note(row, column, f"unknown {column} '{text}'{nearest(text, choices)}")


def _extensions(
    path: Path, *, teams: set[str], course: Course, assignment_ids: tuple[str, ...]
) -> tuple[dict[str, list[Extension]], Table]:
    if not path.exists():
        return {}, Table(file=str(path))
    table = read_table(path, required=EXTENSION_COLUMNS)
    table.refuse_formulas()
    found: dict[str, list[Extension]] = defaultdict(list)
    for row in table.rows:
        extension = _extension(table, row, teams=teams, course=course, assignment_ids=assignment_ids)
        if any(other.assignment == extension.assignment for other in found[row["team"]]):
            table.note(row, "assignment", f"team '{row['team']}' already has an extension for it")
        found[row["team"]].append(extension)
    return found, table


def _extension(
    table: Table, row: Row, *, teams: set[str], course: Course, assignment_ids: tuple[str, ...]
) -> Extension:
    if row["team"] not in teams:
        table.note(row, "team", f"unknown team '{row['team']}'{nearest(row['team'], teams)}")
    for column in ("approver", "reason_code"):
        if not row[column]:
            table.note(row, column, "empty; an extension says who gave it and why, without medical detail")
    assignment = row["assignment"]
    try:
        assignment = resolved(assignment, assignment_ids, noun="assignment")
        wall_clock_to_epoch(row["deadline"], course.time_zone)
    except ConfigurationError as error:
        table.note(row, "", str(error))
    return Extension(
        assignment=assignment,
        deadline=row["deadline"],
        approver=row["approver"],
        reason_code=row["reason_code"],
    )
