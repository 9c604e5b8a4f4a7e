"""Nothing of the roster but the handle reaches a page or an export."""

import typing
from dataclasses import fields, is_dataclass
from decimal import Decimal

from pydantic import BaseModel

from grader.course.model import Component, Components, Course, LetterScale, Roster, Student
from grader.records import Team
from grader.report.overview import OverviewView
from grader.report.publish import AssignmentResults, ClassResults, TeamResult, publish
from grader.report.view import StudentView
from grader.store import Store

from .examples import A3, ASSIGNMENT, BANDS, RUBRIC, class_of, examination

CANARIES = ("Zephyrine Quillfeather", "1009988776", "zephyrine@canary.example", "canary-host.example")


def roster(handles):
    name, number, email, host = CANARIES
    students = [
        Student(
            student=h,
            name=f"{name} {h}",
            student_number=number,
            email=email,
            team=h,
            repo_url=f"https://{host}/{h}.git",
        )
        for h in handles
    ]
    teams = [Team(id=h, members=(h,), repo_url=f"https://{host}/{h}.git") for h in handles]
    return Roster(students=tuple(students), teams=tuple(teams))


def course():
    share = {
        "assignments": Component(weight=Decimal(45), items=(A3,)),
        "exam": Component(weight=Decimal(25)),
        "project": Component(weight=Decimal(30)),
    }
    scale = LetterScale(letters={"A": 80}, below="F")
    return Course(
        title="DGM",
        term="S",
        time_zone="America/Toronto",
        components=Components(**share),
        scales={"graduate": scale},
    )


def published(folder):
    view = class_of(6)
    teams = {
        s.student: TeamResult(
            snapshot=s.items[0].snapshot, examination=s.items[0].examination, marksheet=s.items[0].marksheet
        )
        for s in view.students
    }
    results = AssignmentResults(
        assignment=ASSIGNMENT,
        rubric=RUBRIC,
        bands=BANDS,
        reference=examination(team="reference"),
        teams=teams,
    )
    shown = ClassResults(
        course=course(),
        roster=roster([s.student for s in view.students]),
        results=(results,),
        rows={s.student: s.grade for s in view.students if s.grade},
    )
    publish(shown, store=Store(folder / "state"), out=folder / "out")
    return {
        path.relative_to(folder / "out").as_posix(): path.read_text(encoding="utf-8")
        for path in (folder / "out").rglob("*.*")
    }


def test_no_name_number_or_address_is_published(tmp_path):
    files = published(tmp_path)
    assert len(files) == 6 + 3
    for name, content in files.items():
        assert not [canary for canary in CANARIES if canary.lower() in content.lower()], name
        assert not [canary for canary in CANARIES if canary.lower() in name.lower()], name


def test_a_students_page_names_nobody_else(tmp_path):
    pages = {name: text for name, text in published(tmp_path).items() if name.startswith("students/")}
    handles = {name: name.removeprefix("students/").removesuffix(".html") for name in pages}
    for name, text in pages.items():
        assert handles[name] in text
        assert not [other for other in handles.values() if other != handles[name] and other in text]


def types_within(annotation, seen):
    for inner in typing.get_args(annotation):
        types_within(inner, seen)
    if not isinstance(annotation, type) or annotation in seen:
        return seen
    seen.add(annotation)
    hints = (
        typing.get_type_hints(annotation)
        if is_dataclass(annotation) or issubclass(annotation, BaseModel)
        else {}
    )
    names = (
        {f.name for f in fields(annotation)}
        if is_dataclass(annotation)
        else set(getattr(annotation, "model_fields", {}))
    )
    for name in names:
        types_within(hints[name], seen)
    return seen


def test_a_view_cannot_hold_what_stands_in_the_roster():
    reached = types_within(OverviewView, set()) | types_within(StudentView, set())
    assert len(reached) > 20
    assert not reached & {Student, Roster, Team}
