"""The results of a class in; index.html, one page per student, grades.csv and grades.json out."""

from dataclasses import dataclass, replace
from pathlib import Path

from grader.course.model import Assignment, Bands, Course, Roster, Rubric, Student
from grader.records import Examination, GradeRow, Marksheet, Snapshot
from grader.report.attention import Group, attention
from grader.report.exports import grades_csv, grades_json
from grader.report.overview import render_overview
from grader.report.student import render_student
from grader.report.view import AssignmentView, Evidence, OverviewView, StudentView, load_artifacts, page_path
from grader.store import Store, write_whole


@dataclass(frozen=True, kw_only=True)
class TeamResult:
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
    teams: tuple[TeamResult, ...]


@dataclass(frozen=True, kw_only=True)
class ClassResults:
    """Everything that the pages of a class are made from."""

    course: Course
    roster: Roster
    results: tuple[AssignmentResults, ...]
    rows: tuple[GradeRow, ...]


@dataclass(frozen=True, kw_only=True)
class Published:
    """Where the pages are, and what they say first."""

    index: Path
    attention: tuple[Group, ...]
    """What a person must look at, most urgent first."""


def publish(shown: ClassResults, *, store: Store, out: Path) -> Published:
    """Write all pages and exports. Evidence is read one student at a time."""
    views = tuple(_student_view(shown, student) for student in shown.roster.students)
    for view in views:
        items = tuple(_with_evidence(item, store) for item in view.items)
        write_whole(out / page_path(view.student), render_student(replace(view, items=items)))
    overview = OverviewView(course_title=shown.course.title, term=shown.course.term, students=views)
    write_whole(out / "grades.csv", grades_csv(shown.rows))
    write_whole(out / "grades.json", _json(shown))
    write_whole(out / "index.html", render_overview(overview))
    return Published(index=out / "index.html", attention=attention(views))


def _json(shown: ClassResults) -> str:
    teams = [team for result in shown.results for team in result.teams]
    return grades_json(
        shown.rows,
        [team.marksheet for team in teams],
        course_title=shown.course.title,
        snapshots=[team.snapshot for team in teams],
        examinations=[team.examination for team in teams if team.examination],
    )


def _student_view(shown: ClassResults, student: Student) -> StudentView:
    items = [
        _assignment_view(result, team)
        for result in shown.results
        for team in result.teams
        if team.snapshot.team == student.team
    ]
    return StudentView(
        student=student.student,
        course_title=shown.course.title,
        term=shown.course.term,
        items=tuple(items),
        grade=next((row for row in shown.rows if row.student == student.student), None),
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
