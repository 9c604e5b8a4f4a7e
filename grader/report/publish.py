"""The results of a class in; index.html, one page per student, grades.csv and grades.json out.

Everything that was found out is read one submission at a time; of a student whose page is written, only the
lines of the class's page are left.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from grader.course.model import Assignment, Bands, Course, Roster, Rubric, Student
from grader.records import Examination, GradeRow, Marksheet, Record, Snapshot
from grader.report.exports import grades_csv, grades_json
from grader.report.lines import StudentLine, line_of
from grader.report.overview import OverviewView, render_overview
from grader.report.queue import Group, attention
from grader.report.student import render_student
from grader.report.view import AssignmentView, Evidence, StudentView, load_artifacts, page_path
from grader.store import Store, write_whole


class TeamResult(Record):
    """One team's submission through all stages."""

    snapshot: Snapshot
    examination: Examination | None
    marksheet: Marksheet


@dataclass(frozen=True, kw_only=True)
class AssignmentResults:
    """One assignment through all stages, for everybody who was graded so far."""

    assignment: Assignment
    rubric: Rubric
    bands: Bands | None
    reference: Examination
    teams: Mapping[str, TeamResult]
    """By team, in the order of the roster; of a large class each is read when it is asked for."""


@dataclass(frozen=True, kw_only=True)
class ClassResults:
    """Everything that the pages of a class are made from."""

    course: Course
    roster: Roster
    results: tuple[AssignmentResults, ...]
    rows: Mapping[str, GradeRow]
    """By student, in the order of the roster."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """Where the pages are, and what they say first."""

    index: Path
    attention: tuple[Group, ...]
    """What a person must look at, most urgent first."""


def publish(shown: ClassResults, *, store: Store, out: Path) -> Published:
    """Write all pages and exports."""
    lines = tuple(_published(shown, student, store=store, out=out) for student in shown.roster.students)
    view = OverviewView(course_title=shown.course.title, term=shown.course.term, students=lines)
    write_whole(out / "grades.csv", grades_csv(shown.rows.values()))
    write_whole(out / "grades.json", _json(shown))
    write_whole(out / "index.html", render_overview(view))
    return Published(index=out / "index.html", attention=attention(lines))


def _published(shown: ClassResults, student: Student, *, store: Store, out: Path) -> StudentLine:
    """Write the page of one student; returns what the class's page says of them."""
    view = _student_view(shown, student)
    items = tuple(_with_evidence(item, store) for item in view.items)
    write_whole(out / page_path(view.student), render_student(replace(view, items=items)))
    return line_of(view)


def _json(shown: ClassResults) -> Iterator[str]:
    def results() -> Iterator[TeamResult]:
        return (team for result in shown.results for team in result.teams.values())

    return grades_json(
        shown.rows.values(),
        (team.marksheet for team in results()),
        course_title=shown.course.title,
        snapshots=(team.snapshot for team in results()),
        examinations=(team.examination for team in results() if team.examination),
    )


def _student_view(shown: ClassResults, student: Student) -> StudentView:
    return StudentView(
        student=student.student,
        course_title=shown.course.title,
        term=shown.course.term,
        items=tuple(
            _assignment_view(result, team)
            for result in shown.results
            if (team := result.teams.get(student.team)) is not None
        ),
        grade=shown.rows.get(student.student),
    )


def _assignment_view(result: AssignmentResults, team: TeamResult) -> AssignmentView:
    return AssignmentView(
        assignment=result.assignment,
        rubric=result.rubric,
        snapshot=team.snapshot,
        examination=team.examination,
        marksheet=team.marksheet,
        reference=result.reference,
        bands=result.bands,
    )


def _with_evidence(item: AssignmentView, store: Store) -> AssignmentView:
    return replace(
        item,
        artifacts=_evidence(item.examination, store),
        reference_artifacts=_evidence(item.reference, store),
    )


def _evidence(examination: Examination | None, store: Store) -> dict[str, Evidence]:
    if examination is None:
        return {}
    return load_artifacts(store.path(f"examinations/{examination.key}/artifacts"), examination)
