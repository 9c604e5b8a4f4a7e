"""`grader demo`: build the class, grade it, and compare what came out with what had to."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from grader import pipeline
from grader.course.tree import CourseTree
from grader.demo.build import TASKS, build
from grader.demo.roster import DemoClass, DemoStudent, demo_class
from grader.display import cases_text
from grader.errors import ConfigurationError
from grader.examine.executor import Report
from grader.examine.scheduler import on_this_machine
from grader.pipeline import ClassGrades, Run
from grader.records import GradeRow
from grader.store import Store

MARK = "grader-demo"
"""File that says that a folder was written by the demo, and may be written anew."""


@dataclass(frozen=True)
class Said:
    """What the command prints, and whether everything came out as it had to."""

    text: str
    as_expected: bool


def show(out: Path, *, course: Path | None, slots: int, keep: bool, observe: Report) -> Said:
    """Build the class below `out` (or go on with the one that is there) and grade it.

    Raises:
        ConfigurationError: `out` has files in it that the demo did not write.
    """
    out = out.resolve()
    demo = demo_class()
    if not (keep and (out / MARK).exists()):
        _clear(out)
        _build(course, demo, out, observe)
    grades = pipeline.grade(_run(out, slots=slots, observe=observe), [name for name, _ in TASKS])
    surprises = [surprise for student in demo.students for surprise in _surprises(student, grades)]
    return Said(text=_text(demo.students, grades, surprises, out), as_expected=not surprises)


def _build(course: Path | None, demo: DemoClass, out: Path, observe: Report) -> None:
    on_disk = build(CourseTree.open(course), demo, out)
    pipeline.look(_run(out, slots=1, observe=observe))
    on_disk.after_the_deadline()
    (out / MARK).write_text("written by `grader demo`, which will overwrite it\n", encoding="utf-8")


def _run(out: Path, *, slots: int, observe: Report) -> Run:
    tree = CourseTree.open(out / "course")
    return Run(
        tree=tree,
        roster=tree.roster(tree.root / "roster.csv"),
        store=Store(tree.root / ".grader"),
        out=out,
        executor=on_this_machine(slots),
        observe=observe,
    )


def _clear(out: Path) -> None:
    if out.exists() and any(out.iterdir()) and not (out / MARK).exists():
        raise ConfigurationError(f"{out}: has files that the demo did not write; give --out another folder")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / MARK).touch()


def _surprises(student: DemoStudent, grades: ClassGrades) -> list[str]:
    """What is not as the story of this student wants it."""
    sheets = [s for name, _ in TASKS for s in grades.marksheets(name) if s.team == student.handle]
    found = [
        f"{student.handle}: {mark.criterion} earned {mark.points}, expected nothing"
        for sheet in sheets
        for mark in sheet.marks
        if mark.criterion in student.earns_nothing_for and mark.points != 0
    ]
    cases = grades.cases([student.handle])
    if student.needs_person and not cases:
        found.append(f"{student.handle}: a person must look, and nothing says so")
    if cases and not student.needs_person:
        found.append(f"{student.handle}: a person need not look, but {cases[0].reasons}")
    return found


def _text(students: Sequence[DemoStudent], grades: ClassGrades, surprises: Sequence[str], out: Path) -> str:
    columns = [_out_of(name, grades) for name, _ in TASKS]
    lines = [f"{'student':<22}{columns[0]:>9}{columns[1]:>9}{'final':>7}  {'':<4}story"]
    lines += [_line(student, grades.rows[student.handle], grades) for student in students]
    again = f"grader grade a3 --course {_short(out / 'course')} --only {students[0].handle} --json"
    return "\n".join(
        [
            *lines,
            "",
            *cases_text([case.text() for case in grades.cases()]),
            "",
            *(f"NOT AS EXPECTED: {surprise}" for surprise in surprises),
            f"class overview   {_short(grades.published.index)}",
            f"gradebook        {_short(out / 'grades.csv')}",
            f"one student      {_short(out / 'students' / (students[0].handle + '.html'))}",
            f"look closer      {again}",
        ]
    )


def _out_of(assignment: str, grades: ClassGrades) -> str:
    """`a1 of 60`: one task and the written questions are not all of an assignment."""
    number = next((sheet.out_of for sheet in grades.marksheets(assignment)), Decimal(0))
    return f"{assignment.partition('_')[0]} of {number.normalize():f}"


def _line(student: DemoStudent, row: GradeRow, grades: ClassGrades) -> str:
    totals = [
        next((s.total for s in grades.marksheets(name) if s.team == student.handle), None)
        for name, _ in TASKS
    ]
    numbers = "".join(f"{_number(total):>9}" for total in totals) + f"{_number(row.total):>7}"
    return f"{student.handle:<22}{numbers}  {row.letter or '':<4}{student.story}"


def _number(value: Decimal | None) -> str:
    return "open" if value is None else f"{value:.1f}"


def _short(path: Path) -> str:
    """Relative to where the command was given, when it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
