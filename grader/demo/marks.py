"""The demo students and a course tree in; the marks that people would have given, as CSV files, out."""

import csv
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from grader.course.model import Criterion
from grader.course.tree import CourseTree
from grader.demo.roster import DemoClass, DemoStudent

BY_HAND = "marked by hand, see the annotated scan"
SAID = (
    (Decimal(1), "complete"),
    (Decimal("0.7"), "good, with small gaps; see the annotated copy"),
    (Decimal("0.4"), "partly right; see the annotated copy"),
    (Decimal(0), "little of it; see the annotated copy"),
)
"""Share of the points from which a reason is given."""


def write_marks(tree: CourseTree, demo: DemoClass, assignments: Sequence[str]) -> None:
    """Write `marks/`: the exam and the project criterion by criterion, and the written tasks."""
    folder = tree.root / "marks"
    folder.mkdir()
    exam = tree.rubric("exam").criteria
    rows = [[s.handle, *line] for s in demo.students for line in _spread(s.exam, exam)]
    write_csv(folder / "exam.csv", ["student", "criterion", "points", "reason"], rows)
    header = ["team", "criterion", "points", "reason", "student"]
    write_csv(folder / "project.csv", header, list(_project_rows(tree, demo)))
    for number, name in enumerate(assignments):
        written = [c for c in tree.rubric(name).criteria if c.kind == "manual"]
        rows = [[s.handle, *line] for s in demo.students for line in _filled(s.written[number], written)]
        write_csv(folder / f"{name}.csv", ["team", "criterion", "points", "reason"], rows)


def write_csv(path: Path, header: list[str], rows: list[list[str]]) -> None:
    """Write a table as a spreadsheet would, with plain line ends."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows([header, *rows])


def _project_rows(tree: CourseTree, demo: DemoClass) -> Iterator[list[str]]:
    criteria = tree.rubric("project").criteria
    of_team = [criterion for criterion in criteria if not criterion.per_member]
    for project in demo.projects:
        yield from ([project.handle, *line, ""] for line in _spread(project.points, of_team))
    for student in demo.students:
        yield from _own_rows(student, [criterion for criterion in criteria if criterion.per_member])


def _own_rows(student: DemoStudent, criteria: Sequence[Criterion]) -> Iterator[list[str]]:
    """What a member has alone: full points, unless the story says otherwise."""
    given = {criterion.id: ("", str(criterion.points)) for criterion in criteria}
    given |= {mark.criterion: (mark.reason, str(mark.points)) for mark in student.own_project_marks}
    for criterion, (reason, points) in given.items():
        yield [student.project, criterion, points, reason, student.handle]


def _spread(points: int, criteria: Sequence[Criterion]) -> Iterator[tuple[str, str, str]]:
    """Whole points in proportion to what each criterion is worth; their sum is exact."""
    out_of = sum((criterion.points for criterion in criteria), Decimal(0))
    before = so_far = Decimal(0)
    for criterion in criteria:
        so_far += criterion.points
        upto = (points * so_far / out_of).to_integral_value()
        yield criterion.id, str(upto - before), _said((upto - before) / criterion.points)
        before = upto


def _filled(points: int, criteria: Sequence[Criterion]) -> Iterator[tuple[str, str, str]]:
    """Points from the first criterion to the last, until there are none left."""
    left = points
    for criterion in criteria:
        given = min(left, int(criterion.points))
        left -= given
        yield criterion.id, str(given), BY_HAND


def _said(share: Decimal) -> str:
    return next(words for least, words in SAID if share >= least)
